/* What the tests of the schedule share: two partitions with all that comes from them. */
#ifndef ESTEIRA_TEST_SCHEDULE_BENCH_H
#define ESTEIRA_TEST_SCHEDULE_BENCH_H

#include "frame/schedule.h"

#include <check.h>
#include <stdio.h>

#include "base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct route txn = { .kind = ROUTE_TXN }, work = { .kind = ROUTE_WORK };

/* A schedule, and what was taken of it last. */
struct bench {
	struct schedule *schedule;
	struct partition *a, *b, *parked, *side; /* parked and side are of a */
	struct record *taken[SCHEDULE_TAKE_MAX];
	size_t count;
};

static inline void bench_open(struct bench *bench)
{
	*bench = (struct bench){ .schedule = schedule_new() };
	ck_assert_ptr_nonnull(bench->schedule);
	bench->a = schedule_assign(bench->schedule, SOURCE_LOG, "topic", 0, 7);
	bench->b = schedule_assign(bench->schedule, SOURCE_LOG, "topic", 1, 8);
	bench->parked = schedule_assign(bench->schedule, SOURCE_PARKED, "topic", 0, 7);
	bench->side = schedule_assign(bench->schedule, SOURCE_SIDE, "topic", 0, 7);
	ck_assert(bench->a != NULL && bench->b != NULL && bench->parked != NULL &&
		  bench->side != NULL);
}

/* tenant and ordering key are the lane. */
static inline struct record *bench_add(struct bench *bench, struct partition *partition,
	int64_t offset, const char *lane, const struct route *route)
{
	struct record *record = schedule_record(
		(struct str){ lane, 1 }, STR("value"), (struct str){ NULL, 0 }, str_of(lane));

	ck_assert_ptr_nonnull(record);
	record->partition = partition;
	record->offset = offset;
	record->route = route;
	schedule_add(bench->schedule, record);
	return record;
}

/* `count` records from offset on, each with a lane of its own. */
static inline void bench_flood(struct bench *bench, struct partition *partition, char tenant,
	int count, const struct route *route)
{
	for (int i = 0; i < count; i++) {
		char lane[32];
		snprintf(lane, sizeof lane, "%c|%lld", tenant, (long long)partition->next);
		bench_add(bench, partition, partition->next, lane, route);
	}
}

static inline size_t bench_take(struct bench *bench)
{
	bench->count = schedule_take(bench->schedule, bench->taken);
	return bench->count;
}

/* Records of this partition are known to take long from now on. */
static inline void bench_slow(struct bench *bench, struct partition *partition)
{
	struct record *record = bench_add(bench, partition, partition->next - 1, "z|slow", &txn);

	ck_assert_uint_eq(bench_take(bench), 1);
	record->cost_us = INT64_C(100) * 1000000;
	schedule_finish(bench->schedule, record, SCHEDULE_DONE, 0);
	bench->count = 0;
}

static inline char bench_tenant(const struct bench *bench, size_t index)
{
	return bench->taken[index]->key.ptr[0];
}

static inline size_t bench_count_of(const struct bench *bench, char tenant)
{
	size_t count = 0;

	for (size_t i = 0; i < bench->count; i++)
		count += bench_tenant(bench, i) == tenant;
	return count;
}

/* What is taken, as "a0 a3 b1": lane and offset. */
static inline void bench_expect_take(struct bench *bench, const char *expected)
{
	char text[4096] = "";
	size_t len = 0;

	bench_take(bench);
	for (size_t i = 0; i < bench->count; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s%lld",
			i == 0 ? "" : " ", (int)bench->taken[i]->lane_key.len,
			bench->taken[i]->lane_key.ptr, (long long)bench->taken[i]->offset);
	ck_assert_str_eq(text, expected);
}

static inline void bench_finish(struct bench *bench, size_t index, enum schedule_outcome outcome)
{
	schedule_finish(bench->schedule, bench->taken[index], outcome, 0);
}

static inline void bench_finish_all(struct bench *bench, enum schedule_outcome outcome)
{
	for (size_t i = 0; i < bench->count; i++)
		bench_finish(bench, i, outcome);
}

/* As if every handler had taken so long. */
static inline void bench_finish_after(struct bench *bench, int64_t cost_us)
{
	for (size_t i = 0; i < bench->count; i++) {
		bench->taken[i]->cost_us = cost_us;
		bench_finish(bench, i, SCHEDULE_DONE);
	}
}

static inline void bench_expect(struct bench *bench, size_t records, size_t running, size_t delayed)
{
	struct schedule_view view;

	schedule_look(bench->schedule, &view);
	ck_assert_uint_eq(view.records, records);
	ck_assert_uint_eq(view.running, running);
	ck_assert_uint_eq(view.delayed, delayed);
	ck_assert(records > 0 ||
		  (view.bytes == 0 && view.tenants == 0 && view.oldest_unhandled_ms == 0));
}

static inline int bench_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

#endif
