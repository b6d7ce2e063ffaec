#include "dlq.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "model/envelope.h"
#include "dlq_show.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { ARENA_BYTES = 1 << 20 };

static const struct {
	const char *name;
	struct str value;
	bool may;
} headers[] = {
	{ "ce_id", { "0b9d3f0e-6f3b-5a51-8d7e-0c9f4a2b1d3c", 36 }, true },
	{ "ce_type", { "ação.v1", 9 }, true },
	{ "ce_type", { "", 0 }, true },
	{ "traceparent", { "00-aa-bb-01", 11 }, true },
	/* what only looks like one of ours */
	{ "CE_ID", { "a", 1 }, false },
	{ "ce_id ", { "a", 1 }, false },
	{ "ce_data", { "a", 1 }, false },
	{ "ce_subject", { "maria", 5 }, false },
	{ "authorization", { "Bearer a", 8 }, false },
	{ "x-sealed", { "a", 1 }, false },
	{ "", { "a", 1 }, false },
	/* what would steer the terminal, or is no text */
	{ "ce_type", { "a\x1b[2J", 5 }, false },
	{ "ce_type", { "a\nb", 3 }, false },
	{ "ce_type", { "a\x7f", 2 }, false },
	{ "ce_type", { "a\0b", 3 }, false },
	{ "ce_type", { "\xff\xfe", 2 }, false },
	{ "ce_type",
		{ "\xc2\x9b"
		  "2J",
			4 },
		false },
};

START_TEST(plain_headers_alone_are_shown)
{
	ck_assert_int_eq(dlq_show_may(headers[_i].name, headers[_i].value), headers[_i].may);
}
END_TEST

START_TEST(too_long_a_header_is_not_shown)
{
	char text[256];

	memset(text, 'a', sizeof text);
	ck_assert(dlq_show_may("ce_type", (struct str){ text, 255 }));
	ck_assert(!dlq_show_may("ce_type", (struct str){ text, 256 }));
}
END_TEST

static char *print(const struct store_dlq_detail *detail, bool json)
{
	const struct store_dlq_letter letter = { .service = "ocr",
		.id = "i",
		.topic = "t",
		.class = "schema",
		.state = "open",
		.created_at = 0,
		.updated_at = 0 };
	struct arena *arena = arena_new(ARENA_BYTES);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	ck_assert_int_eq(dlq_show_print(arena, &letter, detail, json, out).kind, ERR_OK);
	fclose(out);
	arena_drop(&arena);
	return text;
}

START_TEST(what_it_says_is_not_shown)
{
	struct buf packed = BUF(1024);
	struct headers all = { .count = 0 };

	ck_assert(envelope_add(&all, "ce_type", STR("a.b.done.v1")));
	ck_assert(envelope_add(&all, "x-note", STR("secret")));
	ck_assert(envelope_add(&all, "x\x1b[2J", STR("secret")));
	envelope_pack(&all, &packed);
	const struct store_dlq_detail detail = { .group = "g",
		.message = "a sentence",
		.first_failed_at = CODEC_NO_INT,
		.headers = buf_str(&packed),
		.key = STR("secret"),
		.payload = STR("secret") };
	for (int json = 0; json < 2; json++) {
		char *text = print(&detail, json);
		ck_assert_ptr_null(strstr(text, "secret"));
		ck_assert_ptr_null(strchr(text, '\x1b'));
		ck_assert_ptr_nonnull(strstr(text, "a.b.done.v1"));
		ck_assert_ptr_nonnull(strstr(text, "x-note"));
		ck_assert_ptr_nonnull(strstr(text, "a sentence"));
		/* SHA-256 of "secret" */
		ck_assert_ptr_nonnull(
			strstr(text, "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6"
				     "a25fe97bf527a25b"));
		free(text);
	}
	buf_done(&packed);
}
END_TEST

START_TEST(an_erased_one_has_no_sizes)
{
	const struct store_dlq_detail detail = { .group = "g", .first_failed_at = CODEC_NO_INT };
	char *text = print(&detail, true);

	ck_assert_ptr_null(strstr(text, "_bytes"));
	ck_assert_ptr_null(strstr(text, "sha256"));
	ck_assert_ptr_nonnull(strstr(text, "\"headers\":[]"));
	free(text);
}
END_TEST

/* Options are looked up by name when a command runs: each that it asks for is in its table. */
START_TEST(the_table_is_complete)
{
	static const char *const verbs[] = { "list", "show", "redrive", "discard", "stats" };

	for (size_t i = 0; i < COUNT(verbs); i++) {
		size_t options = 0;
		ck_assert_str_eq(dlq_commands[i].noun, "dlq");
		ck_assert_str_eq(dlq_commands[i].verb, verbs[i]);
		while (dlq_commands[i].options[options].name != NULL)
			options++;
		ck_assert_uint_le(options, COMMAND_OPTIONS_MAX);
	}
	ck_assert_ptr_null(dlq_commands[COUNT(verbs)].noun);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/dlq");
	TCase *tcase = tcase_create("dlq");

	tcase_add_loop_test(tcase, plain_headers_alone_are_shown, 0, (int)COUNT(headers));
	tcase_add_test(tcase, too_long_a_header_is_not_shown);
	tcase_add_test(tcase, what_it_says_is_not_shown);
	tcase_add_test(tcase, an_erased_one_has_no_sizes);
	tcase_add_test(tcase, the_table_is_complete);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
