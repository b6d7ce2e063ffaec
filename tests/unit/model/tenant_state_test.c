#include "model/tenant_state.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(every_pair)
{
	static const bool wanted[TENANT_STATES][TENANT_STATES] = {
		/* to active, suspended, erasing, erased */
		{ false, true, true, false },  /* active */
		{ true, false, true, false },  /* suspended */
		{ false, false, false, true }, /* erasing */
		{ false, false, false, false } /* erased */
	};

	for (int from = 0; from < TENANT_STATES; from++)
		for (int to = 0; to < TENANT_STATES; to++)
			ck_assert_int_eq(tenant_state_may_become(
						 (enum tenant_state)from, (enum tenant_state)to),
				wanted[from][to]);
}
END_TEST

START_TEST(names_go_there_and_back)
{
	for (int i = 0; i < TENANT_STATES; i++) {
		enum tenant_state state = TENANT_STATES;
		ck_assert(tenant_state_parse(
			str_of(tenant_state_name((enum tenant_state)i)), &state));
		ck_assert_int_eq(state, i);
	}
}
END_TEST

START_TEST(other_names_are_none)
{
	static const char *const names[] = { "", "Active", "active ", "erase", "deleted" };
	enum tenant_state state = TENANT_ERASING;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ck_assert(!tenant_state_parse(str_of(names[i]), &state));
	ck_assert_int_eq(state, TENANT_ERASING);
}
END_TEST

/* The CHECK of the table: the same words, in the same order. */
START_TEST(the_table_has_the_same_names)
{
	char text[16384], wanted[128] = "CHECK (state IN (";
	FILE *file = fopen(TEST_SOURCE_DIR "/migrations/deploy/intake/tenants.sql", "r");

	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	for (int i = 0; i < TENANT_STATES; i++) {
		size_t len = strlen(wanted);
		snprintf(wanted + len, sizeof wanted - len, "%s'%s'", i == 0 ? "" : ", ",
			tenant_state_name((enum tenant_state)i));
	}
	snprintf(wanted + strlen(wanted), 3, "))");
	ck_assert_ptr_nonnull(strstr(text, wanted));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("model/tenant_state");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, every_pair);
	tcase_add_test(tests, names_go_there_and_back);
	tcase_add_test(tests, other_names_are_none);
	tcase_add_test(tests, the_table_has_the_same_names);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
