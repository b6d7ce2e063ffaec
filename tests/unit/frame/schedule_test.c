#include "frame/schedule.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct route txn = { .kind = ROUTE_TXN }, work = { .kind = ROUTE_WORK };

/* A schedule with one partition, and what was taken of it last. */
struct bench {
	struct schedule *schedule;
	struct partition *a, *b;
	struct record *taken[SCHEDULE_BATCH_MAX];
	size_t count;
};

static void bench_open(struct bench *bench)
{
	bench->schedule = schedule_new();
	ck_assert_ptr_nonnull(bench->schedule);
	bench->a = schedule_assign(bench->schedule, SOURCE_LOG, "topic", 0, 7);
	bench->b = schedule_assign(bench->schedule, SOURCE_LOG, "topic", 1, 8);
	ck_assert(bench->a != NULL && bench->b != NULL);
}

static void add(struct bench *bench, struct partition *partition, int64_t offset, const char *lane,
	const struct route *route)
{
	struct record *record =
		schedule_record(STR("key"), STR("value"), (struct str){ NULL, 0 }, str_of(lane));

	ck_assert_ptr_nonnull(record);
	record->partition = partition;
	record->offset = offset;
	record->route = route;
	schedule_add(bench->schedule, record);
}

/* A text of one letter per record, each a lane, from offset on. */
static void add_all(struct bench *bench, struct partition *partition, int64_t offset,
	const char *lanes, const struct route *route)
{
	for (; *lanes != '\0'; lanes++, offset++) {
		const char lane[] = { *lanes, '\0' };
		add(bench, partition, offset, lane, route);
	}
}

/* What is taken, as "a0 a3 b1": lane and offset. */
static void take(struct bench *bench, const char *expected)
{
	char text[4096] = "";
	size_t len = 0;

	bench->count = schedule_take(bench->schedule, bench->taken);
	for (size_t i = 0; i < bench->count; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s%lld",
			i == 0 ? "" : " ", (int)bench->taken[i]->lane_key.len,
			bench->taken[i]->lane_key.ptr, (long long)bench->taken[i]->offset);
	ck_assert_str_eq(text, expected);
}

static void finish(struct bench *bench, size_t index, enum schedule_outcome outcome)
{
	schedule_finish(bench->schedule, bench->taken[index], outcome, 0);
}

static void finish_all(struct bench *bench, enum schedule_outcome outcome)
{
	for (size_t i = 0; i < bench->count; i++)
		finish(bench, i, outcome);
}

static void expect(struct bench *bench, size_t records, size_t running, size_t delayed)
{
	struct schedule_view view;

	schedule_look(bench->schedule, &view);
	ck_assert_uint_eq(view.records, records);
	ck_assert_uint_eq(view.running, running);
	ck_assert_uint_eq(view.delayed, delayed);
	ck_assert(records > 0 || view.bytes == 0);
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
	take(&bench, "a0 a2 b1 b4 c3");
	expect(&bench, 5, 5, 0);
	add_all(&bench, bench.a, 5, "ad", &txn); /* lane a is in a worker's hands */
	struct bench other = bench;
	take(&other, "d6");
	finish_all(&bench, SCHEDULE_DONE);
	take(&bench, "a5");
	finish_all(&bench, SCHEDULE_DONE);
	finish_all(&other, SCHEDULE_DONE);
	expect(&bench, 0, 0, 0);
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
	take(&bench, "a0 b1 c2");
	struct bench other = bench;
	take(&other, "x0");
	finish_all(&bench, SCHEDULE_DONE);
	take(&bench, "a1");
	ck_assert_ptr_eq(bench.taken[0]->partition, bench.b);
	finish_all(&bench, SCHEDULE_DONE);
	finish_all(&other, SCHEDULE_DONE);
	expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

/* Work, and what is to be dead-lettered, runs by itself and keeps its place in its lane. */
START_TEST(work_runs_alone)
{
	struct bench bench;

	bench_open(&bench);
	add(&bench, bench.a, 0, "a", &txn);
	add(&bench, bench.a, 1, "a", &work);
	add(&bench, bench.a, 2, "a", &txn);
	add(&bench, bench.a, 3, "b", &work);
	add(&bench, bench.a, 4, "b", &work);
	add(&bench, bench.a, 5, "c", NULL);
	add(&bench, bench.a, 6, "c", &txn);
	static const char *const turns[] = { "a0", "b3", "c5", "a1", "b4", "c6 a2" };
	for (size_t i = 0; i < COUNT(turns); i++) {
		take(&bench, turns[i]);
		finish_all(&bench, SCHEDULE_DONE);
	}
	expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(takes_at_most_a_batch)
{
	struct bench bench;
	size_t total = 0;

	bench_open(&bench);
	for (int64_t offset = 0; offset < 500; offset++)
		add(&bench, bench.a, offset, offset % 2 == 0 ? "even" : "odd", &txn);
	while (total < 500) {
		bench.count = schedule_take(bench.schedule, bench.taken);
		ck_assert_uint_le(bench.count, SCHEDULE_BATCH_MAX);
		for (size_t i = 1; i < bench.count; i++)
			if (bench.taken[i]->lane == bench.taken[i - 1]->lane)
				ck_assert_int_gt(
					bench.taken[i]->offset, bench.taken[i - 1]->offset);
		total += bench.count;
		finish_all(&bench, SCHEDULE_DONE);
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
	take(&bench, "a10 b11 c15");
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 10);
	finish(&bench, 2, SCHEDULE_DONE);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 10);
	expect(&bench, 3, 2, 0); /* c15 waits for those before it */
	finish(&bench, 0, SCHEDULE_DONE);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 11);
	finish(&bench, 1, SCHEDULE_DONE);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 16);
	expect(&bench, 0, 0, 0);
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
	take(&bench, "a3");
	finish_all(&bench, SCHEDULE_DONE);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 5);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(later_keeps_the_order_of_its_lane)
{
	struct bench bench;

	bench_open(&bench);
	add_all(&bench, bench.a, 0, "aabc", &txn);
	take(&bench, "a0 a1 b2 c3");
	finish(&bench, 0, SCHEDULE_LATER);
	finish(&bench, 1, SCHEDULE_LATER);
	finish(&bench, 2, SCHEDULE_DONE);
	finish(&bench, 3, SCHEDULE_DONE);
	expect(&bench, 4, 0, 1);
	add_all(&bench, bench.a, 4, "a", &txn);
	take(&bench, "a0 a1 a4");
	finish(&bench, 0, SCHEDULE_DONE); /* the first went, the second waits again */
	finish(&bench, 1, SCHEDULE_LATER);
	finish(&bench, 2, SCHEDULE_LATER);
	take(&bench, "a1 a4");
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 1);
	finish_all(&bench, SCHEDULE_DONE);
	expect(&bench, 0, 0, 0);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 5);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(a_waiting_lane_stops_no_other)
{
	struct bench bench;

	bench_open(&bench);
	add_all(&bench, bench.a, 0, "a", &txn);
	take(&bench, "a0");
	int64_t from_ms = clock_mono_ms();
	schedule_finish(bench.schedule, bench.taken[0], SCHEDULE_LATER, 60);
	add_all(&bench, bench.a, 1, "ab", &txn);
	take(&bench, "b2");
	finish_all(&bench, SCHEDULE_DONE);
	ck_assert_int_eq(schedule_watermark(bench.schedule, bench.a), 0);
	take(&bench, "a0 a1"); /* waits for the due time by itself */
	ck_assert_int_ge(clock_mono_ms() - from_ms, 60);
	finish_all(&bench, SCHEDULE_DONE);
	expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(revoking_drops_what_waits)
{
	struct bench bench;

	bench_open(&bench);
	add_all(&bench, bench.a, 0, "abc", &txn);
	take(&bench, "a0 b1 c2");
	finish(&bench, 1, SCHEDULE_DONE); /* done behind a record that is not */
	finish(&bench, 2, SCHEDULE_LATER);
	add_all(&bench, bench.a, 3, "ad", &txn);
	add_all(&bench, bench.b, 0, "x", &work);
	struct record *running = bench.taken[0];
	schedule_revoke(bench.schedule);
	expect(&bench, 1, 1, 0); /* a0 stays until it comes back */
	ck_assert(running->partition->gone);
	ck_assert(str_eq(running->value, STR("value")));
	/* the next owner may be ourselves: its records of lane a wait for a0 */
	struct partition *again = schedule_assign(bench.schedule, SOURCE_LOG, "topic", 0, 9);
	add_all(&bench, again, 0, "ad", &txn);
	take(&bench, "d1");
	struct bench other = bench;
	schedule_finish(bench.schedule, running, SCHEDULE_DONE, 0);
	take(&bench, "a0");
	ck_assert_ptr_eq(bench.taken[0]->partition, again);
	ck_assert_int_eq(bench.taken[0]->partition->fence, 9);
	finish_all(&bench, SCHEDULE_DONE);
	finish_all(&other, SCHEDULE_DONE);
	expect(&bench, 0, 0, 0);
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
		take(&bench, "a0 a1 b2");
		schedule_revoke(bench.schedule);
		schedule_revoke(bench.schedule); /* nothing is left to revoke */
		finish_all(&bench, outcomes[i]);
		expect(&bench, 0, 0, 0);
		schedule_stop(bench.schedule);
		take(&bench, "");
		schedule_free(bench.schedule);
	}
}
END_TEST

static void add_bytes(struct bench *bench, struct partition *partition, int64_t offset, size_t len)
{
	char *value = calloc(1, len);
	struct record *record =
		schedule_record(STR("key"), (struct str){ value, len }, STR(""), STR("a"));

	record->partition = partition;
	record->offset = offset;
	record->route = &txn;
	schedule_add(bench->schedule, record);
	free(value);
}

static bool is_full(struct bench *bench, struct partition *partition)
{
	return schedule_is_full(bench->schedule, partition);
}

static bool has_room(struct bench *bench, struct partition *partition)
{
	return schedule_has_room(bench->schedule, partition);
}

/* Reading pauses when a partition is full and goes on at half of it, not at once. */
START_TEST(pauses_by_count)
{
	struct bench bench;
	int64_t full = 0, left;

	bench_open(&bench);
	for (; full < 100000 && !is_full(&bench, bench.a); full++)
		add(&bench, bench.a, full, "a", &txn);
	ck_assert(full > SCHEDULE_BATCH_MAX && full < 100000);
	ck_assert(!is_full(&bench, bench.b) && has_room(&bench, bench.b));
	for (left = full; !has_room(&bench, bench.a); left -= (int64_t)bench.count) {
		bench.count = schedule_take(bench.schedule, bench.taken);
		finish_all(&bench, SCHEDULE_DONE);
		ck_assert(!is_full(&bench, bench.a));
	}
	ck_assert(left <= full / 2 && left > full / 2 - SCHEDULE_BATCH_MAX);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(pauses_by_bytes)
{
	enum { STEP = 256 << 10, LIMIT = 64 };
	struct bench bench;
	int first = 0, all = 0;

	bench_open(&bench);
	for (; first < LIMIT && !is_full(&bench, bench.a); first++)
		add_bytes(&bench, bench.a, first, STEP);
	ck_assert(first > 1 && first < LIMIT);
	ck_assert(!has_room(&bench, bench.a));
	ck_assert(!is_full(&bench, bench.b) && has_room(&bench, bench.b));
	/* many partitions together pause everyone, also the empty one */
	for (all = first; all < 4 * LIMIT && !is_full(&bench, bench.b); all++)
		add_bytes(&bench, schedule_assign(bench.schedule, SOURCE_LOG, "topic", 2 + all, 1), 0, STEP);
	ck_assert(all > first && all < 4 * LIMIT);
	ck_assert(!has_room(&bench, bench.b));
	schedule_revoke(bench.schedule);
	expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
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
	take(&bench, "a0");
	schedule_look(bench.schedule, &view);
	ck_assert(view.oldest_runnable_ms >= 0 && view.oldest_runnable_ms < 60000);
	ck_assert(view.records == 2 && view.running == 1 && view.bytes > 0);
	ck_assert(!schedule_is_stopped(bench.schedule));
	schedule_stop(bench.schedule);
	ck_assert(schedule_is_stopped(bench.schedule));
	finish_all(&bench, SCHEDULE_DONE);
	take(&bench, ""); /* although b1 is runnable */
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
	tcase_add_test(tcase, pauses_by_count);
	tcase_add_test(tcase, pauses_by_bytes);
	tcase_add_test(tcase, looks);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
