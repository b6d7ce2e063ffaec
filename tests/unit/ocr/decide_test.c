/*
 * The judgements of reading at and around each of their limits.
 */
#include "decide.h"

#include <check.h>
#include <stdlib.h>

enum { PIXELS_MAX = 40000000 };

static const double a4_in2 = 595.0 / 72 * (842.0 / 72);

static const struct {
	const char *name;
	uint32_t points, sound, letters;
	double text_share, picture_share;
	bool uses_text;
} sources[] = {
	{ "a digital page", 2000, 2000, 1700, 0.6, 0, true },
	{ "a digital page with a logo", 2000, 2000, 1700, 0.6, 0.05, true },
	{ "half a page of photograph", 1000, 1000, 800, 0.4, 0.5, true },
	{ "a scan without text", 0, 0, 0, 0, 1, false },
	{ "a scan under its own text layer", 2300, 2300, 1900, 0.68, 1, true },
	{ "a scan with a typed archive line", 90, 90, 70, 0.07, 0.95, false },
	{ "a picture drawn three times over", 2300, 2300, 1900, 0.68, 3, true },
	{ "fifteen letters", 15, 15, 15, 0.1, 0, false },
	{ "sixteen letters", 16, 16, 16, 0.1, 0, true },
	{ "glyphs without meaning", 2000, 0, 0, 0.6, 0, false },
	{ "five percent of them", 1000, 950, 800, 0.6, 0, true },
	{ "more than five percent of them", 1000, 949, 800, 0.6, 0, false },
	{ "nothing at all", 0, 0, 0, 0, 0, false },
	{ "just half without text", 2000, 2000, 1700, 0.25, 0.75, true },
	{ "more than half without text", 2000, 2000, 1700, 0.25, 0.76, false },
};

START_TEST(test_source)
{
	struct decide_page page = {
		.width_pt = 595,
		.height_pt = 842,
		.points = sources[_i].points,
		.sound = sources[_i].sound,
		.letters = sources[_i].letters,
		.text_share = sources[_i].text_share,
		.picture_in2 = sources[_i].picture_share * a4_in2,
	};

	ck_assert_msg(decide_uses_text(&page) == sources[_i].uses_text, "%s", sources[_i].name);
}
END_TEST

START_TEST(test_page_of_unknown_size_is_judged_by_its_text)
{
	struct decide_page page = { .points = 100, .sound = 100, .letters = 90, .picture_in2 = 90 };

	ck_assert(decide_uses_text(&page));
	ck_assert(!decide_too_large(&page, PIXELS_MAX));
}
END_TEST

static const struct {
	double width_pt, height_pt;
	bool too_large;
} sizes[] = {
	{ 595, 842, false },
	{ 3162, 3162, false }, /* 39.99 megapixels at 144 dpi */
	{ 3163, 3163, true },
	{ 200000, 200000, true },
	{ 72, 200000, true },
	{ 1e9, 1e9, true },
};

START_TEST(test_size)
{
	struct decide_page page = { .width_pt = sizes[_i].width_pt,
		.height_pt = sizes[_i].height_pt };

	ck_assert_int_eq(decide_too_large(&page, PIXELS_MAX), sizes[_i].too_large);
}
END_TEST

/* What is tried after what, by the best confidence so far; 0 dpi: nothing. */
static const struct {
	unsigned last_dpi;
	double best;
	double side_pt; /* of a square page */
	unsigned next_dpi, next_smooth;
	bool next_search;
} steps[] = {
	{ 144, 85, 600, 0, 0, false },
	{ 144, 100, 600, 0, 0, false },
	{ 144, 84.99, 600, 216, 2, true },
	{ 144, 0, 600, 216, 2, true },
	{ 216, 85, 600, 0, 0, false },
	{ 216, 84, 600, 300, 0, false },
	{ 300, 0, 600, 0, 0, false },
	/* 300 dpi would be 69 megapixels, then 216 dpi 56 */
	{ 216, 50, 2000, 0, 0, false },
	{ 144, 50, 2500, 0, 0, false },
	{ 144, 50, 2000, 216, 2, true },
};

START_TEST(test_zoom)
{
	struct decide_page page = { .width_pt = steps[_i].side_pt, .height_pt = steps[_i].side_pt };
	struct decide_try next = { 0, 0, false };
	const struct decide_try last = { steps[_i].last_dpi, 0, false };

	bool again = decide_again(&page, PIXELS_MAX, last, steps[_i].best, &next);
	ck_assert_int_eq(again, steps[_i].next_dpi != 0);
	ck_assert_uint_eq(next.dpi, steps[_i].next_dpi);
	ck_assert_uint_eq(next.smooth, steps[_i].next_smooth);
	ck_assert_int_eq(next.search, steps[_i].next_search);
}
END_TEST

START_TEST(test_every_page_is_tried_a_bounded_number_of_times)
{
	struct decide_page page = { .width_pt = 595, .height_pt = 842 };
	struct decide_try try = decide_first();
	int tries = 1;

	while (decide_again(&page, PIXELS_MAX, try, 0, &try))
		tries++;
	ck_assert_int_eq(tries, 3);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof *(table))

int main(void)
{
	Suite *suite = suite_create("ocr/decide");
	TCase *tcase = tcase_create("decide");

	tcase_add_loop_test(tcase, test_source, 0, COUNT(sources));
	tcase_add_test(tcase, test_page_of_unknown_size_is_judged_by_its_text);
	tcase_add_loop_test(tcase, test_size, 0, COUNT(sizes));
	tcase_add_loop_test(tcase, test_zoom, 0, COUNT(steps));
	tcase_add_test(tcase, test_every_page_is_tried_a_bounded_number_of_times);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
