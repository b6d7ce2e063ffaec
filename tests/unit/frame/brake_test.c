#include "frame/brake.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char route_a[] = "a.thing.made.v1", route_b[] = "b.thing.made.v1";

enum { NOW = 1000000, PAUSE = BRAKE_PAUSE_MS, LONGEST = BRAKE_PAUSE_MAX_MS };

static struct tenant tenant_of(uint32_t number)
{
	struct tenant tenant = { { { 0 } } };

	memcpy(tenant.id.bytes, &number, sizeof number);
	return tenant;
}

START_TEST(every_state_and_event)
{
	static const struct {
		struct brake from;
		enum brake_event event;
		struct brake to;
	} rows[] = {
		/* closed: failures in a row count */
		{ { BRAKE_CLOSED, 0, 0, 0 }, BRAKE_GOOD, { BRAKE_CLOSED, 0, 0, 0 } },
		{ { BRAKE_CLOSED, 4, 0, 0 }, BRAKE_GOOD, { BRAKE_CLOSED, 0, 0, 0 } },
		{ { BRAKE_CLOSED, 0, 0, 0 }, BRAKE_BAD, { BRAKE_CLOSED, 1, 0, 0 } },
		{ { BRAKE_CLOSED, 3, 0, 0 }, BRAKE_BAD, { BRAKE_CLOSED, 4, 0, 0 } },
		{ { BRAKE_CLOSED, 4, 0, 0 }, BRAKE_BAD, { BRAKE_OPEN, 0, PAUSE, NOW + PAUSE } },
		{ { BRAKE_CLOSED, 0, 0, 0 }, BRAKE_AWAY, { BRAKE_OPEN, 0, PAUSE, NOW + PAUSE } },
		{ { BRAKE_CLOSED, 4, 0, 0 }, BRAKE_AWAY, { BRAKE_OPEN, 0, PAUSE, NOW + PAUSE } },
		{ { BRAKE_CLOSED, 2, 0, 0 }, BRAKE_PROBE, { BRAKE_CLOSED, 2, 0, 0 } },
		/* open: what was on its way changes nothing, unless it went well */
		{ { BRAKE_OPEN, 0, PAUSE, NOW + 1 }, BRAKE_GOOD, { BRAKE_CLOSED, 0, 0, 0 } },
		{ { BRAKE_OPEN, 0, PAUSE, NOW + 1 }, BRAKE_BAD, { BRAKE_OPEN, 0, PAUSE, NOW + 1 } },
		{ { BRAKE_OPEN, 0, PAUSE, NOW + 1 }, BRAKE_AWAY,
			{ BRAKE_OPEN, 0, PAUSE, NOW + 1 } },
		{ { BRAKE_OPEN, 0, PAUSE, NOW - 1 }, BRAKE_BAD, { BRAKE_OPEN, 0, PAUSE, NOW - 1 } },
		{ { BRAKE_OPEN, 0, PAUSE, NOW + 1 }, BRAKE_PROBE,
			{ BRAKE_OPEN, 0, PAUSE, NOW + 1 } },
		{ { BRAKE_OPEN, 0, PAUSE, NOW }, BRAKE_PROBE,
			{ BRAKE_PROBING, 0, PAUSE, NOW + PAUSE } },
		{ { BRAKE_OPEN, 0, LONGEST, NOW - 1 }, BRAKE_PROBE,
			{ BRAKE_PROBING, 0, LONGEST, NOW + PAUSE } },
		/* probing: a bad end doubles the pause */
		{ { BRAKE_PROBING, 0, PAUSE, NOW + 9 }, BRAKE_GOOD, { BRAKE_CLOSED, 0, 0, 0 } },
		{ { BRAKE_PROBING, 0, PAUSE, NOW + 9 }, BRAKE_BAD,
			{ BRAKE_OPEN, 0, 2 * PAUSE, NOW + 2 * PAUSE } },
		{ { BRAKE_PROBING, 0, PAUSE, NOW + 9 }, BRAKE_AWAY,
			{ BRAKE_OPEN, 0, 2 * PAUSE, NOW + 2 * PAUSE } },
		{ { BRAKE_PROBING, 0, 8 * PAUSE, NOW + 9 }, BRAKE_BAD,
			{ BRAKE_OPEN, 0, LONGEST, NOW + LONGEST } },
		{ { BRAKE_PROBING, 0, LONGEST, NOW + 9 }, BRAKE_BAD,
			{ BRAKE_OPEN, 0, LONGEST, NOW + LONGEST } },
		{ { BRAKE_PROBING, 0, PAUSE, NOW + 9 }, BRAKE_PROBE,
			{ BRAKE_PROBING, 0, PAUSE, NOW + 9 } },
		{ { BRAKE_PROBING, 0, 4 * PAUSE, NOW }, BRAKE_PROBE,
			{ BRAKE_PROBING, 0, 4 * PAUSE, NOW + PAUSE } },
		/* an end that tells nothing: the next one is the probe */
		{ { BRAKE_CLOSED, 3, 0, 0 }, BRAKE_NOTHING, { BRAKE_CLOSED, 3, 0, 0 } },
		{ { BRAKE_OPEN, 0, PAUSE, NOW + 1 }, BRAKE_NOTHING,
			{ BRAKE_OPEN, 0, PAUSE, NOW + 1 } },
		{ { BRAKE_PROBING, 0, 4 * PAUSE, NOW + 9 }, BRAKE_NOTHING,
			{ BRAKE_OPEN, 0, 4 * PAUSE, NOW } },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct brake got = brake_next(rows[i].from, rows[i].event, LONGEST, NOW);
		ck_assert_msg(got.state == rows[i].to.state &&
				      got.failures == rows[i].to.failures &&
				      got.pause_ms == rows[i].to.pause_ms &&
				      got.until_ms == rows[i].to.until_ms,
			"row %zu: state %d failures %d pause %lld until %lld", i, got.state,
			got.failures, (long long)got.pause_ms, (long long)got.until_ms);
	}
}
END_TEST

static void tell(struct brake_table *table, const char *route, uint32_t tenant,
	enum brake_event event, int64_t now_ms)
{
	const struct brake_pair pair = { .route = route, .tenant = tenant_of(tenant) };

	brake_tell(table, &pair, event, now_ms);
}

static bool asks(struct brake_table *table, const char *route, uint32_t tenant, int64_t now_ms,
	int64_t *ret_wait_ms)
{
	const struct brake_pair pair = { .route = route, .tenant = tenant_of(tenant) };

	return brake_allows(table, &pair, now_ms, ret_wait_ms);
}

static void lose(struct brake_table *table, const char *route, uint32_t tenant, int64_t now_ms)
{
	tell(table, route, tenant, BRAKE_AWAY, now_ms);
}

static void see(struct brake_table *table, const char *topic, int32_t partition,
	struct tenant tenant, int64_t now_ms)
{
	const struct brake_pair pair = { .route = route_a, .tenant = tenant };

	brake_see(table, topic, partition, &pair, now_ms);
}

static bool allows(struct brake_table *table, const char *route, uint32_t tenant, int64_t now_ms)
{
	int64_t wait_ms = 0;
	bool allowed = asks(table, route, tenant, now_ms, &wait_ms);

	ck_assert(allowed ? wait_ms == 0 : wait_ms > 0);
	return allowed;
}

/* One dead endpoint of a tenant is not all of them. */
START_TEST(targets_have_their_own)
{
	struct brake_table *table = brake_table_new();
	struct brake_pair dead = { route_a, tenant_of(1), tenant_of(100).id };
	struct brake_pair well = { route_a, tenant_of(1), tenant_of(101).id };
	int64_t wait_ms = 0;

	brake_tell(table, &dead, BRAKE_AWAY, NOW);
	ck_assert(!brake_allows(table, &dead, NOW, &wait_ms));
	ck_assert(brake_allows(table, &well, NOW, &wait_ms));
	ck_assert(allows(table, route_a, 1, NOW));
	brake_tell(table, &well, BRAKE_GOOD, NOW);
	ck_assert(!brake_allows(table, &dead, NOW, &wait_ms));
	brake_table_free(table);
}
END_TEST

START_TEST(one_pair_through_its_life)
{
	struct brake_table *table = brake_table_new();
	int64_t wait_ms = 0;

	for (int i = 0; i < BRAKE_FAILURES; i++) {
		ck_assert(allows(table, route_a, 1, NOW));
		tell(table, route_a, 1, BRAKE_BAD, NOW);
	}
	ck_assert_uint_eq(brake_count_open(table), 1);
	ck_assert(!asks(table, route_a, 1, NOW + 1, &wait_ms));
	ck_assert_int_eq(wait_ms, PAUSE - 1);
	ck_assert(allows(table, route_a, 2, NOW)); /* neighbours go on */
	ck_assert(allows(table, route_b, 1, NOW));
	ck_assert(allows(table, route_a, 1, NOW + PAUSE)); /* one probe */
	/* who comes meanwhile waits for its end, not for the next pause */
	ck_assert(!asks(table, route_a, 1, NOW + PAUSE, &wait_ms));
	ck_assert_int_eq(wait_ms, BRAKE_PROBE_WAIT_MS);
	ck_assert(!asks(table, route_a, 1, NOW + PAUSE + 10000, &wait_ms));
	ck_assert_int_eq(wait_ms, 20000);
	ck_assert(!asks(table, route_a, 1, NOW + 2 * PAUSE - 7, &wait_ms));
	ck_assert_int_eq(wait_ms, 7);
	tell(table, route_a, 1, BRAKE_BAD, NOW + PAUSE);
	ck_assert(!allows(table, route_a, 1, NOW + 3 * PAUSE - 1));
	ck_assert(allows(table, route_a, 1, NOW + 3 * PAUSE));
	ck_assert(allows(table, route_a, 1, NOW + 4 * PAUSE)); /* the first probe got lost */
	tell(table, route_a, 1, BRAKE_GOOD, NOW + 4 * PAUSE);
	ck_assert_uint_eq(brake_count_open(table), 0);
	ck_assert(allows(table, route_a, 1, NOW + 4 * PAUSE));
	brake_table_free(table);
}
END_TEST

/* A probe of an endpoint a minute, however long it was dead. */
START_TEST(the_pause_of_a_target_is_not_doubled)
{
	struct brake_table *table = brake_table_new();
	const struct brake_pair dead = { route_a, tenant_of(1), tenant_of(100).id };
	int64_t now_ms = NOW, wait_ms = 0;

	for (int i = 0; i < BRAKE_FAILURES; i++)
		brake_tell(table, &dead, BRAKE_BAD, now_ms);
	for (int probe = 0; probe < 10; probe++) {
		ck_assert(!brake_allows(table, &dead, now_ms + 1, &wait_ms));
		ck_assert_int_eq(wait_ms, PAUSE - 1);
		now_ms += PAUSE;
		ck_assert_msg(brake_allows(table, &dead, now_ms, &wait_ms), "probe %d", probe);
		ck_assert(!brake_allows(table, &dead, now_ms, &wait_ms)); /* one */
		brake_tell(table, &dead, probe % 2 == 0 ? BRAKE_BAD : BRAKE_AWAY, now_ms);
	}
	ck_assert(brake_allows(table, &dead, now_ms + PAUSE, &wait_ms));
	brake_tell(table, &dead, BRAKE_GOOD, now_ms + PAUSE);
	ck_assert(brake_allows(table, &dead, now_ms + PAUSE, &wait_ms));
	ck_assert_uint_eq(brake_count_open(table), 0);
	brake_table_free(table);
}
END_TEST

START_TEST(pairs_are_told_apart_by_text)
{
	struct brake_table *table = brake_table_new();
	char copy[sizeof route_a];

	memcpy(copy, route_a, sizeof route_a);
	lose(table, route_a, 1, NOW);
	ck_assert(!allows(table, copy, 1, NOW));
	brake_table_free(table);
}
END_TEST

/* The longest unused closed brake goes first; then the longest unused one. */
START_TEST(a_full_table_forgets_the_least)
{
	struct brake_table *table = brake_table_new();

	for (uint32_t i = 0; i < BRAKE_TABLE_MAX; i++) {
		if (i == 7 || i == 9) /* closed, with a failure to remember */
			for (int n = 1; n < BRAKE_FAILURES; n++)
				tell(table, route_a, i, BRAKE_BAD, NOW + i);
		else
			lose(table, route_a, i, NOW + i);
	}
	ck_assert_uint_eq(brake_count_open(table), BRAKE_TABLE_MAX - 2);
	lose(table, route_b, 1, NOW + BRAKE_TABLE_MAX);
	tell(table, route_a, 9, BRAKE_BAD, NOW + BRAKE_TABLE_MAX);
	ck_assert(!allows(table, route_a, 9, NOW + BRAKE_TABLE_MAX)); /* its failures were kept */
	ck_assert_uint_eq(brake_count_open(table), BRAKE_TABLE_MAX);
	tell(table, route_a, 7, BRAKE_BAD, NOW + BRAKE_TABLE_MAX + 1);
	ck_assert(allows(table, route_a, 7, NOW + BRAKE_TABLE_MAX + 1)); /* 7's were not */
	ck_assert(allows(table, route_a, 0, NOW + BRAKE_TABLE_MAX + 1)); /* the oldest made room */
	ck_assert_uint_eq(brake_count_open(table), BRAKE_TABLE_MAX - 1);
	for (uint32_t i = 1; i < BRAKE_TABLE_MAX; i++)
		ck_assert_msg(i == 7 || !allows(table, route_a, i, NOW + BRAKE_TABLE_MAX + 1),
			"tenant %u", i);
	brake_table_free(table);
}
END_TEST

/* seen pairs and braked ones of a partition -> does it stop? */
START_TEST(a_partition_stops_when_most_of_it_is_braked)
{
	static const struct {
		uint32_t seen, braked;
		bool stops;
	} rows[] = { { 0, 0, false }, { 1, 1, false }, { 2, 1, false }, { 2, 2, true },
		{ 3, 2, true }, { 4, 2, false }, { 4, 3, true }, { 20, 10, false },
		{ 20, 11, true } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct brake_table *table = brake_table_new();
		int64_t wait_ms = 0;
		for (uint32_t n = 0; n < rows[i].seen; n++)
			see(table, "t", 3, tenant_of(n), NOW);
		for (uint32_t n = 0; n < rows[i].braked; n++)
			lose(table, route_a, n, NOW - n);
		ck_assert_msg(
			brake_stops(table, "t", 3, NOW, &wait_ms) == rows[i].stops, "row %zu", i);
		ck_assert_int_eq(wait_ms, rows[i].stops ? PAUSE - rows[i].braked + 1 : 0);
		ck_assert(!brake_stops(table, "t", 4, NOW, &wait_ms));
		ck_assert(!brake_stops(table, "u", 3, NOW, &wait_ms));
		brake_table_free(table);
	}
}
END_TEST

START_TEST(a_stop_ends)
{
	struct brake_table *table = brake_table_new();
	int64_t wait_ms = 0;

	for (uint32_t n = 0; n < 2; n++) {
		lose(table, route_a, n, NOW);
		see(table, "t", 0, tenant_of(n), NOW + PAUSE - 1);
	}
	ck_assert(brake_stops(table, "t", 0, NOW + PAUSE - 1, &wait_ms));
	ck_assert_int_eq(wait_ms, 1);
	ck_assert(!brake_stops(table, "t", 0, NOW + PAUSE, &wait_ms)); /* probes may go */
	for (uint32_t n = 0; n < 2; n++) {
		ck_assert(allows(table, route_a, n, NOW + PAUSE));
		lose(table, route_a, n, NOW + PAUSE);
	}
	ck_assert(brake_stops(table, "t", 0, NOW + PAUSE, &wait_ms));
	/* braked for longer than what was seen counts: it goes on and looks anew */
	ck_assert(!brake_stops(table, "t", 0, NOW + 2 * PAUSE, &wait_ms));
	brake_table_free(table);
}
END_TEST

/* Any number of pairs and partitions costs no more memory; the sample still shows most of it. */
START_TEST(sightings_are_bounded)
{
	struct brake_table *table = brake_table_new();
	int64_t wait_ms = 0;

	for (uint32_t n = 0; n < BRAKE_TABLE_MAX; n++) {
		lose(table, route_a, n, NOW);
		see(table, "t", 0, tenant_of(n), NOW);
	}
	ck_assert(brake_stops(table, "t", 0, NOW, &wait_ms));
	for (int32_t p = 1; p < 3000; p++)
		see(table, "t", p, tenant_of(1), NOW + p);
	ck_assert(!brake_stops(table, "t", 0, NOW, &wait_ms)); /* it made room */
	brake_table_free(table);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("brake");
	TCase *tcase = tcase_create("brakes");

	tcase_add_test(tcase, every_state_and_event);
	tcase_add_test(tcase, targets_have_their_own);
	tcase_add_test(tcase, one_pair_through_its_life);
	tcase_add_test(tcase, the_pause_of_a_target_is_not_doubled);
	tcase_add_test(tcase, pairs_are_told_apart_by_text);
	tcase_add_test(tcase, a_full_table_forgets_the_least);
	tcase_add_test(tcase, a_partition_stops_when_most_of_it_is_braked);
	tcase_add_test(tcase, a_stop_ends);
	tcase_add_test(tcase, sightings_are_bounded);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
