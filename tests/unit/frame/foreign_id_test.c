/* The expected ids were computed with Python's uuid.uuid5, as the header tells an outsider to. */
#include "frame/foreign_id.h"

#include <check.h>
#include <stdlib.h>

#define PARTNER_63   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
	const char *tenant, *partner, *source, *id, *expected;
} rows[] = {
	{ "018f4d3a-7b1c-7000-8000-0123456789ab", "acme", NULL, "order-42",
		"3166d672-5cc0-54f9-abf5-c0c569644a86" },
	{ "018F4D3A-7B1C-7000-8000-0123456789AB", "acme", "/partners/acme", "order-42",
		"3166d672-5cc0-54f9-abf5-c0c569644a86" },
	{ "018f4d3a-7b1c-7000-8000-0123456789ab", "acme", "urn:acme:erp:s\xc3\xa3o-paulo",
		"a\xc3\xa7\xc3\xa3o 7", "5c51d728-2daf-514d-8707-c438aa9cd1eb" },
	{ "018f4d3a-7b1c-7000-8000-0123456789ab", PARTNER_63, NULL, "x",
		"d7f69ee9-9c67-5f5c-a565-6501013a0478" },
};

START_TEST(is_what_an_outsider_computes)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tenant tenant;
		char text[ID_TEXT_BYTES];
		ck_assert(id_parse(str_of(rows[i].tenant), &tenant.id));
		id_format(foreign_id(tenant, rows[i].partner, rows[i].source, rows[i].id), text);
		ck_assert_str_eq(text, rows[i].expected);
	}
}
END_TEST

/* Another tenant, partner, source or id is another event; nothing moves from part to part. */
START_TEST(every_part_counts)
{
	static const char *const others[][3] = {
		{ "acme", "/a", "1" },
		{ "acme2", "/a", "1" },
		{ "acme", "/a1", "" },
		{ "acme", "/a", "1 " },
		{ "acme", "/A", "1" },
		{ "acme", NULL, "1" },
		{ "acme", "", "1" },
		{ "acme/a", "", "1" },
	};
	struct id ids[COUNT(others) + 1];
	struct tenant tenant = { { { 1 } } }, other = { { { 2 } } };

	for (size_t i = 0; i < COUNT(others); i++)
		ids[i] = foreign_id(tenant, others[i][0], others[i][1], others[i][2]);
	ids[COUNT(others)] = foreign_id(other, others[0][0], others[0][1], others[0][2]);
	for (size_t i = 0; i < COUNT(ids); i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_msg(!id_eq(ids[i], ids[k]), "%zu and %zu", i, k);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("foreign_id");
	TCase *tcase = tcase_create("foreign_id");

	tcase_add_test(tcase, is_what_an_outsider_computes);
	tcase_add_test(tcase, every_part_counts);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
