/* What an answer means, and what a schedule says. */
#include "decide.h"

#include <check.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct decide_schedule two = { { 5000, 60000 }, 2 };

/* 2026-11-21T08:00:00Z */
#define NOW INT64_C(1795248000000)

START_TEST(what_an_answer_means)
{
	const struct {
		int status, attempts;
		const char *retry_after;
		enum decide_outcome outcome;
		int64_t pause_ms;
	} rows[] = {
		{ 200, 0, NULL, DECIDE_DELIVERED, 0 },
		{ 204, 9, NULL, DECIDE_DELIVERED, 0 },
		{ 299, 0, NULL, DECIDE_DELIVERED, 0 },
		{ 199, 0, NULL, DECIDE_AGAIN, 5000 },
		{ 301, 0, NULL, DECIDE_AGAIN, 5000 },
		{ 302, 1, NULL, DECIDE_AGAIN, 60000 },
		{ 400, 2, NULL, DECIDE_FAILED, 0 },
		{ 404, 3, NULL, DECIDE_FAILED, 0 },
		{ 0, 0, NULL, DECIDE_AGAIN, 5000 },
		{ 0, 2, NULL, DECIDE_FAILED, 0 },
		{ 410, 0, NULL, DECIDE_GONE, 0 },
		{ 410, 2, NULL, DECIDE_GONE, 0 },
		/* Retry-After, of 429 and 503 alone, and never sooner than the schedule */
		{ 429, 0, "7", DECIDE_AGAIN, 7000 },
		{ 429, 0, "3", DECIDE_AGAIN, 5000 },
		{ 503, 1, "120", DECIDE_AGAIN, 120000 },
		{ 503, 0, "Sat, 21 Nov 2026 08:01:00 GMT", DECIDE_AGAIN, 60000 },
		{ 500, 0, "120", DECIDE_AGAIN, 5000 },
		{ 503, 2, "120", DECIDE_FAILED, 0 },
		{ 429, 0, "99999999999999999999", DECIDE_AGAIN, 86400000 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t pause_ms = 0;
		const struct decide_answer answer = { rows[i].status, str_of(rows[i].retry_after),
			NOW, rows[i].attempts };
		ck_assert_msg(decide_answer(&two, &answer, &pause_ms) == rows[i].outcome &&
				      pause_ms == rows[i].pause_ms,
			"row %zu: %lld ms", i, (long long)pause_ms);
	}
}
END_TEST

START_TEST(reads_retry_after)
{
	const struct {
		const char *text;
		int64_t ms;
	} rows[] = { { "0", 0 }, { " 2 ", 2000 }, { "86400", 86400000 }, { "86401", 86400000 },
		{ "18446744073709551616", 86400000 }, { "18446744073709551615", 86400000 },
		{ "99999999999999999999x", 0 }, { "Sat, 21 Nov 2026 08:00:01 GMT", 1000 },
		{ "Sat, 21 Nov 2026 07:00:00 GMT", 0 },
		{ "Tue, 21 Nov 2028 08:00:00 GMT", 86400000 },
		{ "Sat, 21 Nov 2026 08:00:01 BRT", 0 }, { "-1", 0 }, { "1.5", 0 }, { "", 0 },
		{ "soon", 0 }, { "Sat, 21 Nov 2026 08:00:01 GMTx", 0 } };

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(decide_retry_after_ms(str_of(rows[i].text), NOW) == rows[i].ms,
			"row %zu", i);
	ck_assert_int_eq(decide_retry_after_ms((struct str){ NULL, 0 }, NOW), 0);
}
END_TEST

START_TEST(reads_schedules)
{
	static const char *const bad[] = { "", ",", "5", "s", "5x", "0s", "5s,", "25h", "-5s",
		"1.5s", "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s", "5s;6s",
		"99999999999999999999s" };
	struct decide_schedule got;

	ck_assert(decide_read_schedule(STR("5s, 5m,30m,2h,5h,10h,250ms"), &got));
	const int64_t want[] = { 5000, 300000, 1800000, 7200000, 18000000, 36000000, 250 };
	ck_assert_uint_eq(got.count, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++)
		ck_assert_int_eq(got.pauses_ms[i], want[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!decide_read_schedule(str_of(bad[i]), &got), "%s", bad[i]);
	ck_assert_uint_eq(got.count, COUNT(want));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide");
	TCase *tcase = tcase_create("decide");

	tcase_add_test(tcase, what_an_answer_means);
	tcase_add_test(tcase, reads_retry_after);
	tcase_add_test(tcase, reads_schedules);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
