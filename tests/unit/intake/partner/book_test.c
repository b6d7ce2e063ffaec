#include "partner/book.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SLUG_63	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct partner_row rows[] = {
	{ "acme", { { { { 1 } } }, "alfa" } },
	{ "acme", { { { { 2 } } }, "beta" } },
	{ "bank", { { { { 0 } } }, "" } },
	{ "erp-1", { { { { 2 } } }, "beta" } },
	{ SLUG_63, { { { { 3 } } }, SLUG_63 } },
};

/* As the rows are sorted: by partner. */
static struct partner_row sorted[COUNT(rows)];

static struct partner_book *book_of(size_t count)
{
	struct partner_book *book = partner_book_new();

	/* SLUG_63 sorts first */
	sorted[0] = rows[COUNT(rows) - 1];
	memcpy(sorted + 1, rows, sizeof rows - sizeof *rows);
	ck_assert_int_eq(partner_book_take(book, sorted, count).kind, ERR_OK);
	return book;
}

static const struct {
	const char *partner, *slug;
	enum partner_answer answer;
	uint8_t tenant;
} asked[] = {
	{ "acme", "alfa", PARTNER_GRANTED, 1 },
	{ "acme", "beta", PARTNER_GRANTED, 2 },
	{ "erp-1", "beta", PARTNER_GRANTED, 2 },
	{ SLUG_63, SLUG_63, PARTNER_GRANTED, 3 },
	{ "erp-1", "alfa", PARTNER_NOT_THEIRS, 0 },
	{ "acme", "alf", PARTNER_NOT_THEIRS, 0 },
	{ "acme", "alfaa", PARTNER_NOT_THEIRS, 0 },
	{ "acme", "", PARTNER_NOT_THEIRS, 0 },
	{ "acme", SLUG_63 "a", PARTNER_NOT_THEIRS, 0 },
	{ "bank", "alfa", PARTNER_NOT_THEIRS, 0 },
	{ "bank", "", PARTNER_NOT_THEIRS, 0 },
	{ "bank", "-", PARTNER_NOT_THEIRS, 0 },
	{ "acm", "alfa", PARTNER_UNKNOWN, 0 },
	{ "zzz", "alfa", PARTNER_UNKNOWN, 0 },
	{ "", "alfa", PARTNER_UNKNOWN, 0 },
	{ "", "", PARTNER_UNKNOWN, 0 },
	{ SLUG_63 "a", "alfa", PARTNER_UNKNOWN, 0 },
	{ "self", "alfa", PARTNER_UNKNOWN, 0 },
};

START_TEST(answers_who_may_act_for_whom)
{
	struct partner_book *book = book_of(COUNT(rows));

	for (size_t i = 0; i < COUNT(asked); i++) {
		struct partner_tenant tenant = { .slug = "?" };
		ck_assert_msg(partner_book_find(book, asked[i].partner, asked[i].slug, &tenant) ==
				      asked[i].answer,
			"row %zu", i);
		ck_assert_uint_eq(tenant.tenant.id.bytes[0], asked[i].tenant);
		ck_assert_str_eq(
			tenant.slug, asked[i].answer == PARTNER_GRANTED ? asked[i].slug : "?");
	}
	partner_book_free(book);
}
END_TEST

START_TEST(before_the_first_reading_nobody_is_known)
{
	struct partner_book *book = partner_book_new();
	struct partner_tenant tenant;

	ck_assert_uint_eq(partner_book_version(book), 0);
	ck_assert_int_eq(partner_book_find(book, "acme", "alfa", &tenant), PARTNER_UNKNOWN);
	ck_assert_int_eq(partner_book_take(book, NULL, 0).kind, ERR_OK);
	ck_assert_uint_eq(partner_book_version(book), 1);
	ck_assert_int_eq(partner_book_find(book, "acme", "alfa", &tenant), PARTNER_UNKNOWN);
	partner_book_free(book);
	partner_book_free(NULL);
}
END_TEST

START_TEST(lists_each_partner_once)
{
	static const char *const expected[] = { SLUG_63, "acme", "bank", "erp-1" };
	struct partner_book *book = book_of(COUNT(rows));
	struct arena *arena = arena_new(1 << 16);
	struct partner_slugs slugs;

	ck_assert_int_eq(partner_book_slugs(book, arena, &slugs).kind, ERR_OK);
	ck_assert_uint_eq(slugs.count, COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++)
		ck_assert_str_eq(slugs.items[i], expected[i]);
	arena_free(arena);
	partner_book_free(book);
}
END_TEST

/* A grant more or less is no other list of partners. */
START_TEST(the_version_tells_another_list_of_partners)
{
	struct partner_book *book = book_of(COUNT(rows));

	ck_assert_uint_eq(partner_book_version(book), 1);
	for (size_t count = COUNT(rows); count > 0; count--) {
		unsigned before = partner_book_version(book);
		ck_assert_int_eq(partner_book_take(book, sorted, count - 1).kind, ERR_OK);
		bool other = count == 1 ||
			     strcmp(sorted[count - 1].partner, sorted[count - 2].partner) != 0;
		ck_assert_uint_eq(partner_book_version(book), before + other);
		ck_assert_int_eq(partner_book_take(book, sorted, count - 1).kind, ERR_OK);
		ck_assert_uint_eq(partner_book_version(book), before + other);
	}
	partner_book_free(book);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("book");
	TCase *tcase = tcase_create("book");

	tcase_add_test(tcase, answers_who_may_act_for_whom);
	tcase_add_test(tcase, before_the_first_reading_nobody_is_known);
	tcase_add_test(tcase, lists_each_partner_once);
	tcase_add_test(tcase, the_version_tells_another_list_of_partners);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
