#include "port/s3_xml.h"

#include <check.h>

#include "http_rig.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(reads_xml)
{
	static const struct {
		const char *text, *inner; /* of element A; NULL: none */
	} rows[] = {
		{ "<A>x</A>", "x" },
		{ "<AA>y</AA><A>x</A>", "x" },
		{ "<A >x</A>", "x" },
		{ "<A b=\"c\">x</A>", "x" },
		{ "<A/>", "" },
		{ "<A />z", "" },
		{ "<A></A>", "" },
		{ "<A>x</AA></A>", "x</AA>" },
		{ "", NULL },
		{ "<", NULL },
		{ "<A", NULL },
		{ "<A>", NULL },
		{ "<A>x", NULL },
		{ "<A>x</A", NULL },
		{ "<a>x</a>", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str inner;
		bool found = s3_xml_find(str_of(rows[i].text), "A", &inner, NULL);

		ck_assert_msg(found == (rows[i].inner != NULL), "row %zu", i);
		if (found)
			ck_assert_msg(str_eq(inner, str_of(rows[i].inner)), "row %zu", i);
	}
}
END_TEST

START_TEST(reads_xml_text)
{
	static const struct {
		const char *raw, *text; /* NULL: refused */
	} rows[] = {
		{ "", "" },
		{ "a b", "a b" },
		{ "&amp;lt;", "&lt;" },
		{ "&#65;&#x41;&#X41;", NULL },
		{ "&#65;&#x41;", "AA" },
		{ "&#8364;&#x1F600;", "\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "&quot;&apos;", "\"'" },
		{ "&", NULL },
		{ "&amp", NULL },
		{ "&;", NULL },
		{ "&#;", NULL },
		{ "&#x;", NULL },
		{ "&#0;", NULL },
		{ "&#xD800;", NULL },
		{ "&#x110000;", NULL },
		{ "&#99999999999;", NULL },
		{ "&nbsp;", NULL },
	};
	struct arena *arena = arena_new(10000);

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *text = s3_xml_text(str_of(rows[i].raw), arena);

		ck_assert_msg((text != NULL) == (rows[i].text != NULL), "row %zu", i);
		if (text != NULL)
			ck_assert_str_eq(text, rows[i].text);
	}
	arena_free(arena);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { reads_xml, reads_xml_text };

	return http_rig_main("s3_xml", tests, COUNT(tests));
}
