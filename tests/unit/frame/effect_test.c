#include "frame/effect.h"

#include <check.h>
#include <stdlib.h>

enum { STATES = EFFECT_UNKNOWN + 1 };

static const enum effect_state states[STATES] = { EFFECT_INTENT, EFFECT_SENDING, EFFECT_CONFIRMED,
	EFFECT_FAILED, EFFECT_UNKNOWN };

START_TEST(every_pair_of_states)
{
	/* from: i s c f u */
	static const bool rows[STATES][STATES] = {
		/* intent    */ { 1, 1, 1, 1, 1 },
		/* sending   */ { 1, 1, 1, 1, 1 },
		/* confirmed */ { 0, 0, 1, 0, 0 },
		/* failed    */ { 0, 0, 0, 1, 0 },
		/* unknown   */ { 1, 1, 1, 1, 1 },
	};

	for (int from = 0; from < STATES; from++)
		for (int to = 0; to < STATES; to++)
			ck_assert_msg(effect_may(states[from], states[to]) == rows[from][to],
				"%s -> %s", effect_state_name(states[from]),
				effect_state_name(states[to]));
}
END_TEST

START_TEST(every_state_has_its_task)
{
	static const struct {
		enum effect_state state;
		bool repeatable;
		enum effect_task task;
	} rows[] = {
		{ EFFECT_INTENT, false, EFFECT_CALL },
		{ EFFECT_INTENT, true, EFFECT_CALL },
		{ EFFECT_SENDING, false, EFFECT_ASK },
		{ EFFECT_SENDING, true, EFFECT_CALL },
		{ EFFECT_CONFIRMED, false, EFFECT_OVER },
		{ EFFECT_CONFIRMED, true, EFFECT_OVER },
		{ EFFECT_FAILED, false, EFFECT_OVER },
		{ EFFECT_FAILED, true, EFFECT_OVER },
		{ EFFECT_UNKNOWN, false, EFFECT_ASK },
		{ EFFECT_UNKNOWN, true, EFFECT_CALL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		ck_assert_int_eq(effect_next(rows[i].state, rows[i].repeatable), rows[i].task);
}
END_TEST

/* What effect_begin makes of a row is a move the table allows. */
START_TEST(tasks_lead_to_allowed_states)
{
	for (int i = 0; i < STATES; i++) {
		for (int repeatable = 0; repeatable < 2; repeatable++) {
			enum effect_task task = effect_next(states[i], repeatable != 0);
			ck_assert(task != EFFECT_CALL || effect_may(states[i], EFFECT_SENDING));
			ck_assert(task != EFFECT_ASK || effect_may(states[i], EFFECT_UNKNOWN));
		}
	}
}
END_TEST

START_TEST(names_are_those_of_the_table)
{
	static const char *const names[] = { "intent", "sending", "confirmed", "failed",
		"unknown" };

	for (int i = 0; i < STATES; i++)
		ck_assert_str_eq(effect_state_name(states[i]), names[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("effect");
	TCase *tcase = tcase_create("states");

	tcase_add_test(tcase, every_pair_of_states);
	tcase_add_test(tcase, every_state_has_its_task);
	tcase_add_test(tcase, tasks_lead_to_allowed_states);
	tcase_add_test(tcase, names_are_those_of_the_table);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
