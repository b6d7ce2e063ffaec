#include "tenant.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *slug;
	bool good;
} slugs[] = {
	{ "ab", true },
	{ "demo-a", true },
	{ "0-", true },
	{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg", true },
	{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg", false },
	{ "", false },
	{ "a", false },
	{ "-a", false },
	{ "Demo", false },
	{ "a b", false },
	{ "a_b", false },
	{ "a\n", false },
	{ "ção", false },
};

START_TEST(a_slug_is_what_the_table_takes)
{
	ck_assert_int_eq(tenant_is_slug(slugs[_i].slug), slugs[_i].good);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/tenant");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, a_slug_is_what_the_table_takes, 0, sizeof slugs / sizeof *slugs);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
