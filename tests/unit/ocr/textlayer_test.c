/*
 * The XHTML of pdftotext -bbox-layout: text with its spaces, judgement of its letters, share of the
 * page; and what a broken or hostile writer might send instead.
 */
#include "textlayer.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define WORD(x_min, x_max, text)                                                                   \
	"          <word xMin=\"" #x_min "\" yMin=\"10\" xMax=\"" #x_max "\" yMax=\"20\">" text    \
	"</word>\n"
#define LINE(words)                                                                                \
	"        <line xMin=\"0\" yMin=\"10\" xMax=\"100\" yMax=\"20\">\n" words "        "        \
	"</line>\n"
#define BLOCK(lines) "      <block xMin=\"0\">\n" lines "      </block>\n"
#define PAGE(blocks)                                                                               \
	"  <page width=\"100.000000\" height=\"100.000000\">\n    <flow>\n" blocks                 \
	"    </flow>\n  </page>\n"

static const struct {
	const char *xhtml;
	const char *text; /* of page 1 */
	uint32_t points, sound, letters;
} cases[] = {
	{ PAGE(BLOCK(LINE(WORD(0, 10, "Um") WORD(15, 30, "dois")))), "Um dois\n\n", 6, 6, 6 },
	{ PAGE(BLOCK(LINE(WORD(0, 10, "R$") WORD(10.5, 30, "1,00")))), "R$1,00\n\n", 6, 6, 4 },
	{ PAGE(BLOCK(LINE(WORD(0, 10, "a")) LINE(WORD(0, 10, "b")))), "a\nb\n\n", 2, 2, 2 },
	{ PAGE(BLOCK(LINE(WORD(0, 9, "a"))) BLOCK(LINE(WORD(0, 9, "b")))), "a\n\nb\n\n", 2, 2, 2 },
	{ PAGE(BLOCK(LINE(WORD(0, 10, "&lt;A&amp;B&gt;&quot;&apos;&amp;lt;")))), "<A&B>\"'&lt;\n\n",
		11, 11, 4 },
	{ PAGE(BLOCK(LINE(WORD(0, 10, "a\xc3\xa7\xc3\xa3o")))), "a\xc3\xa7\xc3\xa3o\n\n", 4, 4, 4 },
	{ PAGE(BLOCK(LINE(WORD(0, 10, "\xef\xbf\xbd\xef\xbf\xbd")))),
		"\xef\xbf\xbd\xef\xbf\xbd\n\n", 2, 0, 0 },
	{ PAGE(BLOCK(LINE(WORD(0, 10,
		  "\xee\x80\x80"
		  "a")))),
		"\xee\x80\x80"
		"a\n\n",
		2, 1, 1 },
	{ PAGE(BLOCK(LINE(WORD(0, 10, "\xcd\xb8")))), "\xcd\xb8\n\n", 1, 0, 0 }, /* U+0378 */
	{ PAGE(BLOCK(LINE(WORD(0, 10, "\xff\xfe")))), "\n\n", 2, 0, 0 },
	{ PAGE(BLOCK(LINE(WORD(-5, 10, "a") WORD(90, 1000, "b")))), "a b\n\n", 2, 2, 2 },
	{ PAGE(BLOCK(LINE(WORD(1e5, 10, "a")))), "\n\n", 0, 0, 0 },
	{ PAGE(BLOCK(LINE(WORD(nan, 10, "a")))), "\n\n", 0, 0, 0 },
	{ PAGE(BLOCK(LINE("<word xMin=\"0\">a</word>\n"))), "\n\n", 0, 0, 0 },
	{ PAGE(BLOCK(LINE(WORD(0, 10, "&") WORD(15, 20, "&am")))), "& &am\n\n", 4, 4, 2 },
	{ WORD(0, 10, "outside"), "", 0, 0, 0 },
	{ "</page></page>\n</page>\n</page>\n", "", 0, 0, 0 },
	{ "<page>\n" WORD(0, 10, "x") "</page>\n", "", 0, 0, 0 },
	{ "<page nonsense>\n" WORD(0, 10, "x") "</page>\n", "x", 1, 1, 1 },
};

/* Made before the first test. */
static locale_t locale;

static void feed(struct textlayer *layer, struct str text, size_t step)
{
	for (size_t at = 0; at < text.len; at += step) {
		size_t left = text.len - at;
		textlayer_feed(layer, (struct str){ text.ptr + at, left < step ? left : step });
	}
	lines_end(&layer->lines);
}

START_TEST(test_case)
{
	static const size_t steps[] = { 1, 3, 17, 4096 };
	const char *expected = cases[_i].text;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct textlayer layer;
		ck_assert(textlayer_open(&layer, locale, 1, 1000));
		feed(&layer, str_of(cases[_i].xhtml), steps[i]);
		const struct textlayer_page *page = &layer.pages[0];
		ck_assert_str_eq(page->text.ptr == NULL ? "" : page->text.ptr, expected);
		ck_assert_uint_eq(page->points, cases[_i].points);
		ck_assert_uint_eq(page->sound, cases[_i].sound);
		ck_assert_uint_eq(page->letters, cases[_i].letters);
		ck_assert(!layer.overflow);
		textlayer_close(&layer);
	}
}
END_TEST

START_TEST(test_pages_beyond_the_inventory_are_ignored)
{
	struct textlayer layer;

	ck_assert(textlayer_open(&layer, locale, 2, 1000));
	for (int i = 0; i < 5; i++)
		feed(&layer, STR(PAGE(BLOCK(LINE(WORD(0, 10, "x"))))), 4096);
	ck_assert_uint_eq(layer.seen, 5);
	ck_assert_uint_eq(layer.pages[0].letters, 1);
	ck_assert_uint_eq(layer.pages[1].letters, 1);
	textlayer_close(&layer);
}
END_TEST

START_TEST(test_text_over_its_ceiling)
{
	struct textlayer layer;

	ck_assert(textlayer_open(&layer, locale, 2, 10));
	feed(&layer, STR(PAGE(BLOCK(LINE(WORD(0, 10, "12345678"))))), 4096);
	ck_assert(!layer.overflow);
	feed(&layer, STR(PAGE(BLOCK(LINE(WORD(0, 10, "1"))))), 4096);
	ck_assert(layer.overflow);
	textlayer_close(&layer);
}
END_TEST

/* One line of text at half height: rows of cells it touches, and two more on either side. */
START_TEST(test_share)
{
	struct textlayer layer;

	ck_assert(textlayer_open(&layer, locale, 1, 1000));
	feed(&layer,
		STR("<page width=\"320\" height=\"320\">\n"
		    "<line xMin=\"0\" yMin=\"161\" xMax=\"320\" yMax=\"169\">\n</page>\n"),
		4096);
	ck_assert_double_eq_tol(layer.pages[0].text_share, 5.0 / 32, 1e-9);
	textlayer_close(&layer);
	ck_assert(textlayer_open(&layer, locale, 1, 1000));
	feed(&layer,
		STR("<page width=\"320\" height=\"320\">\n"
		    "<line xMin=\"311\" yMin=\"0\" xMax=\"319\" yMax=\"5\">\n</page>\n"),
		4096);
	ck_assert_double_eq_tol(layer.pages[0].text_share, 9.0 / (32 * 32), 1e-9);
	textlayer_close(&layer);
}
END_TEST

int main(void)
{
	locale = textlayer_locale();
	Suite *suite = suite_create("ocr/textlayer");
	TCase *tcase = tcase_create("textlayer");

	tcase_add_loop_test(tcase, test_case, 0, sizeof cases / sizeof *cases);
	tcase_add_test(tcase, test_pages_beyond_the_inventory_are_ignored);
	tcase_add_test(tcase, test_text_over_its_ceiling);
	tcase_add_test(tcase, test_share);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	freelocale(locale);
	return failed == 0 ? 0 : 1;
}
