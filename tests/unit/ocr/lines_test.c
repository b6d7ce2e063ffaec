/*
 * Lines come out the same however the bytes arrive, and an endless one is cut.
 */
#include "lines.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct heard {
	char text[256];
	size_t len;
	size_t count;
	size_t longest;
};

static void hear(void *arg, struct str line)
{
	struct heard *heard = arg;

	heard->count++;
	if (line.len > heard->longest)
		heard->longest = line.len;
	if (heard->len + line.len + 1 > sizeof heard->text)
		return;
	memcpy(heard->text + heard->len, line.ptr, line.len);
	heard->len += line.len;
	heard->text[heard->len++] = '|';
}

START_TEST(test_any_step)
{
	static const char text[] = "one\n\ntwo\nthree";
	struct heard heard = { .len = 0 };
	struct lines lines = { .fn = hear, .arg = &heard };

	for (size_t at = 0; at < strlen(text); at += (size_t)_i) {
		size_t left = strlen(text) - at;
		lines_feed(
			&lines, (struct str){ text + at, left < (size_t)_i ? left : (size_t)_i });
	}
	lines_end(&lines);
	lines_end(&lines);
	heard.text[heard.len] = '\0';
	ck_assert_str_eq(heard.text, "one||two|three|");
}
END_TEST

START_TEST(test_overlong)
{
	static char text[3 * LINES_MAX];
	struct heard heard = { .len = 0 };
	struct lines lines = { .fn = hear, .arg = &heard };

	memset(text, 'x', sizeof text);
	lines_feed(&lines, (struct str){ text, sizeof text });
	lines_feed(&lines, (struct str){ text, sizeof text });
	lines_feed(&lines, STR("\nshort\n"));
	ck_assert_uint_eq(heard.count, 2);
	ck_assert_uint_eq(heard.longest, LINES_MAX);
	heard.text[heard.len] = '\0';
	ck_assert_str_eq(heard.text, "short|");
}
END_TEST

START_TEST(test_exactly_the_ceiling)
{
	static char text[LINES_MAX];
	struct heard heard = { .len = 0 };
	struct lines lines = { .fn = hear, .arg = &heard };

	memset(text, 'x', sizeof text);
	lines_feed(&lines, (struct str){ text, sizeof text });
	lines_feed(&lines, STR("\n"));
	ck_assert_uint_eq(heard.count, 1);
	ck_assert_uint_eq(heard.longest, LINES_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ocr/lines");
	TCase *tcase = tcase_create("lines");

	tcase_add_loop_test(tcase, test_any_step, 1, 16);
	tcase_add_test(tcase, test_overlong);
	tcase_add_test(tcase, test_exactly_the_ceiling);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
