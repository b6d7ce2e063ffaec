/* Tenants share the workers by the time their records take. */
#include "frame/schedule_fair.h"

#include <string.h>

#include "schedule_bench.h"

/* Takes and finishes, adding up what tenants a to d were given; ret_us has 4. */
static void run(struct bench *bench, const int64_t *cost_us, int64_t until_us, int64_t *ret_us)
{
	int64_t total_us = 0;

	memset(ret_us, 0, 4 * sizeof *ret_us);
	while (total_us < until_us) {
		bench_take(bench);
		for (size_t i = 0; i < bench->count; i++) {
			int tenant = bench_tenant(bench, i) - 'a';
			bench->taken[i]->cost_us = cost_us[tenant];
			ret_us[tenant] += cost_us[tenant];
			total_us += cost_us[tenant];
			bench_finish(bench, i, SCHEDULE_DONE);
		}
	}
}

START_TEST(a_light_tenant_is_in_the_next_batch)
{
	static const int64_t costs_us[] = { 5000, 100, 20000, 300000 };

	for (size_t i = 0; i < COUNT(costs_us); i++) {
		struct bench bench;
		bench_open(&bench);
		/* parked, a window that nobody is moved out of */
		bench_flood(&bench, bench.parked, 'h', 10000, &txn);
		for (int turn = 0; turn < 8; turn++) {
			bench_take(&bench);
			ck_assert_uint_gt(bench.count, 0);
			bench_add(&bench, bench.parked, bench.parked->next, "l", &txn);
			struct bench other = bench;
			bench_take(&other);
			ck_assert_uint_eq(bench_count_of(&other, 'l'), 1);
			bench_finish_after(&bench, costs_us[i]);
			bench_finish_after(&other, costs_us[i]);
		}
		schedule_free(bench.schedule);
	}
}
END_TEST

/* The same from another partition, and with records that run alone. */
START_TEST(a_light_tenant_is_next)
{
	static const struct route *const routes[] = { &txn, &work };

	for (size_t i = 0; i < 2 * COUNT(routes); i++) {
		struct bench bench;
		bench_open(&bench);
		bench_flood(&bench, bench.parked, 'h', 1000, routes[i / 2]);
		for (int turn = 0; turn < 8; turn++) {
			bench_take(&bench);
			ck_assert_uint_eq(bench_count_of(&bench, 'l'), 0);
			bench_finish_after(&bench, 5000);
			bench_add(&bench, bench.b, turn, "l", routes[i % 2]);
			bench_take(&bench);
			ck_assert(bench.count == 1 && bench_tenant(&bench, 0) == 'l');
			bench_finish_after(&bench, 5000);
		}
		schedule_free(bench.schedule);
	}
}
END_TEST

/* Who has much waiting gets equal times, whatever a record costs and wherever it is. */
START_TEST(tenants_get_equal_times)
{
	static const struct {
		int64_t cost_us[4];
		bool apart, alone;
	} rows[] = {
		{ { 5000, 5000, 5000, 5000 }, false, false },
		{ { 1000, 50000, 5000, 5000 }, false, false },
		{ { 1000, 500000, 2000, 200000 }, false, false },
		{ { 1000, 50000, 5000, 5000 }, true, false },
		{ { 1000, 500000, 2000, 200000 }, true, false },
		{ { 5000, 20000, 1000000, 3000000 }, false, true },
		{ { 5000, 20000, 1000000, 3000000 }, true, true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const int64_t *cost_us = rows[i].cost_us;
		int64_t slowest_us = 0, got_us[4];
		struct bench bench;
		for (int t = 0; t < 4; t++)
			slowest_us = cost_us[t] > slowest_us ? cost_us[t] : slowest_us;
		int64_t until_us = 40 * (slowest_us > 1000000 ? slowest_us : 1000000);
		bench_open(&bench);
		for (int t = 0; t < 4; t++)
			bench_flood(&bench, rows[i].apart && t % 2 == 0 ? bench.side : bench.parked,
				(char)('a' + t), (int)(until_us / 2 / cost_us[t]) + 200,
				rows[i].alone ? &work : &txn);
		run(&bench, cost_us, until_us, got_us);
		for (int t = 0; t < 4; t++) {
			ck_assert_int_gt(got_us[t], until_us / 4 * 9 / 10 - slowest_us);
			ck_assert_int_lt(got_us[t], until_us / 4 * 11 / 10 + slowest_us);
		}
		schedule_free(bench.schedule);
	}
}
END_TEST

/* Nobody else is there: the one who owes most gets everything. */
START_TEST(workers_are_never_idle)
{
	struct bench bench;
	size_t total = 0;

	bench_open(&bench);
	bench_flood(&bench, bench.parked, 'a', 300, &txn);
	bench_flood(&bench, bench.side, 'a', 30, &work);
	while (total < 330) {
		total += bench_take(&bench);
		bench_finish_after(&bench, 60000000);
	}
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

/* Batches: about 20 ms by what records took, at least one, at most SCHEDULE_BATCH_MAX. */
START_TEST(a_batch_takes_a_fiftieth_of_a_second)
{
	static const struct {
		int64_t cost_us;
		size_t least, most;
	} rows[] = {
		{ 1, SCHEDULE_BATCH_MAX, SCHEDULE_BATCH_MAX },
		{ 80, SCHEDULE_BATCH_MAX, SCHEDULE_BATCH_MAX },
		{ 200, 90, 110 },
		{ 1000, 18, 22 },
		{ 8000, 2, 3 },
		{ 19800, 1, 1 },
		{ 5000000, 1, 1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (int tenants = 1; tenants <= 3; tenants++) {
			struct bench bench;
			bench_open(&bench);
			for (int t = 0; t < tenants; t++)
				bench_flood(&bench, bench.parked, (char)('a' + t),
					10200 / tenants + 200, &txn);
			for (int turn = 0; turn < 30; turn++) {
				bench_take(&bench);
				ck_assert(turn > 0 || bench.count <= 20); /* nothing is known yet */
				bench_finish_after(&bench, rows[i].cost_us);
			}
			for (int turn = 0; turn < 20; turn++) {
				bench_take(&bench);
				ck_assert_uint_ge(bench.count, rows[i].least);
				ck_assert_uint_le(bench.count, rows[i].most);
				bench_finish_after(&bench, rows[i].cost_us);
			}
			schedule_free(bench.schedule);
		}
	}
}
END_TEST

/* A slow moment makes batches small, and it passes. */
START_TEST(batches_recover)
{
	struct bench bench;

	bench_open(&bench);
	bench_flood(&bench, bench.parked, 'a', 80000, &txn);
	for (int turn = 0; turn < 30; turn++) {
		bench_take(&bench);
		bench_finish_after(&bench, 20);
	}
	ck_assert_uint_eq(bench_take(&bench), SCHEDULE_BATCH_MAX);
	bench_finish_after(&bench, 2000000);
	ck_assert_uint_eq(bench_take(&bench), 1);
	for (int turn = 0; turn < 400; turn++) {
		bench_finish_after(&bench, 20);
		bench_take(&bench);
	}
	ck_assert_uint_eq(bench.count, SCHEDULE_BATCH_MAX);
	bench_finish_all(&bench, SCHEDULE_DONE);
	schedule_free(bench.schedule);
}
END_TEST

/* A failure says nothing of what handling costs. */
START_TEST(failures_teach_nothing)
{
	struct bench bench;

	bench_open(&bench);
	bench_flood(&bench, bench.parked, 'a', 500, &txn);
	for (int turn = 0; turn < 10; turn++) {
		bench_take(&bench);
		ck_assert_uint_eq(bench.count, 20);
		for (size_t i = 0; i < bench.count; i++)
			bench.taken[i]->cost_us = turn % 2 == 0 ? 1 : 5000000;
		bench_finish_all(&bench, SCHEDULE_LATER);
		ck_assert_int_eq(bench.taken[0]->cost_us, 0);
	}
	schedule_free(bench.schedule);
}
END_TEST

/* Everybody is in a batch that has room for all, with equal parts. */
START_TEST(a_batch_mixes_tenants)
{
	static const struct {
		int tenants;
		int lanes; /* of each; 0 = all records in one */
	} rows[] = { { 2, 100 }, { 4, 100 }, { 10, 100 }, { 20, 100 }, { 4, 0 }, { 20, 0 } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bench bench;
		bench_open(&bench);
		for (int t = 0; t < rows[i].tenants; t++) {
			const char lane[] = { (char)('a' + t), '\0' };
			bench_flood(&bench, bench.parked, lane[0], rows[i].lanes, &txn);
			for (int n = rows[i].lanes; n < 100; n++)
				bench_add(&bench, bench.parked, bench.parked->next, lane, &txn);
		}
		for (int turn = 0; turn < 10; turn++) {
			bench_take(&bench);
			ck_assert_uint_eq(bench.count, 20);
			for (int t = 0; t < rows[i].tenants; t++)
				ck_assert_uint_eq(bench_count_of(&bench, (char)('a' + t)),
					20 / (size_t)rows[i].tenants);
			for (size_t n = 1; n < bench.count; n++)
				ck_assert(bench.taken[n]->link.lane !=
						  bench.taken[n - 1]->link.lane ||
					  bench.taken[n]->offset > bench.taken[n - 1]->offset);
			bench_finish_after(&bench, 1000);
		}
		schedule_free(bench.schedule);
	}
}
END_TEST

/* More tenants than a batch has room for: the next batch goes on behind them. */
START_TEST(batches_go_round)
{
	struct bench bench;
	size_t got[60] = { 0 };

	bench_open(&bench);
	for (int round = 0; round < 30; round++)
		for (int t = 0; t < 60; t++) {
			char lane[] = { (char)('A' + t), '\0' };
			bench_add(&bench, bench.parked, round * 60 + t, lane, &txn);
		}
	for (int turn = 0; turn < 60; turn++) {
		bench_take(&bench);
		for (size_t i = 0; i < bench.count; i++)
			got[bench_tenant(&bench, i) - 'A']++;
		bench_finish_after(&bench, 1000);
		if (turn % 3 == 2)
			for (int t = 0; t < 60; t++)
				ck_assert_uint_le((size_t)turn / 3, got[t] + 1);
	}
	for (int t = 0; t < 60; t++)
		ck_assert(got[t] >= 18 && got[t] <= 22);
	schedule_free(bench.schedule);
}
END_TEST

/* Without word of its handler a record costs its part of the time. */
START_TEST(measures_by_itself)
{
	struct bench bench;
	int64_t from_us = clock_mono_us();

	bench_open(&bench);
	bench_flood(&bench, bench.parked, 'a', 4, &txn);
	bench_take(&bench);
	struct share *share = bench.taken[0]->link.share;
	int64_t before_us = share->cost_us;
	while (clock_mono_us() - from_us < 2000)
		;
	bench_finish(&bench, 0, SCHEDULE_DONE);
	bench_finish(&bench, 1, SCHEDULE_DONE);
	bench_finish(&bench, 2, SCHEDULE_DONE);
	ck_assert(share->cost_us != before_us && share->cost_us > 500 / 2);
	bench_finish(&bench, 3, SCHEDULE_DONE);
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule_fair");
	TCase *tcase = tcase_create("schedule_fair");

	tcase_add_test(tcase, a_light_tenant_is_in_the_next_batch);
	tcase_add_test(tcase, a_light_tenant_is_next);
	tcase_add_test(tcase, tenants_get_equal_times);
	tcase_add_test(tcase, workers_are_never_idle);
	tcase_add_test(tcase, a_batch_takes_a_fiftieth_of_a_second);
	tcase_add_test(tcase, batches_recover);
	tcase_add_test(tcase, failures_teach_nothing);
	tcase_add_test(tcase, a_batch_mixes_tenants);
	tcase_add_test(tcase, batches_go_round);
	tcase_add_test(tcase, measures_by_itself);
	suite_add_tcase(suite, tcase);
	return bench_run(suite);
}
