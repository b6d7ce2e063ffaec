/* Windows: when reading pauses, and whose records are moved out. */
#include "frame/schedule_window.h"

#include <stdlib.h>

#include "schedule_bench.h"

enum { WINDOW = 2000, KIB = 1024 };

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
	for (int kind = SOURCE_LOG; kind <= SOURCE_SIDE; kind++) {
		size_t full = kind == SOURCE_LOG ? WINDOW : 500;
		struct bench bench;
		bench_open(&bench);
		struct partition *const of_kind[] = { bench.a, bench.parked, bench.side };
		struct partition *partition = of_kind[kind];
		for (size_t i = 0; i < full; i++) { /* of many tenants: nobody is moved */
			ck_assert(!is_full(&bench, partition));
			bench_flood(&bench, partition, (char)('A' + i % 50), 1, &txn);
		}
		ck_assert(is_full(&bench, partition) && !has_room(&bench, partition));
		ck_assert(!is_full(&bench, bench.b) && has_room(&bench, bench.b));
		while (partition->count > full / 2) {
			ck_assert(!has_room(&bench, partition));
			bench_take(&bench);
			ck_assert(!bench.taken[0]->past.overflow);
			bench_finish_all(&bench, SCHEDULE_DONE);
			ck_assert(!is_full(&bench, partition));
		}
		ck_assert(has_room(&bench, partition));
		schedule_free(bench.schedule);
	}
}
END_TEST

static void add_bytes(struct bench *bench, struct partition *partition, char tenant, size_t len)
{
	char *value = calloc(1, len);
	struct record *record = schedule_record((struct str){ &tenant, 1 },
		(struct str){ value, len }, STR(""), (struct str){ &tenant, 1 });

	record->partition = partition;
	record->offset = partition->next;
	record->route = &txn;
	schedule_add(bench->schedule, record);
	free(value);
}

START_TEST(pauses_by_bytes)
{
	enum { STEP = 256 * KIB };
	struct bench bench;
	int all = 0;

	bench_open(&bench);
	for (int i = 0; i < 16; i++) {
		ck_assert(!is_full(&bench, bench.a) && is_full(&bench, bench.side) == (i >= 4));
		add_bytes(&bench, bench.a, 'a', STEP);
		if (i < 4)
			add_bytes(&bench, bench.side, 'a', STEP);
	}
	ck_assert(is_full(&bench, bench.a) && !has_room(&bench, bench.a));
	ck_assert(!is_full(&bench, bench.b) && has_room(&bench, bench.b));
	/* many partitions together pause everyone, also the empty one */
	for (; all < 100 && !is_full(&bench, bench.b); all++)
		add_bytes(&bench, schedule_assign(bench.schedule, SOURCE_LOG, "topic", 2 + all, 1),
			'a', STEP);
	ck_assert(all > 0 && all < 64);
	ck_assert(!has_room(&bench, bench.b) && is_full(&bench, bench.parked));
	schedule_revoke(bench.schedule);
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

/* One record that takes long does not let the log run away. */
START_TEST(pauses_by_span)
{
	struct bench bench;

	bench_open(&bench);
	bench_add(&bench, bench.a, 100, "a", &txn);
	bench_add(&bench, bench.parked, 100, "b", &txn);
	schedule_pass(bench.schedule, bench.a, 10098);
	ck_assert(!is_full(&bench, bench.a) && !has_room(&bench, bench.a));
	schedule_pass(bench.schedule, bench.a, 10099);
	schedule_pass(bench.schedule, bench.parked, 1000000);
	ck_assert(is_full(&bench, bench.a) && !is_full(&bench, bench.parked));
	bench_expect_take(&bench, "a100");
	bench_finish_all(&bench, SCHEDULE_DONE);
	ck_assert(has_room(&bench, bench.a));
	schedule_free(bench.schedule);
}
END_TEST

/* Takes until something is no overflow (which is left in bench->taken, unfinished); how many were
 * moved. */
static size_t move_all(struct bench *bench, char tenant)
{
	size_t moved = 0;

	for (;;) {
		bench_take(bench);
		for (size_t i = 0; i < bench->count; i++) {
			ck_assert(bench->taken[i]->past.overflow == bench->taken[0]->past.overflow);
			ck_assert(!bench->taken[i]->past.overflow ||
				  bench_tenant(bench, i) == tenant);
		}
		if (!bench->taken[0]->past.overflow)
			return moved;
		ck_assert_uint_le(bench->count, SCHEDULE_OVERFLOW_MAX);
		moved += bench->count;
		bench_finish_all(bench, SCHEDULE_DONE);
	}
}

/* How much of a full window the tenant h has, and what is moved of it. */
START_TEST(moves_who_fills_a_window)
{
	static const struct {
		int heavy, light; /* light: of ten tenants each */
		size_t moved;
	} rows[] = {
		{ WINDOW, 0, WINDOW - 499 },
		{ WINDOW - 10, 1, WINDOW - 509 },
		{ WINDOW / 2, 100, WINDOW / 2 - 499 },
		{ WINDOW / 2 - 10, 101, 0 },
		{ WINDOW - 20, 1, 0 }, /* not full */
		{ WINDOW + 500, 0, WINDOW + 1 },
	};

	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct bench bench;
		bench_open(&bench);
		bench_slow(&bench, bench.a);
		if (i % 2 == 0)
			bench_flood(&bench, bench.a, 'h', rows[i / 2].heavy, &txn);
		for (char t = 'a'; t < 'a' + 7; t++) /* h is no neighbour of its own */
			bench_flood(&bench, bench.a, t, rows[i / 2].light, &txn);
		for (char t = 'A'; t < 'A' + 3; t++)
			bench_flood(&bench, bench.a, t, rows[i / 2].light, &txn);
		if (i % 2 == 1)
			bench_flood(&bench, bench.a, 'h', rows[i / 2].heavy, &work);
		ck_assert_uint_eq(move_all(&bench, 'h'), rows[i / 2].moved);
		bench_finish_all(&bench, SCHEDULE_DONE);
		schedule_free(bench.schedule);
	}
}
END_TEST

START_TEST(moves_by_bytes)
{
	struct bench bench;

	bench_open(&bench);
	bench_slow(&bench, bench.a);
	for (int i = 0; i < 10; i++)
		add_bytes(&bench, bench.a, (char)('a' + i % 2), 128 * KIB);
	for (int i = 0; i < 22; i++)
		add_bytes(&bench, bench.a, 'h', 128 * KIB);
	ck_assert(is_full(&bench, bench.a));
	ck_assert_uint_eq(move_all(&bench, 'h'), 15); /* 7 are less than 1 MiB */
	bench_finish_all(&bench, SCHEDULE_DONE);
	schedule_free(bench.schedule);
}
END_TEST

/* All partitions together are too much: who has most of one of them goes. */
START_TEST(moves_when_all_is_full)
{
	struct bench bench;
	struct partition *partitions[8];

	bench_open(&bench);
	for (int i = 0; i < 8; i++) {
		partitions[i] = schedule_assign(bench.schedule, SOURCE_LOG, "topic", 2 + i, 1);
		bench_slow(&bench, partitions[i]);
	}
	for (int i = 0; i < 8; i++)
		for (int n = 0; n < 12 && !is_full(&bench, bench.b); n++)
			add_bytes(&bench, partitions[i], (char)('A' + i), 256 * KIB);
	ck_assert(is_full(&bench, bench.b));
	bench_take(&bench);
	ck_assert(bench.taken[0]->past.overflow && bench.count == 9);
	bench_finish_all(&bench, SCHEDULE_DONE);
	schedule_free(bench.schedule);
}
END_TEST

/* Parked rows and side replays stay: they are bounded by whoever loads them. */
START_TEST(moves_of_the_log_alone)
{
	struct bench bench;

	bench_open(&bench);
	bench_flood(&bench, bench.parked, 'h', 3000, &txn);
	bench_flood(&bench, bench.side, 'h', 3000, &txn);
	ck_assert_uint_eq(move_all(&bench, 'h'), 0);
	bench_finish_all(&bench, SCHEDULE_DONE);
	schedule_free(bench.schedule);
}
END_TEST

/* What is done sooner than it is moved there and back stays. */
START_TEST(moves_slow_work_alone)
{
	struct bench bench;

	bench_open(&bench);
	struct record *record = bench_add(&bench, bench.a, 0, "z|fast", &txn);
	bench_take(&bench);
	record->cost_us = 1;
	bench_finish_all(&bench, SCHEDULE_DONE);
	for (int round = 0; round < 100; round++) { /* the average forgets the first guess */
		record = bench_add(&bench, bench.a, bench.a->next, "z|fast", &txn);
		bench_take(&bench);
		record->cost_us = 1;
		bench_finish_all(&bench, SCHEDULE_DONE);
	}
	bench_flood(&bench, bench.a, 'h', 3000, &txn);
	ck_assert_uint_eq(move_all(&bench, 'h'), 0);
	bench_finish_all(&bench, SCHEDULE_DONE);
	schedule_free(bench.schedule);
}
END_TEST

/* Lanes are moved as they are worked: whole, in order, and not while somebody works on them. */
START_TEST(moves_in_the_order_of_lanes)
{
	enum { MISSING = WINDOW - 499, LANES = 8, IN_LANE = WINDOW / LANES };
	struct bench bench, moved, others[MISSING / SCHEDULE_OVERFLOW_MAX + 1];
	size_t seen = 0, count = 0;

	bench_open(&bench);
	bench_slow(&bench, bench.a);
	bench_add(&bench, bench.a, 0, "h|0", &work);
	bench_expect_take(&bench, "h|00");
	for (int64_t offset = 1; offset < WINDOW; offset++) {
		const char lane[] = { 'h', '|', (char)('0' + offset % LANES), '\0' };
		bench_add(&bench, bench.a, offset, lane, offset % 3 == 0 ? &work : &txn);
	}
	moved = bench;
	bench_take(&moved);
	ck_assert_uint_eq(moved.count, SCHEDULE_OVERFLOW_MAX);
	for (size_t i = 0; i < moved.count; i++) {
		const struct record *now = moved.taken[i];
		ck_assert(now->past.overflow && now->lane_key.ptr[2] != '0');
		const struct record *last = i == 0 ? NULL : moved.taken[i - 1];
		if (last != NULL && last->link.lane == now->link.lane)
			ck_assert_int_eq(now->offset, last->offset + LANES);
		else
			seen++;
	}
	ck_assert(seen >= SCHEDULE_OVERFLOW_MAX / IN_LANE &&
		  seen <= SCHEDULE_OVERFLOW_MAX / IN_LANE + 1);
	/* other workers move what is missing and no more; then nothing of these lanes is left */
	for (size_t all = moved.count; all < MISSING; all += others[count++].count) {
		others[count] = bench;
		bench_take(&others[count]);
		ck_assert(others[count].taken[0]->past.overflow);
		ck_assert_uint_eq(others[count].count, MISSING - all < SCHEDULE_OVERFLOW_MAX
							       ? MISSING - all
							       : SCHEDULE_OVERFLOW_MAX);
	}
	bench_finish_all(&moved, SCHEDULE_DONE);
	while (count > 0)
		bench_finish_all(&others[--count], SCHEDULE_DONE);
	bench_finish_all(&bench, SCHEDULE_DONE);
	ck_assert_uint_eq(bench.a->count, 498);
	ck_assert_uint_eq(move_all(&bench, 'h'), 0);
	bench_finish_all(&bench, SCHEDULE_DONE);
	schedule_free(bench.schedule);
}
END_TEST

/* One lane with everything: it moves when its running record is back. */
START_TEST(moves_a_single_lane)
{
	struct bench bench;

	bench_open(&bench);
	bench_slow(&bench, bench.a);
	bench_add(&bench, bench.a, 0, "h", &work);
	bench_expect_take(&bench, "h0");
	for (int64_t offset = 1; offset < WINDOW; offset++)
		bench_add(&bench, bench.a, offset, "h", &txn);
	bench_add(&bench, bench.a, WINDOW, "l", &txn);
	struct bench other = bench;
	bench_expect_take(&other, "l2000"); /* nothing can be moved now */
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_take(&bench);
	ck_assert(bench.taken[0]->past.overflow && bench.taken[0]->offset == 1);
	ck_assert_uint_eq(bench.count, SCHEDULE_OVERFLOW_MAX);
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_finish_all(&other, SCHEDULE_DONE);
	ck_assert_uint_eq(move_all(&bench, 'h'), WINDOW - 1 - 499 - SCHEDULE_OVERFLOW_MAX);
	bench_finish_all(&bench, SCHEDULE_DONE);
	schedule_free(bench.schedule);
}
END_TEST

/* Could not be moved: the mark is gone until they are taken for it again. */
START_TEST(a_failed_move_is_forgotten)
{
	struct bench bench;

	bench_open(&bench);
	bench_slow(&bench, bench.a);
	bench_flood(&bench, bench.a, 'h', WINDOW, &txn);
	bench_take(&bench);
	ck_assert(bench.taken[0]->past.overflow);
	for (size_t i = 0; i < bench.count; i++) {
		schedule_finish(bench.schedule, bench.taken[i], SCHEDULE_LATER, 1);
		ck_assert(!bench.taken[i]->past.overflow);
	}
	ck_assert_uint_eq(move_all(&bench, 'h'), WINDOW - 499);
	bench_finish_all(&bench, SCHEDULE_DONE);
	while (bench.a->count > 0) {
		bench_take(&bench);
		bench_finish_all(&bench, SCHEDULE_DONE);
	}
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

/* Other partitions get turns in between, this one none until it is through. */
START_TEST(moving_leaves_turns_to_others)
{
	struct bench bench;
	size_t others = 0;

	bench_open(&bench);
	bench_slow(&bench, bench.a);
	bench_flood(&bench, bench.b, 'o', 1000, &txn);
	for (int round = 0; round < 20; round++) {
		bench_flood(&bench, bench.a, 'h', WINDOW - (int)bench.a->count, &txn);
		bool over = true;
		while (over) {
			bench_take(&bench);
			bool moves = bench.taken[0]->past.overflow;
			ck_assert(moves || bench.taken[0]->partition == bench.b);
			others += bench.taken[0]->partition == bench.b;
			bench_finish_after(&bench, 5000);
			over = schedule_window_is_over(bench.a->last->link.share);
		}
	}
	ck_assert_uint_ge(others, 20);
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(revoking_ends_a_move)
{
	struct bench bench;

	bench_open(&bench);
	bench_flood(&bench, bench.a, 'h', WINDOW, &txn);
	bench_take(&bench);
	ck_assert(bench.taken[0]->past.overflow);
	schedule_revoke(bench.schedule);
	bench_expect(&bench, bench.count, bench.count, 0);
	struct partition *again = schedule_assign(bench.schedule, SOURCE_LOG, "topic", 0, 9);
	bench_add(&bench, again, 0, "x", &txn);
	struct bench other = bench;
	bench_expect_take(&other, "x0");
	ck_assert(!other.taken[0]->past.overflow);
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_finish_all(&other, SCHEDULE_DONE);
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule_window");
	TCase *tcase = tcase_create("schedule_window");

	tcase_add_test(tcase, pauses_by_count);
	tcase_add_test(tcase, pauses_by_bytes);
	tcase_add_test(tcase, pauses_by_span);
	tcase_add_test(tcase, moves_who_fills_a_window);
	tcase_add_test(tcase, moves_by_bytes);
	tcase_add_test(tcase, moves_when_all_is_full);
	tcase_add_test(tcase, moves_of_the_log_alone);
	tcase_add_test(tcase, moves_slow_work_alone);
	tcase_add_test(tcase, moves_in_the_order_of_lanes);
	tcase_add_test(tcase, moves_a_single_lane);
	tcase_add_test(tcase, a_failed_move_is_forgotten);
	tcase_add_test(tcase, moving_leaves_turns_to_others);
	tcase_add_test(tcase, revoking_ends_a_move);
	suite_add_tcase(suite, tcase);
	return bench_run(suite);
}
