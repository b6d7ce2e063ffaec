#include "base/failpoint.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef ESTEIRA_FAILPOINTS
enum { KILLS = 1 };
#else
enum { KILLS = 0 };
#endif

static const struct {
	const char *armed;
	int reached;
	int dies;
} cases[] = {
	{ NULL, 5, 0 },
	{ "", 5, 0 },
	{ "here", 5, 0 },
	{ "here:", 5, 0 },
	{ "here:x", 5, 0 },
	{ "here:0", 5, 0 },
	{ "there:1", 5, 0 },
	{ "her:1", 5, 0 },
	{ "here:1", 1, KILLS },
	{ "here:3", 2, 0 },
	{ "here:3", 3, KILLS },
};

START_TEST(dies_at_the_nth_reach_of_its_name)
{
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (cases[_i].armed != NULL)
			setenv("ESTEIRA_FAILPOINT", cases[_i].armed, 1);
		for (int i = 0; i < cases[_i].reached; i++) {
			failpoint_reach("elsewhere");
			failpoint_reach("here");
		}
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, cases[_i].dies);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("failpoint");
	TCase *tcase = tcase_create("failpoint");

	tcase_add_loop_test(
		tcase, dies_at_the_nth_reach_of_its_name, 0, sizeof cases / sizeof *cases);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
