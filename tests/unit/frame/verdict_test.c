#include "frame/verdict.h"

#include <check.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct route plain = { .attempts = 0 }, patient = { .attempts = 5, .delay_ms = 100 };

#define RETRY(code)  err_retry(ERR_CODE_##code, "m")
#define REJECT(code) err_reject(ERR_CODE_##code, "m")
#define FATAL(code)  err_fatal(ERR_CODE_##code, "m")

/* {failure, what it is about} -> what becomes of it; random 0, so delays are exact. */
START_TEST(what_becomes_of_a_failure)
{
	const struct {
		struct verdict_input in;
		enum verdict_what what;
		int64_t delay_ms;
		enum err_code why;
	} cases[] = {
		/* an answer about the record: first in place, blocking its key alone */
		{ { RETRY(TIMEOUT), &plain, 0, 1, 0, 0, 0 }, VERDICT_HERE, 50, ERR_CODE_TIMEOUT },
		{ { RETRY(TIMEOUT), &plain, 0, 2, 120, 0, 0 }, VERDICT_HERE, 100,
			ERR_CODE_TIMEOUT },
		{ { RETRY(TRY_AGAIN), NULL, 0, 9, 1999, 0, 0 }, VERDICT_HERE, 500,
			ERR_CODE_TRY_AGAIN },
		/* then parked: 2 s, 4 s, and the third answer is the last */
		{ { RETRY(TIMEOUT), &plain, 0, 5, 2000, 0, 0 }, VERDICT_PARK, 2000,
			ERR_CODE_TIMEOUT },
		{ { RETRY(TIMEOUT), &plain, 1, 5, 2000, 0, 0 }, VERDICT_PARK, 4000,
			ERR_CODE_TIMEOUT },
		{ { RETRY(TIMEOUT), &plain, 2, 5, 2000, 0, 0 }, VERDICT_BURY, 0,
			ERR_CODE_ATTEMPTS_EXHAUSTED },
		{ { RETRY(TIMEOUT), NULL, 2, 5, 2000, 0, 0 }, VERDICT_BURY, 0,
			ERR_CODE_ATTEMPTS_EXHAUSTED },
		/* what the route says instead */
		{ { RETRY(TIMEOUT), &patient, 2, 5, 2000, 0, 0 }, VERDICT_PARK, 400,
			ERR_CODE_TIMEOUT },
		{ { RETRY(TIMEOUT), &patient, 4, 5, 2000, 0, 0 }, VERDICT_BURY, 0,
			ERR_CODE_ATTEMPTS_EXHAUSTED },
		/* what the step asked for: an answer at once, and a pause of its own */
		{ { RETRY(TIMEOUT), &plain, 0, 1, 0, 0, 0, 7000 }, VERDICT_PARK, 7000,
			ERR_CODE_TIMEOUT },
		{ { RETRY(TIMEOUT), &plain, 2, 1, 0, 0, 0, 7000 }, VERDICT_BURY, 0,
			ERR_CODE_ATTEMPTS_EXHAUSTED },
		/* a reason that is no trouble of the moment stays the reason */
		{ { RETRY(EFFECT_UNKNOWN), &plain, 2, 5, 2000, 0, 0 }, VERDICT_BURY, 0,
			ERR_CODE_EFFECT_UNKNOWN },
		/* never */
		{ { REJECT(BAD_RECORD), &plain, 0, 1, 0, 0, 0 }, VERDICT_BURY, 0,
			ERR_CODE_BAD_RECORD },
		/* our own servers: no attempt, however often */
		{ { RETRY(POSTGRES_AWAY), &plain, 2, 1, 99999, 1, 0 }, VERDICT_WAIT, 100,
			ERR_CODE_POSTGRES_AWAY },
		{ { RETRY(KAFKA_AWAY), &plain, 2, 1, 99999, 3, 0 }, VERDICT_WAIT, 400,
			ERR_CODE_KAFKA_AWAY },
		{ { RETRY(STORAGE_AWAY), &plain, 2, 1, 99999, 99, 0 }, VERDICT_WAIT, 5000,
			ERR_CODE_STORAGE_AWAY },
		/* somebody else's */
		{ { RETRY(PROVIDER_AWAY), &plain, 2, 1, 99999, 0, 0 }, VERDICT_BRAKE, 0,
			ERR_CODE_PROVIDER_AWAY },
		/* another owner, and the end */
		{ { RETRY(BAD_TRANSITION), &plain, 0, 1, 0, 0, 0 }, VERDICT_FORGET,
			VERDICT_WAIT_MAX_MS, ERR_CODE_BAD_TRANSITION },
		{ { FATAL(INTERNAL), &plain, 0, 1, 0, 0, 0 }, VERDICT_DIE, 0, ERR_CODE_INTERNAL },
		{ { FATAL(POSTGRES_AWAY), &plain, 0, 1, 0, 0, 0 }, VERDICT_DIE, 0,
			ERR_CODE_POSTGRES_AWAY },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct verdict verdict = verdict_of(&cases[i].in);
		ck_assert_msg(verdict.what == cases[i].what && verdict.why.code == cases[i].why &&
				      verdict.delay_ms == cases[i].delay_ms,
			"case %zu: %d after %lld ms, %s", i, (int)verdict.what,
			(long long)verdict.delay_ms, err_code_name(verdict.why.code));
	}
}
END_TEST

/* Jitter only ever adds to a parked delay, by a fifth; in place it halves at most. */
START_TEST(jitter_stays_in_bounds)
{
	for (uint32_t random = 0; random < 5000; random += 7) {
		const struct verdict_input parked = { RETRY(TIMEOUT), &plain, 1, 5, 2000, 0,
			random };
		const struct verdict_input here = { RETRY(TIMEOUT), &plain, 0, 3, 10, 0, random };
		struct verdict verdict = verdict_of(&parked);
		ck_assert_int_ge(verdict.delay_ms, 4000);
		ck_assert_int_le(verdict.delay_ms, 4800);
		verdict = verdict_of(&here);
		ck_assert_int_ge(verdict.delay_ms, 200);
		ck_assert_int_le(verdict.delay_ms, 400);
	}
}
END_TEST

/* However many attempts a route has: an hour at most. */
START_TEST(delays_have_a_ceiling)
{
	const struct route stubborn = { .attempts = 1000, .delay_ms = 60000 };
	const struct verdict_input in = { RETRY(TIMEOUT), &stubborn, 500, 5, 2000, 0, 0 };

	ck_assert_int_le(verdict_of(&in).delay_ms, VERDICT_DELAY_MAX_MS * 6 / 5);
	ck_assert_int_ge(verdict_of(&in).delay_ms, VERDICT_DELAY_MAX_MS / 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verdict");
	TCase *tc = tcase_create("table");

	tcase_add_test(tc, what_becomes_of_a_failure);
	tcase_add_test(tc, jitter_stays_in_bounds);
	tcase_add_test(tc, delays_have_a_ceiling);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
