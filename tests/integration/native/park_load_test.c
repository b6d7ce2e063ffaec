#include "frame/park.h"

#include "park_bench.h"

enum { SCAN_ROWS = 30000 };

static const struct {
	const char *rows, *loaded;
} loads[] = {
	{ "", "" },
	{ "a1 a2 b3", "a1 a2 b3" },
	{ "a2 a1", "a1 a2" },
	{ "a1- a2 b3", "b3" },	       /* the head is not due: its key waits */
	{ "a1! a2 a3- a4", "a1 a2" },  /* up to the first that is not due */
	{ "a1# a2 a3! b4*", "b4" },    /* a tombstone; the due row behind it is no head */
	{ "b1* c2* a3!", "a3 b1 c2" }, /* due heads first */
	{ "a1! A2 a3", "a1 a3 A2" },
};

START_TEST(test_load)
{
	struct bench *bench = bench_open(arena_printf(arena_new(64 << 10), "load %d", _i));
	char got[ENTRIES_MAX * 8];

	add_rows(bench, loads[_i].rows);
	(void)load(bench, got);
	ck_assert_msg(strcmp(got, loads[_i].loaded) == 0, "%s: %s, not %s", loads[_i].rows, got,
		loads[_i].loaded);
	(void)load(bench, got); /* what is left there is found again */
	ck_assert_uint_eq(strlen(got), strlen(loads[_i].loaded));
	bench_close(bench);
}
END_TEST

START_TEST(test_row)
{
	struct bench *bench = bench_open("row");
	struct park_row *rows;
	size_t count;

	put(bench, "k-long", 5);
	bench->records[0].past = (struct record_past){
		.epoch = 4, .attempts = 2, .first_ms = 1700000000123, .dead_id = { { 9 } }
	};
	put(bench, "k-long", 6);
	add_all(bench);
	NATIVE_OK(load_rows(bench, TOPIC, 3, &rows, &count));
	ck_assert_uint_eq(count, 2);
	ck_assert(rows[0].id > 0 && rows[0].offset == 5 && rows[0].epoch == 4 &&
		  rows[0].attempts == 2 && rows[0].first_ms == 1700000000123 &&
		  rows[0].dead_id.bytes[0] == 9);
	ck_assert_str_eq(rows[0].ordering_key, "k-long");
	ck_assert(tenant_eq(rows[0].tenant, bench->events[0].tenant));
	ck_assert(str_eq(rows[0].key, STR("key")) && str_eq(rows[0].value, STR("value")) &&
		  str_eq(rows[0].headers, STR("headers")));
	ck_assert(rows[1].first_ms == 0 && id_is_nil(rows[1].dead_id));
	bench_close(bench);
}
END_TEST

/* Loads until every row of so many was given once, at most so often. */
static void load_all(struct bench *bench, int64_t rows, int times)
{
	bool *seen = calloc((size_t)rows, sizeof *seen);
	int64_t from = ask(bench, "min(id)"), found = 0;

	for (int t = 0; t < times; t++) {
		struct park_row *loaded;
		size_t count;
		NATIVE_OK(load_rows(bench, TOPIC, 3, &loaded, &count));
		ck_assert_uint_le(count, PARK_LOAD_MAX);
		for (size_t i = 0; i < count; i++) {
			found += !seen[loaded[i].id - from];
			seen[loaded[i].id - from] = true;
		}
	}
	ck_assert_int_eq(found, rows);
	free(seen);
}

START_TEST(test_round_over_the_keys)
{
	struct bench *bench = bench_open("round");

	fill(bench, "'key-' || i", "overflow", "'value'", 450);
	load_all(bench, 450, 3);
	load_all(bench, 450, 3); /* and from the beginning again */
	bench_close(bench);
}
END_TEST

START_TEST(test_many_rows_of_keys)
{
	struct bench *bench = bench_open("many");
	char got[PARK_LOAD_MAX * 16];

	fill(bench, "'a'", "overflow", "'value'", 150);
	ck_assert_uint_eq(load(bench, got), PARK_KEY_MAX);
	fill(bench, "'b' || i % 20", "overflow", "'value'", 2000);
	ck_assert_uint_eq(load(bench, got), PARK_LOAD_MAX);
	bench_close(bench);
}
END_TEST

/* Ten keys with a hundred due rows each fill every load that begins with the due heads. */
START_TEST(test_due_heads_do_not_starve_the_others)
{
	struct bench *bench = bench_open("starve");
	char got[PARK_LOAD_MAX * 16];
	bool seen = false;

	fill(bench, "'b' || i % 10", "redrive", "'value'", 1000);
	fill(bench, "'z'", "blocked", "'value'", 1);
	for (int t = 0; t < 8 && !seen; t++) {
		(void)load(bench, got);
		seen = strchr(got, 'z') != NULL;
	}
	ck_assert(seen);
	bench_close(bench);
}
END_TEST

/* One key with a due row for each of 600 records behind a tombstone hides no other due head for
 * good. */
START_TEST(test_due_rows_behind_a_tombstone)
{
	struct bench *bench = bench_open("tombstone");
	char got[PARK_LOAD_MAX * 16];

	add_rows(bench, "a0#");
	fill(bench, "'a'", "redrive", "'value'", 600);
	fill(bench, "'b'", "retry", "'value'", 1);
	ck_assert_uint_eq(load(bench, got), 1);
	ck_assert_int_eq(got[0], 'b');
	bench_close(bench);
}
END_TEST

static bool is_due(struct bench *bench, const char *topic, int32_t number)
{
	const struct partition of = { .topic = topic, .number = number };
	bool due = false;

	NATIVE_OK(park_load_is_due(bench->park, bench->load, bench->arena, &of, &due));
	return due;
}

START_TEST(test_whose_time_has_come)
{
	struct bench *bench = bench_open("time");

	ck_assert(!is_due(bench, TOPIC, 3));
	fill(bench, "'a'", "blocked", "'value'", 3);
	fill(bench, "'b'", "overflow", "'value'", 3);
	ck_assert(!is_due(bench, TOPIC, 3));
	fill(bench, "'c'", "retry", "'value'", 1);
	ck_assert(is_due(bench, TOPIC, 3) && !is_due(bench, TOPIC, 4));
	native_sql("UPDATE parked SET due_at = now() + interval '1 minute'");
	ck_assert(!is_due(bench, TOPIC, 3));
	bench_close(bench);
}
END_TEST

START_TEST(test_bytes_of_a_load)
{
	struct bench *bench = bench_open("bytes");
	char got[PARK_LOAD_MAX * 16];

	fill(bench, "'key-' || i", "overflow", "convert_to(repeat(md5(i::text), 8192), 'UTF8')",
		40);
	ck_assert_uint_eq(load(bench, got), 15); /* 4 MiB of 256 KiB and a little each */
	load_all(bench, 40, 4);
	fill(bench, "'a'", "retry", "convert_to(repeat('x', 6 << 20), 'UTF8')", 1);
	ck_assert_uint_ge(load(bench, got), 1); /* one that is larger comes alone */
	bench_close(bench);
}
END_TEST

/* --- index scans --- */

static const struct pg_statement scans = { "test_scans",
	"SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables "
	"WHERE relid = 'parked'::regclass" };

static void read_scans(struct bench *bench, int64_t *ret_seq, int64_t *ret_fetched)
{
	const struct pg_rows *rows;

	NATIVE_OK(pg_query(bench->load, bench->arena, &scans, NULL, 0, &rows));
	*ret_seq = pg_get_int(rows, 0, 0);
	*ret_fetched = pg_get_int(rows, 0, 1);
}

static void ask_everything(struct bench *bench)
{
	const char *const topics[] = { TOPIC, "esteira.none" };
	const int32_t numbers[] = { 3, 9 };
	struct park_row *loaded;
	size_t count;

	for (int i = 0; i < 2; i++) {
		NATIVE_OK(load_rows(bench, topics[i], numbers[i], &loaded, &count));
		(void)is_due(bench, topics[i], numbers[i]);
	}
	NATIVE_OK(park_discover(
		bench->park, bench->load, bench->arena, &(struct places){ topics, numbers, 2 }));
	put_batch(bench, "La999999 Lb999999 Lc999999");
	NATIVE_OK(park_judge(bench->park, bench->load, bench->arena, bench->entries, bench->count));
	bench->count = 0;
}

/* Often enough that prepared statements get their plan for any parameter. */
static void expect_few_rows(struct bench *bench)
{
	for (int t = 0; t < 8; t++) {
		int64_t seq = 0, seq_after = 0, fetched = 0, fetched_after = 0;
		NATIVE_OK(pg_begin(bench->load));
		read_scans(bench, &seq, &fetched);
		ask_everything(bench);
		read_scans(bench, &seq_after, &fetched_after);
		pg_rollback(bench->load);
		ck_assert_int_eq(seq_after - seq, 0);
		ck_assert_int_lt(fetched_after - fetched, 3000);
	}
}

/* The rows of one key, a key a row, due rows that cannot run. */
static const struct {
	const char *key, *reason;
} crowds[] = { { "'a'", "overflow" }, { "'key-' || i", "overflow" }, { "'a'", "redrive" },
	{ "'key-' || i", "retry" } };

/* Without statistics, as on a new database, and with true ones. */
START_TEST(test_index_scans_alone)
{
	struct bench *bench = bench_open(arena_printf(arena_new(64 << 10), "crowd %d", _i));

	native_sql("ALTER TABLE parked SET (autovacuum_enabled = off); TRUNCATE parked; "
		   "DELETE FROM pg_statistic WHERE starelid = 'parked'::regclass");
	fill(bench, crowds[_i].key, crowds[_i].reason, "'value'", SCAN_ROWS);
	expect_few_rows(bench);
	native_sql("ANALYZE parked");
	expect_few_rows(bench);
	native_sql("TRUNCATE parked");
	bench_close(bench);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("park_load");
	TCase *back = tcase_create("load"), *plans = tcase_create("plans");

	tcase_add_loop_test(back, test_load, 0, (int)COUNT(loads));
	tcase_add_test(back, test_row);
	tcase_add_test(back, test_round_over_the_keys);
	tcase_add_test(back, test_many_rows_of_keys);
	tcase_add_test(back, test_due_heads_do_not_starve_the_others);
	tcase_add_test(back, test_due_rows_behind_a_tombstone);
	tcase_add_test(back, test_whose_time_has_come);
	tcase_add_test(back, test_bytes_of_a_load);
	suite_add_tcase(suite, back);
	tcase_add_loop_test(plans, test_index_scans_alone, 0, (int)COUNT(crowds));
	suite_add_tcase(suite, plans);
	return native_run(suite);
}
