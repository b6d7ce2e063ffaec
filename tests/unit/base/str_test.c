#include "base/str.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NONE	     ((struct str){ NULL, 0 })
#define ROW(literal)                                                                               \
	{                                                                                          \
		"" literal, sizeof(literal) - 1                                                    \
	}

START_TEST(compares)
{
	static const struct {
		struct str a, b;
		bool eq, ieq, starts;
	} rows[] = {
		{ ROW(""), ROW(""), true, true, true },
		{ { NULL, 0 }, ROW(""), true, true, true },
		{ ROW("a"), { NULL, 0 }, false, false, true },
		{ { NULL, 0 }, ROW("a"), false, false, false },
		{ ROW("abc"), ROW("abc"), true, true, true },
		{ ROW("abc"), ROW("ABC"), false, true, false },
		{ ROW("abc"), ROW("ab"), false, false, true },
		{ ROW("ab"), ROW("abc"), false, false, false },
		{ ROW("@[`{"), ROW("`{@["), false, false, false },
		{ ROW("a\0b"), ROW("a\0b"), true, true, true },
		{ ROW("a\0b"), ROW("a\0c"), false, false, false },
		{ ROW("A\0b"), ROW("a\0B"), false, true, false },
		{ ROW("\xc3\xa7"), ROW("\xc3\x87"), false, false, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_int_eq(str_eq(rows[i].a, rows[i].b), rows[i].eq);
		ck_assert_int_eq(str_ieq(rows[i].a, rows[i].b), rows[i].ieq);
		ck_assert_int_eq(str_starts(rows[i].a, rows[i].b), rows[i].starts);
	}
	ck_assert(str_of(NULL).ptr == NULL && str_of(NULL).len == 0);
	ck_assert(str_eq(str_of("x"), STR("x")));
}
END_TEST

START_TEST(trims)
{
	static const struct {
		const char *text, *trimmed;
	} rows[] = { { "", "" }, { " ", "" }, { " \t \t", "" }, { "a", "a" }, { " a b\t", "a b" },
		{ "\na\r", "\na\r" } };

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert(str_eq(str_trim(str_of(rows[i].text)), str_of(rows[i].trimmed)));
	ck_assert_uint_eq(str_trim(NONE).len, 0);
}
END_TEST

START_TEST(cuts)
{
	static const struct {
		const char *text, *head, *rest;
		bool found;
	} rows[] = {
		{ "", "", "", false },
		{ "a", "a", "", false },
		{ "a,b", "a", "b", true },
		{ "a,b,c", "a", "b,c", true },
		{ ",", "", "", true },
		{ "a,", "a", "", true },
		{ ",a", "", "a", true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str rest = STR("old");
		struct str head = str_cut(str_of(rows[i].text), ',', &rest);

		ck_assert(str_eq(head, str_of(rows[i].head)));
		ck_assert(str_eq(rest, str_of(rows[i].rest)));
		ck_assert_int_eq(rest.ptr != NULL, rows[i].found);
	}
	/* the text may be its own rest */
	struct str text = STR("x=y=z");
	ck_assert(str_eq(str_cut(text, '=', &text), STR("x")));
	ck_assert(str_eq(text, STR("y=z")));
}
END_TEST

START_TEST(reads_numbers)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t number;
	} rows[] = {
		{ "0", true, 0 },
		{ "00012", true, 12 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "18446744073709551620", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "", false, 0 },
		{ "+1", false, 0 },
		{ "-1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "1.0", false, 0 },
		{ "0x1", false, 0 },
		{ "1e3", false, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t number = 77;

		ck_assert_msg(str_to_u64(str_of(rows[i].text), &number) == rows[i].good, "%s",
			rows[i].text);
		ck_assert_uint_eq(number, rows[i].good ? rows[i].number : 77);
	}
}
END_TEST

START_TEST(knows_utf8)
{
	static const struct {
		struct str text;
		bool good;
	} rows[] = {
		{ ROW(""), true },
		{ ROW("a\x7f\n"), true },
		{ ROW("\xc3\xa7\xc3\xa3o"), true },
		{ ROW("\xc2\x80"), true },
		{ ROW("\xdf\xbf"), true },
		{ ROW("\xe0\xa0\x80"), true },
		{ ROW("\xed\x9f\xbf"), true },
		{ ROW("\xee\x80\x80"), true },
		{ ROW("\xef\xbf\xbf"), true },
		{ ROW("\xf0\x90\x80\x80"), true },
		{ ROW("\xf4\x8f\xbf\xbf"), true },
		{ ROW("\0"), false },
		{ ROW("a\0"), false },
		{ ROW("\x80"), false },
		{ ROW("\xbf"), false },
		{ ROW("\xc0\x80"), false },	    /* over-long NUL */
		{ ROW("\xc1\xbf"), false },	    /* over-long */
		{ ROW("\xe0\x9f\xbf"), false },	    /* over-long */
		{ ROW("\xed\xa0\x80"), false },	    /* surrogate */
		{ ROW("\xed\xbf\xbf"), false },	    /* surrogate */
		{ ROW("\xf0\x8f\xbf\xbf"), false }, /* over-long */
		{ ROW("\xf4\x90\x80\x80"), false }, /* past U+10FFFF */
		{ ROW("\xf5\x80\x80\x80"), false },
		{ ROW("\xff"), false },
		{ ROW("\xc3"), false }, /* cut off */
		{ ROW("\xe2\x82"), false },
		{ ROW("\xf0\x9f\x98"), false },
		{ ROW("\xc3("), false },
		{ ROW("\xe2(\xa1"), false },
		{ ROW("\xe2\x82("), false },
		{ ROW("\xf0\x9f\x98("), false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(str_is_utf8(rows[i].text) == rows[i].good, "row %zu", i);
	ck_assert(str_is_utf8(NONE));
	ck_assert(str_is_line(NONE) && str_is_line(STR("Açaí & Cia, São João 日本")));
	static const char *const obeyed[] = { "\x1b[31m", "a\nb", "\a", "\x7f", "\xc2\x9b",
		"\u202e", "\u2066", "\xff" };
	for (size_t i = 0; i < sizeof obeyed / sizeof *obeyed; i++)
		ck_assert_msg(!str_is_line(str_of(obeyed[i])), "%zu", i);
	ck_assert(str_is_line(STR("\u2029\u202f\u2065\u206a\u00a0")));
}
END_TEST

START_TEST(builds)
{
	struct buf buf = BUF(1000);

	ck_assert_uint_eq(buf_str(&buf).len, 0);
	buf_add(&buf, NULL, 0);
	buf_add(&buf, "ab", 2);
	buf_add_str(&buf, STR("c\0d"));
	buf_addf(&buf, "%d-%s", 7, "x");
	buf_add_str(&buf, NONE);
	ck_assert(str_eq(buf_str(&buf), STR("abc\0d7-x")));
	ck_assert_int_eq(buf.ptr[buf.len], '\0');
	ck_assert(buf_check(&buf).kind == ERR_OK);
	buf_skip(&buf, 0);
	buf_skip(&buf, 4);
	ck_assert_str_eq(buf.ptr, "d7-x");
	char *taken = buf_take(&buf);
	ck_assert_str_eq(taken, "d7-x");
	free(taken);
	ck_assert_ptr_null(buf_take(&buf));
	buf_addf(&buf, "%s", "");
	ck_assert_str_eq(buf.ptr, "");
	buf_done(&buf);
	buf_done(&buf);
}
END_TEST

/* Cleared or skipped to its end, the text of before must not show through ptr. */
START_TEST(stays_terminated)
{
	struct buf buf = BUF(100);

	buf_clear(&buf);
	buf_skip(&buf, 5);
	buf_add_str(&buf, STR("secret"));
	buf_skip(&buf, 6);
	ck_assert_str_eq(buf.ptr, "");
	buf_add_str(&buf, STR("secret"));
	buf_skip(&buf, 100);
	ck_assert_str_eq(buf.ptr, "");
	buf_add_str(&buf, STR("secret"));
	buf_clear(&buf);
	ck_assert_str_eq(buf.ptr, "");
	buf_done(&buf);
}
END_TEST

START_TEST(keeps_its_ceiling)
{
	struct buf buf = BUF(10);

	buf_add_str(&buf, STR("0123456789"));
	ck_assert(!buf.overflow && buf.cap <= 11);
	buf_add_str(&buf, STR("x"));
	ck_assert(buf.overflow);
	buf_add_str(&buf, NONE);
	buf_addf(&buf, "%s", "y");
	ck_assert_str_eq(buf.ptr, "0123456789");
	ck_assert(err_is(buf_check(&buf), ERR_CODE_RECORD_TOO_LARGE));
	ck_assert_int_eq(buf_check(&buf).kind, ERR_REJECT);
	/* what was dropped stays dropped, even when there is room again */
	buf_skip(&buf, 9);
	buf_add_str(&buf, STR("z"));
	ck_assert_str_eq(buf.ptr, "9");
	buf_clear(&buf);
	buf_addf(&buf, "%010d", 5);
	ck_assert(buf_check(&buf).kind == ERR_OK);
	ck_assert_str_eq(buf.ptr, "0000000005");
	buf_done(&buf);
	buf_addf(&buf, "%011d", 5);
	ck_assert(buf.overflow && buf.len == 0);
	buf_done(&buf);
	ck_assert(!buf.overflow && buf.max == 10);
}
END_TEST

START_TEST(grows)
{
	struct buf buf = BUF(1 << 20);

	for (int i = 0; i < 100000; i++)
		buf_add(&buf, &"0123456789"[i % 10], 1);
	ck_assert_uint_eq(buf.len, 100000);
	for (size_t i = 0; i < buf.len; i++)
		ck_assert_int_eq(buf.ptr[i], "0123456789"[i % 10]);
	buf_done(&buf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("str");
	TCase *tcase = tcase_create("str");

	tcase_add_test(tcase, compares);
	tcase_add_test(tcase, trims);
	tcase_add_test(tcase, cuts);
	tcase_add_test(tcase, reads_numbers);
	tcase_add_test(tcase, knows_utf8);
	tcase_add_test(tcase, builds);
	tcase_add_test(tcase, stays_terminated);
	tcase_add_test(tcase, keeps_its_ceiling);
	tcase_add_test(tcase, grows);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
