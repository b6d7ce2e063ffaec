#include "frame/schedule_lane.h"

#include <stdlib.h>
#include <string.h>

#include "frame/schedule_fair.h"
#include "schedule_bench.h"

/* A text of one letter per record, each a lane and a tenant, from offset on. */
static void add_all(struct bench *bench, struct partition *partition, int64_t offset,
	const char *lanes, const struct route *route)
{
	for (; *lanes != '\0'; lanes++, offset++) {
		const char lane[] = { *lanes, '\0' };
		bench_add(bench, partition, offset, lane, route);
	}
}

START_TEST(a_record_owns_its_parts)
{
	char key[] = "key", lane[] = "lane";
	struct record *record =
		schedule_record(str_of(key), (struct str){ NULL, 0 }, STR("h\0x"), str_of(lane));

	memset(key, 'x', 3);
	memset(lane, 'x', 4);
	ck_assert(str_eq(record->key, STR("key")));
	ck_assert_ptr_null(record->value.ptr); /* a tombstone is not an empty value */
	ck_assert(str_eq(record->headers, STR("h\0x")));
	ck_assert(str_eq(record->lane_key, STR("lane")));
	ck_assert_int_eq(record->state, RECORD_WAITING);
	free(record);
}
END_TEST

START_TEST(batches_lanes_in_order)
{
	struct bench bench;

	bench_open(&bench);
	add_all(&bench, bench.a, 0, "abacb", &txn);
	bench_expect_take(&bench, "a0 a2 b1 b4 c3");
	bench_expect(&bench, 5, 5, 0);
	add_all(&bench, bench.a, 5, "ad", &txn); /* lane a is in a worker's hands */
	struct bench other = bench;
	bench_expect_take(&other, "d6");
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_expect_take(&bench, "a5");
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_finish_all(&other, SCHEDULE_DONE);
	bench_expect(&bench, 0, 0, 0);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 7);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(a_batch_is_of_one_partition)
{
	struct bench bench;

	bench_open(&bench);
	add_all(&bench, bench.a, 0, "ab", &txn);
	add_all(&bench, bench.b, 0, "xa", &txn); /* a0 of b stands behind a0 of a in its lane */
	add_all(&bench, bench.a, 2, "c", &txn);
	bench_expect_take(&bench, "a0 b1 c2");
	struct bench other = bench;
	bench_expect_take(&other, "x0");
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_expect_take(&bench, "a1");
	ck_assert_ptr_eq(bench.taken[0]->partition, bench.b);
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_finish_all(&other, SCHEDULE_DONE);
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

/* Work, and what is to be dead-lettered, runs by itself and keeps its place in its lane. */
START_TEST(work_runs_alone)
{
	struct bench bench;

	bench_open(&bench);
	bench_add(&bench, bench.a, 0, "a", &txn);
	bench_add(&bench, bench.a, 1, "a", &work);
	bench_add(&bench, bench.a, 2, "a", &txn);
	bench_add(&bench, bench.a, 3, "b", &work);
	bench_add(&bench, bench.a, 4, "b", &work);
	bench_add(&bench, bench.a, 5, "c", NULL);
	bench_add(&bench, bench.a, 6, "c", &txn);
	static const char *const turns[] = { "a0", "b3", "c5", "a1", "b4", "c6 a2" };
	for (size_t i = 0; i < COUNT(turns); i++) {
		bench_expect_take(&bench, turns[i]);
		bench_finish_all(&bench, SCHEDULE_DONE);
	}
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(takes_at_most_a_batch)
{
	struct bench bench;
	size_t total = 0;

	bench_open(&bench);
	for (int64_t offset = 0; offset < 500; offset++)
		bench_add(&bench, bench.a, offset, offset % 2 == 0 ? "even" : "odd", &txn);
	while (total < 500) {
		bench.count = schedule_take(bench.schedule, bench.taken);
		ck_assert_uint_le(bench.count, SCHEDULE_BATCH_MAX);
		for (size_t i = 1; i < bench.count; i++)
			if (bench.taken[i]->link.lane == bench.taken[i - 1]->link.lane)
				ck_assert_int_gt(
					bench.taken[i]->offset, bench.taken[i - 1]->offset);
		total += bench.count;
		bench_finish_all(&bench, SCHEDULE_DONE);
	}
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 500);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(commits_up_to_the_first_unfinished)
{
	struct bench bench;

	bench_open(&bench);
	bench.a->next = 10; /* what the consumer sets at assignment */
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 10);
	add_all(&bench, bench.a, 10, "ab", &txn);
	add_all(&bench, bench.a, 15, "c", &txn); /* 12 to 14 are control records */
	bench_expect_take(&bench, "a10 b11 c15");
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 10);
	bench_finish(&bench, 2, SCHEDULE_DONE);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 10);
	bench_expect(&bench, 2, 2, 0);
	bench_finish(&bench, 0, SCHEDULE_DONE);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 11);
	bench_finish(&bench, 1, SCHEDULE_DONE);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 16);
	bench_expect(&bench, 0, 0, 0);
	schedule_pass(bench.schedule, bench.a, 20);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 21);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.b), 0);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(passing_does_not_overtake)
{
	struct bench bench;

	bench_open(&bench);
	add_all(&bench, bench.a, 3, "a", &txn);
	schedule_pass(bench.schedule, bench.a, 4);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 3);
	bench_expect_take(&bench, "a3");
	bench_finish_all(&bench, SCHEDULE_DONE);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 5);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(later_keeps_the_order_of_its_lane)
{
	struct bench bench;

	bench_open(&bench);
	add_all(&bench, bench.a, 0, "aabc", &txn);
	bench_expect_take(&bench, "a0 a1 b2 c3");
	bench_finish(&bench, 0, SCHEDULE_LATER);
	bench_finish(&bench, 1, SCHEDULE_LATER);
	bench_finish(&bench, 2, SCHEDULE_DONE);
	bench_finish(&bench, 3, SCHEDULE_DONE);
	bench_expect(&bench, 2, 0, 1);
	add_all(&bench, bench.a, 4, "a", &txn);
	bench_expect_take(&bench, "a0 a1 a4");
	bench_finish(&bench, 0, SCHEDULE_DONE); /* the first went, the second waits again */
	bench_finish(&bench, 1, SCHEDULE_LATER);
	bench_finish(&bench, 2, SCHEDULE_LATER);
	bench_expect_take(&bench, "a1 a4");
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 1);
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_expect(&bench, 0, 0, 0);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 5);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(a_waiting_lane_stops_no_other)
{
	struct bench bench;

	bench_open(&bench);
	add_all(&bench, bench.a, 0, "a", &txn);
	bench_expect_take(&bench, "a0");
	int64_t from_ms = clock_mono_ms();
	schedule_finish(bench.schedule, bench.taken[0], SCHEDULE_LATER, 60);
	add_all(&bench, bench.a, 1, "ab", &txn);
	bench_expect_take(&bench, "b2");
	bench_finish_all(&bench, SCHEDULE_DONE);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 0);
	bench_expect_take(&bench, "a0 a1"); /* waits for the due time by itself */
	ck_assert_int_ge(clock_mono_ms() - from_ms, 60);
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(revoking_drops_what_waits)
{
	struct bench bench;

	bench_open(&bench);
	add_all(&bench, bench.a, 0, "abc", &txn);
	bench_expect_take(&bench, "a0 b1 c2");
	bench_finish(&bench, 1, SCHEDULE_DONE); /* done behind a record that is not */
	bench_finish(&bench, 2, SCHEDULE_LATER);
	add_all(&bench, bench.a, 3, "ad", &txn);
	add_all(&bench, bench.b, 0, "x", &work);
	struct record *running = bench.taken[0];
	schedule_revoke(bench.schedule);
	bench_expect(&bench, 1, 1, 0); /* a0 stays until it comes back */
	ck_assert(running->partition->gone);
	ck_assert(str_eq(running->value, STR("value")));
	/* the next owner may be ourselves: its records of lane a wait for a0 */
	struct partition *again = schedule_assign(bench.schedule, SOURCE_LOG, "topic", 0, 9);
	add_all(&bench, again, 0, "ad", &txn);
	bench_expect_take(&bench, "d1");
	struct bench other = bench;
	schedule_finish(bench.schedule, running, SCHEDULE_DONE, 0);
	bench_expect_take(&bench, "a0");
	ck_assert_ptr_eq(bench.taken[0]->partition, again);
	ck_assert_int_eq(bench.taken[0]->partition->fence, 9);
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_finish_all(&other, SCHEDULE_DONE);
	bench_expect(&bench, 0, 0, 0);
	ck_assert_int_eq(schedule_watermark(bench.schedule, again), 2);
	schedule_free(bench.schedule);
}
END_TEST

/* Whatever becomes of a record whose partition has gone, it does not come again. */
START_TEST(what_comes_back_late_is_dropped)
{
	static const enum schedule_outcome outcomes[] = { SCHEDULE_DONE, SCHEDULE_LATER };

	for (size_t i = 0; i < COUNT(outcomes); i++) {
		struct bench bench;
		bench_open(&bench);
		add_all(&bench, bench.a, 0, "aab", &txn);
		bench_expect_take(&bench, "a0 a1 b2");
		schedule_revoke(bench.schedule);
		schedule_revoke(bench.schedule); /* nothing is left to revoke */
		bench_finish_all(&bench, outcomes[i]);
		bench_expect(&bench, 0, 0, 0);
		schedule_stop(bench.schedule);
		bench_expect_take(&bench, "");
		schedule_free(bench.schedule);
	}
}
END_TEST

START_TEST(looks)
{
	struct bench bench;
	struct schedule_view view;

	bench_open(&bench);
	schedule_look(bench.schedule, &view);
	ck_assert(view.oldest_runnable_ms == 0 && view.records == 0);
	add_all(&bench, bench.a, 0, "ab", &work);
	schedule_look(bench.schedule, &view);
	ck_assert_uint_eq(view.tenants, 2);
	ck_assert_int_lt(view.oldest_unhandled_ms, 60000);
	bench.a->first->link.lane->due_ms -= 61000; /* as if a minute had passed */
	bench.a->first->link.added_ms -= 62000;
	schedule_look(bench.schedule, &view);
	ck_assert_int_ge(view.oldest_runnable_ms, 61000);
	ck_assert_int_ge(view.oldest_unhandled_ms, 62000);
	bench_expect_take(&bench, "a0");
	schedule_look(bench.schedule, &view);
	ck_assert_int_ge(view.oldest_unhandled_ms, 62000); /* running is not handled */
	ck_assert(view.oldest_runnable_ms >= 0 && view.oldest_runnable_ms < 60000);
	ck_assert(view.records == 2 && view.running == 1 && view.bytes > 0);
	ck_assert(view.longest_work_ms < 60000 && view.longest_txn_ms == 0);
	bench.a->first->link.batch->from_us -= INT64_C(61000000);
	schedule_look(bench.schedule, &view);
	ck_assert(view.longest_work_ms >= 61000 && view.longest_txn_ms == 0);
	ck_assert(!schedule_is_stopped(bench.schedule));
	schedule_stop(bench.schedule);
	ck_assert(schedule_is_stopped(bench.schedule));
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_expect_take(&bench, ""); /* although b1 is runnable */
	schedule_free(bench.schedule);
	schedule_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule");
	TCase *tcase = tcase_create("schedule");

	tcase_add_test(tcase, a_record_owns_its_parts);
	tcase_add_test(tcase, batches_lanes_in_order);
	tcase_add_test(tcase, a_batch_is_of_one_partition);
	tcase_add_test(tcase, work_runs_alone);
	tcase_add_test(tcase, takes_at_most_a_batch);
	tcase_add_test(tcase, commits_up_to_the_first_unfinished);
	tcase_add_test(tcase, passing_does_not_overtake);
	tcase_add_test(tcase, later_keeps_the_order_of_its_lane);
	tcase_add_test(tcase, a_waiting_lane_stops_no_other);
	tcase_add_test(tcase, revoking_drops_what_waits);
	tcase_add_test(tcase, what_comes_back_late_is_dropped);
	tcase_add_test(tcase, looks);
	suite_add_tcase(suite, tcase);
	return bench_run(suite);
}
