#include "api/pressure.h"

#include <check.h>

#include "api_suite.h"

static const struct {
	struct api_store_load load;
	int64_t deadline_s, pending_max;
	unsigned retry_after_s;
} rows[] = {
	/* nothing to do */
	{ { 0, 0, 0 }, 600, 0, 0 },
	{ { 0, 0, 500 }, 600, 0, 0 },
	/* start-up: nothing has ended yet, so only the age counts */
	{ { 1, 1, 0 }, 600, 0, 0 },
	{ { 20, 400, 0 }, 600, 0, 0 },
	{ { 299, 1, 0 }, 600, 0, 0 },
	{ { 301, 1, 0 }, 600, 0, 300 },
	{ { 31, 1, 0 }, 60, 0, 31 },
	/* a burst after a quiet time: one of twenty ended within 2 s */
	{ { 2, 19, 1 }, 600, 0, 0 },
	{ { 0.1, 200, 1 }, 600, 0, 0 },
	{ { 0.1, 400, 1 }, 600, 0, 300 },
	/* a backlog of a minute or more: pending over the rate of the last minute */
	{ { 60, 239, 60 }, 600, 0, 0 },
	{ { 60, 241, 60 }, 600, 0, 300 },
	{ { 100, 900, 60 }, 600, 0, 300 },
	{ { 100, 190, 60 }, 600, 0, 0 },
	{ { 100, 900, 60 }, 86400, 0, 0 },
	{ { 120, 30, 60 }, 200, 0, 150 },
	/* the number of pending jobs alone */
	{ { 1, 999, 6000 }, 600, 1000, 0 },
	{ { 1, 1000, 6000 }, 600, 1000, 3 },
	{ { 1, 1000, 6000 }, 600, 0, 0 },
};

START_TEST(test_row)
{
	ck_assert_uint_eq(
		pressure_decide(&rows[_i].load, rows[_i].deadline_s, rows[_i].pending_max),
		rows[_i].retry_after_s);
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_row, sizeof rows / sizeof *rows },
		{ NULL, 0 },
	};

	return api_suite_main("api/pressure", cases);
}
