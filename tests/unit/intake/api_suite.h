/*
 * What the tests of the API share: a suite of cases, each run once or once a row of its table.
 */
#ifndef ESTEIRA_TESTS_UNIT_INTAKE_API_SUITE_H
#define ESTEIRA_TESTS_UNIT_INTAKE_API_SUITE_H

#include <check.h>
#include <stddef.h>

struct api_case {
	const TTest *test;
	size_t rows; /* 0 = the case has no table */
};

/* Runs cases up to one without a test; what main() returns. */
static inline int api_suite_main(const char *name, const struct api_case *cases)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60); /* some start a server */
	for (; cases->test != NULL; cases++)
		tcase_add_loop_test(tcase, cases->test, 0, cases->rows == 0 ? 1 : (int)cases->rows);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

#endif
