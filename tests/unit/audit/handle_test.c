#include "handle.h"

#include <check.h>
#include <stdlib.h>

#include "events.h"

/* The table's CHECK would stop the process for it; pg is NULL, so that touching it is a crash. */
START_TEST(a_foreign_action_is_refused_before_the_database)
{
	struct scope scope = { 0 };
	const struct events_entry entry = { .action = "FORGED", .document_hash = "" };
	struct err e = handle_entry_recorded(&scope, &entry);

	ck_assert_int_eq(e.kind, ERR_REJECT);
	ck_assert_int_eq(e.code, ERR_CODE_BAD_RECORD);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit/handle");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, a_foreign_action_is_refused_before_the_database);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
