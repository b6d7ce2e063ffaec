#include "frame/redrive.h"

#include <stdio.h>

#include "native.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define A	     "'00000000-0000-7000-8000-00000000000a'"
#define B	     "'00000000-0000-7000-8000-00000000000b'"

enum { TEXT_MAX = 2048, ARENA_BYTES = 1 << 20 };

/* A letter of 2 minutes' age that the class's rule would send back; what differs comes in the case.
 */
static void add_letter(const char *group, int offset, const char *class, const char *change)
{
	char sql[TEXT_MAX];

	snprintf(sql, sizeof sql,
		"INSERT INTO dead_letter (id, grp, topic, part, off, event_id, tenant_id, "
		"ordering_key, error_class, handler_version, updated_at) "
		"VALUES (gen_random_uuid(), '%s', 't', 0, %d, gen_random_uuid(), " A
		", 'k', '%s', '1.9.0', now() - interval '2 minutes');"
		"UPDATE dead_letter SET %s WHERE grp = '%s' AND off = %d",
		group, offset, class, change, group, offset);
	native_sql(sql);
}

static int64_t count_of(const char *group, const char *what)
{
	char sql[TEXT_MAX];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM dead_letter WHERE grp = '%s' AND %s", group,
		what);
	return native_sql(sql);
}

static void turn(const char *group, const char *version)
{
	struct pg *pg = native_pg("ESTEIRA_TEST_PG_FRAME_URL");
	struct arena *arena = arena_new(ARENA_BYTES);

	NATIVE_OK(redrive_turn(pg, arena, group, version));
	arena_drop(&arena);
	pg_free(pg);
}

static const struct {
	const char *class, *change;
	bool goes;
	const char *by;
} cases[] = {
	{ "transient", "redrives = 0", true, "auto" },
	{ "transient", "redrives = 2", true, "auto" },
	{ "transient", "redrives = 3", false, NULL },
	{ "transient", "updated_at = now() - interval '50 seconds'", false, NULL },
	{ "transient", "state = 'discarded'", false, NULL },
	{ "transient", "tenant_id = NULL", false, NULL },
	{ "transient", "event_id = NULL", false, NULL },
	{ "schema", "attempts = 1", true, "auto 1.10.0" },
	{ "schema", "updated_at = now()", true, "auto 1.10.0" },
	{ "schema", "handler_version = '1.9.0-rc1'", true, "auto 1.10.0" },
	{ "schema", "handler_version = 'unknown'", true, "auto 1.10.0" },
	{ "schema", "handler_version = NULL", true, "auto 1.10.0" },
	{ "schema", "handler_version = '1.10.0'", false, NULL },
	{ "schema", "handler_version = '1.10.0-rc1'", false, NULL },
	{ "schema", "handler_version = '1.10.1'", false, NULL },
	{ "schema", "handler_version = '2'", false, NULL },
	{ "schema", "decided_by = 'auto 1.10.0'", false, NULL },
	{ "schema", "decided_by = 'auto 1.8.0'", true, "auto 1.10.0" },
	{ "schema", "decided_by = 'auto 1.10.0', updated_at = now() - interval '11 minutes'", true,
		"auto 1.10.0" },
	{ "schema", "event_id = NULL", false, NULL },
	{ "record", "attempts = 1", false, NULL },
	{ "crash", "attempts = 1", false, NULL },
	{ "provider", "attempts = 1", false, NULL },
	{ "bug", "attempts = 1", false, NULL },
};

START_TEST(what_goes_back)
{
	char group[32], what[64];

	snprintf(group, sizeof group, "case-%d", _i);
	add_letter(group, 1, cases[_i].class, cases[_i].change);
	turn(group, "1.10.0");
	ck_assert_int_eq(count_of(group, "state = 'redriving'"), cases[_i].goes);
	if (!cases[_i].goes)
		return;
	snprintf(what, sizeof what, "decided_by = '%s'", cases[_i].by);
	ck_assert_int_eq(count_of(group, what), 1);
}
END_TEST

START_TEST(ten_a_turn_oldest_first)
{
	for (int i = 0; i < 14; i++) {
		char change[128];
		snprintf(change, sizeof change,
			"updated_at = now() - interval '2 minutes' - %d * interval '1 s'", 14 - i);
		add_letter("ten", i, "transient", change);
		add_letter("ten", 100 + i, "schema", change);
	}
	turn("ten", "2.0");
	ck_assert_int_eq(count_of("ten", "state = 'redriving' AND off < 10"), REDRIVE_BATCH);
	ck_assert_int_eq(
		count_of("ten", "state = 'redriving' AND off BETWEEN 100 AND 109"), REDRIVE_BATCH);
	ck_assert_int_eq(count_of("ten", "state = 'redriving'"), 2 * REDRIVE_BATCH);
	turn("ten", "2.0");
	ck_assert_int_eq(count_of("ten", "state = 'open'"), 0);
}
END_TEST

START_TEST(a_tenant_that_still_fails_waits_alone)
{
	add_letter("fails", 1, "transient", "redrives = 0");
	add_letter("fails", 2, "transient", "updated_at = now() - interval '20 seconds'");
	add_letter("fails", 3, "transient", "tenant_id = " B);
	/* neither another class, nor another group, nor one that was handled says that it fails */
	add_letter("fails", 4, "record", "tenant_id = " B ", updated_at = now()");
	add_letter("other", 5, "transient", "tenant_id = " B ", updated_at = now()");
	add_letter("fails", 6, "transient",
		"tenant_id = " B ", updated_at = now(), state = 'redriven'");
	turn("fails", "1");
	ck_assert_int_eq(count_of("fails", "state = 'redriving'"), 1);
	ck_assert_int_eq(count_of("fails", "state = 'redriving' AND off = 3"), 1);
}
END_TEST

START_TEST(a_tenant_whose_brake_is_on_waits)
{
	add_letter("brake", 1, "transient", "redrives = 0");
	add_letter("brake", 2, "transient", "tenant_id = " B);
	native_sql("INSERT INTO parked (grp, topic, part, off, event_id, tenant_id, ordering_key, "
		   "due_at, reason) VALUES ('brake', 't', 7, 9, gen_random_uuid(), " A
		   ", 'x', now(), 'breaker'), ('brake', 't', 7, 10, gen_random_uuid(), " B
		   ", 'x', now(), 'retry'), ('other', 't', 7, 11, gen_random_uuid(), " B
		   ", 'x', now(), 'breaker')");
	turn("brake", "1");
	ck_assert_int_eq(count_of("brake", "state = 'redriving' AND off = 2"), 1);
	ck_assert_int_eq(count_of("brake", "state = 'open' AND off = 1"), 1);
	native_sql("DELETE FROM parked WHERE grp = 'brake' AND reason = 'breaker'");
	turn("brake", "1");
	ck_assert_int_eq(count_of("brake", "state = 'open'"), 0);
}
END_TEST

START_TEST(many_letters_cost_little)
{
	native_sql(
		"INSERT INTO dead_letter (id, grp, topic, part, off, event_id, tenant_id, "
		"ordering_key, error_class, handler_version, updated_at) "
		"SELECT gen_random_uuid(), 'many', 't', 0, n, gen_random_uuid(), "
		"md5((n % 50)::text)::uuid, 'k', (ARRAY['transient', 'schema'])[1 + n % 2], '1', "
		"now() - interval '2 minutes' FROM generate_series(1, 20000) n;"
		"INSERT INTO parked (grp, topic, part, off, event_id, tenant_id, ordering_key, "
		"due_at, reason) SELECT 'many', 't', 0, n, gen_random_uuid(), "
		"md5((n % 50)::text)::uuid, 'k', now(), 'breaker' "
		"FROM generate_series(20001, 40000) n");
	int64_t from_ms = native_sql("SELECT extract(epoch FROM clock_timestamp()) * 1000");
	turn("many", "1");
	int64_t took_ms =
		native_sql("SELECT extract(epoch FROM clock_timestamp()) * 1000") - from_ms;
	printf("a turn over 20,000 letters that all have to stay: %lld ms\n", (long long)took_ms);
	ck_assert_int_eq(count_of("many", "state <> 'open'"), 0);
	ck_assert_int_lt(took_ms, 2000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame/redrive");
	TCase *tcase = tcase_create("redrive");

	tcase_add_loop_test(tcase, what_goes_back, 0, (int)COUNT(cases));
	tcase_add_test(tcase, ten_a_turn_oldest_first);
	tcase_add_test(tcase, a_tenant_that_still_fails_waits_alone);
	tcase_add_test(tcase, a_tenant_whose_brake_is_on_waits);
	tcase_add_test(tcase, many_letters_cost_little);
	suite_add_tcase(suite, tcase);
	return native_run(suite);
}
