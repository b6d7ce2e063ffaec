/*
 * What pdfinfo prints, honest and hostile: the document's own strings may contain anything, also
 * what looks like pdfinfo's own lines.
 */
#include "inventory.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char honest[] = "Title:           Amostra\n"
			     "Encrypted:       no\n"
			     "Pages:           3\n"
			     "Page    1 size:  595.28 x 841.89 pts (A4)\n"
			     "Page    1 rot:   0\n"
			     "Page    2 size:  226.772 x 340.158 pts\n"
			     "Page    3 size:  200000 x 72 pts\n"
			     "File size:       49985 bytes\n";

static void feed(struct inventory *inventory, const char *text, size_t step)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len; at += step) {
		size_t part = len - at < step ? len - at : step;
		inventory_feed(inventory, (struct str){ text + at, part });
	}
	lines_end(&inventory->lines);
}

START_TEST(test_honest)
{
	struct inventory inventory;

	ck_assert(inventory_open(&inventory, 500));
	feed(&inventory, honest, (size_t)_i);
	ck_assert_uint_eq(inventory.page_count, 3);
	ck_assert(!inventory.needs_password);
	ck_assert_double_eq_tol(inventory.pages[0].width_pt, 595.28, 1e-6);
	ck_assert_double_eq_tol(inventory.pages[0].height_pt, 841.89, 1e-6);
	ck_assert_double_eq_tol(inventory.pages[1].height_pt, 340.158, 1e-6);
	ck_assert_double_eq_tol(inventory.pages[2].width_pt, 200000, 1e-6);
	ck_assert_double_eq_tol(inventory.pages[3].width_pt, 0, 1e-6);
	inventory_close(&inventory);
}
END_TEST

/* What is said first by the document is corrected by what pdfinfo says after it. */
START_TEST(test_title_that_lies)
{
	struct inventory inventory;

	ck_assert(inventory_open(&inventory, 2));
	feed(&inventory, "Title: x\nPages: 1\nPage 1 size: 1 x 1 pts\n", 7);
	feed(&inventory, honest, 7);
	ck_assert_uint_eq(inventory.page_count, 3);
	ck_assert_double_eq_tol(inventory.pages[0].width_pt, 595.28, 1e-6);
	inventory_close(&inventory);
}
END_TEST

static const char *const nonsense[] = {
	"",
	"Pages:",
	"Pages: -1\n",
	"Pages: 99999999999999999999999\n",
	"Pages: 3x\n",
	"Page 0 size: 1 x 1\n",
	"Page 3 size: 1 x 1\n",
	"Page 1 size: x\n",
	"Page 1 size: 1 x \n",
	"Page 1 size: 1e9 x 1\n",
	"Page 1 size: -1 x 1\n",
	"Page 1 size: nan x inf\n",
	"Page 1 size: 12345678901 x 1\n",
	"Page\n",
	"Page 99999999999999999999999 size: 1 x 1\n",
	"\n\n\n",
};

START_TEST(test_nonsense)
{
	struct inventory inventory;

	ck_assert(inventory_open(&inventory, 2));
	feed(&inventory, nonsense[_i], 5);
	ck_assert_uint_eq(inventory.page_count, 0);
	ck_assert_double_eq(inventory.pages[0].width_pt, 0);
	ck_assert_double_eq(inventory.pages[1].width_pt, 0);
	inventory_close(&inventory);
}
END_TEST

START_TEST(test_password)
{
	struct inventory inventory;

	ck_assert(inventory_open(&inventory, 2));
	feed(&inventory, "Command Line Error: Incorrect password\n", 11);
	ck_assert(inventory.needs_password);
	inventory_close(&inventory);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ocr/inventory");
	TCase *tcase = tcase_create("inventory");

	tcase_add_loop_test(tcase, test_honest, 1, 64);
	tcase_add_test(tcase, test_title_that_lies);
	tcase_add_loop_test(tcase, test_nonsense, 0, sizeof nonsense / sizeof *nonsense);
	tcase_add_test(tcase, test_password);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
