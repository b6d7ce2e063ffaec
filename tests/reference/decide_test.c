#include "decide.h"

#include <check.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(every_fault)
{
	static const struct {
		const char *behave;
		enum decide_fault_kind kind;
		int64_t number;
	} rows[] = {
		{ NULL, DECIDE_OK, 0 },
		{ "ok", DECIDE_OK, 0 },
		{ "retry:3", DECIDE_RETRY, 3 },
		{ "retry:0", DECIDE_RETRY, 0 },
		{ "ill:6000", DECIDE_ILL, 6000 },
		{ "reject", DECIDE_REJECT, 0 },
		{ "crash", DECIDE_CRASH, 0 },
		{ "crash-after", DECIDE_CRASH_AFTER, 0 },
		{ "loop", DECIDE_LOOP, 0 },
		{ "slow:250", DECIDE_SLOW, 250 },
		{ "away", DECIDE_AWAY, 0 },
		{ "", DECIDE_UNREADABLE, 0 },
		{ "OK", DECIDE_UNREADABLE, 0 },
		{ "ok:1", DECIDE_UNREADABLE, 0 },
		{ "retry", DECIDE_UNREADABLE, 0 },
		{ "ill", DECIDE_UNREADABLE, 0 },
		{ "retry:", DECIDE_UNREADABLE, 0 },
		{ "retry:-1", DECIDE_UNREADABLE, 0 },
		{ "slow:600001", DECIDE_UNREADABLE, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct decide_fault fault = decide_fault(rows[i].behave);
		ck_assert_msg(fault.kind == rows[i].kind && fault.number == rows[i].number,
			"row %zu: %d %lld", i, fault.kind, (long long)fault.number);
	}
}
END_TEST

START_TEST(every_answer)
{
	static const struct {
		int status;
		enum effect_state state;
	} rows[] = { { 200, EFFECT_CONFIRMED }, { 201, EFFECT_CONFIRMED },
		{ 299, EFFECT_CONFIRMED }, { 100, EFFECT_UNKNOWN }, { 302, EFFECT_UNKNOWN },
		{ 400, EFFECT_FAILED }, { 402, EFFECT_FAILED }, { 428, EFFECT_FAILED },
		{ 429, EFFECT_INTENT }, { 430, EFFECT_FAILED }, { 499, EFFECT_FAILED },
		{ 500, EFFECT_UNKNOWN }, { 503, EFFECT_UNKNOWN }, { 0, EFFECT_UNKNOWN } };

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(decide_after_call(rows[i].status) == rows[i].state, "row %zu", i);
}
END_TEST

START_TEST(every_answer_to_a_question)
{
	static const struct {
		int status;
		const char *said;
		enum effect_state state;
	} rows[] = { { 200, "confirmed", EFFECT_CONFIRMED }, { 200, "failed", EFFECT_FAILED },
		{ 200, "pending", EFFECT_UNKNOWN }, { 200, NULL, EFFECT_UNKNOWN },
		{ 404, NULL, EFFECT_INTENT }, { 404, "confirmed", EFFECT_INTENT },
		{ 201, "confirmed", EFFECT_UNKNOWN }, { 429, NULL, EFFECT_UNKNOWN },
		{ 500, "confirmed", EFFECT_UNKNOWN }, { 0, NULL, EFFECT_UNKNOWN } };

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(decide_after_question(rows[i].status, rows[i].said) == rows[i].state,
			"row %zu", i);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reference");
	TCase *tcase = tcase_create("decide");

	tcase_add_test(tcase, every_fault);
	tcase_add_test(tcase, every_answer);
	tcase_add_test(tcase, every_answer_to_a_question);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
