#include "base/arena.h"

#include <check.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_zero(const char *memory, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (memory[i] != 0)
			return false;
	return true;
}

START_TEST(hands_out)
{
	static const size_t sizes[] = { 1, 7, 8, 15, 16, 17, 100, 4096, 16384, 16385, 100000 };
	enum { TAKEN = sizeof sizes / sizeof *sizes };
	struct arena *arena = arena_new(1 << 20);

	for (int round = 0; round < 3; round++) {
		char *memory[TAKEN];

		for (size_t i = 0; i < TAKEN; i++) {
			memory[i] = arena_alloc(arena, sizes[i]);
			ck_assert_ptr_nonnull(memory[i]);
			ck_assert_uint_eq((uintptr_t)memory[i] % _Alignof(max_align_t), 0);
			ck_assert(is_zero(memory[i], sizes[i]));
			memset(memory[i], (int)i + 1, sizes[i]);
		}
		for (size_t i = 0; i < TAKEN; i++)
			for (size_t k = 0; k < sizes[i]; k++)
				ck_assert_int_eq(memory[i][k], (int)i + 1);
		ck_assert_uint_ge(arena_used(arena), 137000);
		arena_reset(arena);
		ck_assert_uint_eq(arena_used(arena), 0);
	}
	arena_free(arena);
}
END_TEST

START_TEST(keeps_its_ceiling)
{
	struct arena *arena = arena_new(1000);
	size_t count = 0;

	ck_assert_ptr_null(arena_alloc(arena, 1001));
	ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX));
	ck_assert_ptr_null(arena_strdup(arena, (struct str){ "", SIZE_MAX }));
	ck_assert_ptr_null(arena_printf(arena, "%1000d", 1));
	ck_assert_uint_eq(arena_used(arena), 0);
	while (arena_alloc(arena, 16) != NULL)
		count++;
	ck_assert_uint_eq(count, 62);
	ck_assert(!arena_defer(arena, free, NULL));
	ck_assert_uint_le(arena_used(arena), 1000);
	arena_reset(arena);
	ck_assert_ptr_nonnull(arena_alloc(arena, 992));
	ck_assert_ptr_null(arena_alloc(arena, 16));
	ck_assert(err_is(arena_overflow(), ERR_CODE_RECORD_TOO_LARGE));
	ck_assert_int_eq(arena_overflow().kind, ERR_REJECT);
	arena_free(arena);
}
END_TEST

START_TEST(keeps_what_an_error_says)
{
	char text[] = "the row is gone";
	struct arena *arena = arena_new(1000);

	struct err kept = arena_keep_err(arena, err_retry(ERR_CODE_TRY_AGAIN, text));
	text[0] = 'T';
	ck_assert_str_eq(kept.msg, "the row is gone");
	ck_assert(err_is(kept, ERR_CODE_TRY_AGAIN) && kept.kind == ERR_RETRY);
	while (arena_alloc(arena, 16) != NULL)
		;
	kept = arena_keep_err(arena, err_retry(ERR_CODE_TRY_AGAIN, text));
	ck_assert_str_eq(kept.msg, err_code_title(ERR_CODE_TRY_AGAIN));
	arena_free(arena);
}
END_TEST

/* Sizes next to SIZE_MAX must not wrap into small ones. */
START_TEST(does_not_wrap)
{
	struct arena *arena = arena_new(SIZE_MAX);

	for (size_t less = 0; less < 64; less++)
		ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX - less));
	ck_assert_ptr_nonnull(arena_alloc(arena, 100));
	arena_free(arena);
}
END_TEST

START_TEST(copies_text)
{
	struct arena *arena = arena_new(1000);

	ck_assert_str_eq(arena_strdup(arena, STR("abc")), "abc");
	ck_assert_str_eq(arena_strdup(arena, (struct str){ "abcdef", 3 }), "abc");
	ck_assert_str_eq(arena_strdup(arena, (struct str){ NULL, 0 }), "");
	ck_assert_mem_eq(arena_strdup(arena, STR("a\0b")), "a\0b", 4);
	ck_assert_str_eq(arena_printf(arena, "%s-%03d", "x", 7), "x-007");
	ck_assert_str_eq(arena_printf(arena, "%s", ""), "");
	arena_free(arena);
}
END_TEST

struct trace {
	struct arena *arena;
	char text[16];
	size_t len;
	char self;
	struct trace *to;
};

static void leave(void *arg)
{
	struct trace *trace = arg;

	trace->to->text[trace->to->len++] = trace->self;
}

START_TEST(cleans_up_last_first)
{
	struct trace all = { .len = 0 };
	struct trace a = { .self = 'a', .to = &all }, b = { .self = 'b', .to = &all };
	struct arena *arena = arena_new(1000);

	ck_assert(arena_defer(arena, leave, &a));
	ck_assert_ptr_nonnull(arena_alloc(arena, 10));
	ck_assert(arena_defer(arena, leave, &b));
	arena_reset(arena);
	ck_assert_str_eq(all.text, "ba");
	arena_reset(arena);
	ck_assert_str_eq(all.text, "ba");
	ck_assert(arena_defer(arena, leave, &a));
	arena_drop(&arena);
	ck_assert_ptr_null(arena);
	ck_assert_str_eq(all.text, "baa");
	arena_drop(&arena);
	arena_free(NULL);
}
END_TEST

static void use_scoped(struct trace *a)
{
	SCOPED(arena_drop) struct arena *arena = arena_new(100);

	ck_assert(arena_defer(arena, leave, a));
}

START_TEST(ends_with_its_scope)
{
	struct trace all = { .len = 0 }, a = { .self = 'a', .to = &all };

	use_scoped(&a);
	ck_assert_str_eq(all.text, "a");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena");
	TCase *tcase = tcase_create("arena");

	tcase_add_test(tcase, hands_out);
	tcase_add_test(tcase, keeps_its_ceiling);
	tcase_add_test(tcase, keeps_what_an_error_says);
	tcase_add_test(tcase, does_not_wrap);
	tcase_add_test(tcase, copies_text);
	tcase_add_test(tcase, cleans_up_last_first);
	tcase_add_test(tcase, ends_with_its_scope);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
