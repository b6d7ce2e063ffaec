#include "frame/admin.h"

#include <check.h>
#include <stdlib.h>

static const struct {
	struct admin_signs signs;
	bool alive;
} cases[] = {
	{ { true, 0, 2, 0, true, false }, true }, { { true, 60000, 2, 60000, true, false }, true },
	{ { true, 60001, 2, 0, true, false }, false },	/* the poll thread hangs */
	{ { false, 60001, 2, 0, true, false }, true },	/* there is none */
	{ { true, 60001, 2, 0, false, false }, false }, /* whatever else is away */
	{ { true, 0, 1, 60001, true, false }, false },	/* nobody takes what could run */
	{ { true, 0, 0, 600000, true, false }, true },	/* everybody is at work */
	{ { true, 0, 2, 600000, false, false }, true }, /* what is away is what it waits for */
	{ { false, 0, 1, 60001, true, false }, false },
	{ { true, 0, 0, 0, true, true }, false }, /* a handler hangs */
	{ { true, 0, 0, 0, false, true }, true }, /* or waits for what is away */
};

START_TEST(alive_unless_a_restart_could_heal)
{
	ck_assert_int_eq(admin_is_alive(&cases[_i].signs), cases[_i].alive);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame/admin");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(
		tests, alive_unless_a_restart_could_heal, 0, sizeof cases / sizeof *cases);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
