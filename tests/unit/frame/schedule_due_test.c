#include "frame/schedule_due.h"

#include <stdlib.h>

#include "schedule_bench.h"

/* Added and removed in many orders, the first one is always the earliest. */
START_TEST(keeps_the_earliest_on_top)
{
	enum { LANES = 200 };
	struct lane *lanes = calloc(LANES, sizeof *lanes);
	bool in[LANES] = { false };
	struct due due = { 0 };
	uint32_t random = 1;

	for (int step = 0; step < 20000; step++) {
		random = random * 1664525 + 1013904223;
		uint32_t at = random >> 8 & 0xff;
		int64_t earliest = INT64_MAX;
		if (at >= LANES)
			continue;
		if (in[at]) {
			schedule_due_remove(&due, &lanes[at]);
		} else {
			lanes[at].due_ms = random >> 20;
			schedule_due_add(&due, &lanes[at]);
		}
		in[at] = !in[at];
		for (int i = 0; i < LANES; i++)
			if (in[i] && lanes[i].due_ms < earliest)
				earliest = lanes[i].due_ms;
		const struct lane *first = schedule_due_first(&due);
		ck_assert((first == NULL ? INT64_MAX : first->due_ms) == earliest);
	}
	schedule_due_done(&due);
	free(lanes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule_due");
	TCase *tcase = tcase_create("schedule_due");

	tcase_add_test(tcase, keeps_the_earliest_on_top);
	suite_add_tcase(suite, tcase);
	return bench_run(suite);
}
