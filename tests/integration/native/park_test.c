#include "frame/park.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TOPIC	     "esteira.test"

enum { ENTRIES_MAX = 512, SCAN_ROWS = 30000 };

/* --- a clock that can be moved on --- */

static int64_t *skew_s(void)
{
	static int64_t skew;

	return &skew;
}

/* Stands before libc's. */
int clock_gettime(clockid_t id, struct timespec *at)
{
	int code = (int)syscall(SYS_clock_gettime, id, at);

	if (id == CLOCK_MONOTONIC)
		at->tv_sec += *skew_s();
	return code;
}

/* --- the bench: a group of its own, so that no case sees another's rows --- */

struct bench {
	const char *group;
	struct park *park;
	struct pg *pg, *load;
	struct arena *arena;
	struct partition partition;
	struct record records[ENTRIES_MAX];
	struct event events[ENTRIES_MAX];
	struct park_entry entries[ENTRIES_MAX];
	char keys[ENTRIES_MAX][16];
	size_t count;
};

static struct bench *bench_open(const char *group)
{
	struct bench *bench = calloc(1, sizeof *bench);

	ck_assert_ptr_nonnull(bench);
	bench->group = group;
	bench->park = park_new(group);
	bench->pg = native_pg("ESTEIRA_TEST_PG_URL");
	bench->load = native_pg("ESTEIRA_TEST_PG_FRAME_URL");
	bench->arena = arena_new(256 << 20);
	bench->partition = (struct partition){ .topic = TOPIC, .number = 3, .fence = 7 };
	return bench;
}

static void bench_close(struct bench *bench)
{
	arena_free(bench->arena);
	pg_free(bench->pg);
	pg_free(bench->load);
	park_free(bench->park);
	free(bench);
}

static int64_t ask(struct bench *bench, const char *question)
{
	const char *sql = arena_printf(
		bench->arena, "SELECT %s FROM parked WHERE grp = '%s'", question, bench->group);

	return native_sql(sql);
}

/* A key's name of one letter; a capital is the same key of another tenant. */
static struct park_entry *put(struct bench *bench, const char *key, int64_t offset)
{
	size_t i = bench->count++;
	struct tenant tenant = { { { 1 } } };

	ck_assert_uint_lt(i, ENTRIES_MAX);
	bool other = key[0] >= 'A' && key[0] <= 'Z';
	tenant.id.bytes[1] = other;
	snprintf(bench->keys[i], sizeof bench->keys[i], "%s", key);
	bench->keys[i][0] = (char)(other ? key[0] - 'A' + 'a' : key[0]);
	bench->records[i] = (struct record){ .partition = &bench->partition,
		.offset = offset,
		.key = STR("key"),
		.value = STR("value"),
		.headers = STR("headers") };
	bench->events[i] =
		(struct event){ .id = id_v7(), .tenant = tenant, .ordering_key = bench->keys[i] };
	bench->entries[i] = (struct park_entry){
		.record = &bench->records[i], .event = &bench->events[i], .reason = PARK_BLOCKED
	};
	return &bench->entries[i];
}

static void add_all(struct bench *bench)
{
	NATIVE_OK(pg_begin(bench->pg));
	NATIVE_OK(park_add(bench->park, bench->pg, bench->arena, bench->entries, bench->count));
	NATIVE_OK(pg_commit(bench->pg));
	bench->count = 0;
}

/* "a5 b7!": rows blocked and due (nothing behind), retry due (!), retry not due (-), hold (#),
 * overflow (*). */
static void add_rows(struct bench *bench, const char *text)
{
	char key[2] = "";
	int offset = 0, len = 0;

	for (; *text != '\0'; text += len + (text[len] == ' ')) {
		ck_assert_int_eq(sscanf(text, "%1s%d%n", key, &offset, &len), 2);
		struct park_entry *entry = put(bench, key, offset);
		switch (text[len]) {
		case '!':
			entry->reason = PARK_RETRY;
			break;
		case '-':
			entry->reason = PARK_RETRY;
			entry->due_in_ms = 3600000;
			break;
		case '#':
			entry->reason = PARK_HOLD;
			entry->due_in_ms = -1;
			break;
		case '*':
			entry->reason = PARK_OVERFLOW;
			break;
		default:
			continue;
		}
		len++;
	}
	if (bench->count > 0)
		add_all(bench);
}

/* --- verdicts --- */

/* "La5 Pb7 Xb8": from the log, a loaded row, a loaded row that is gone. */
static void put_batch(struct bench *bench, const char *text)
{
	char kind = 0, key[2] = "";
	int offset = 0, len = 0;

	for (; *text != '\0'; text += len + (text[len] == ' ')) {
		ck_assert_int_eq(sscanf(text, "%c%1s%d%n", &kind, key, &offset, &len), 3);
		struct park_entry *entry = put(bench, key, offset);
		struct record *record = &bench->records[entry - bench->entries];
		const char *id = arena_printf(bench->arena,
			"max(id) FILTER (WHERE off = %d AND ordering_key = '%s')", offset, key);
		record->past.parked_id = kind == 'P' ? ask(bench, id) : kind == 'X';
		ck_assert(kind != 'P' || record->past.parked_id > 0);
	}
}

static void judge(struct bench *bench, char *ret_verdicts)
{
	NATIVE_OK(pg_begin(bench->pg));
	NATIVE_OK(park_judge(bench->park, bench->pg, bench->arena, bench->entries, bench->count));
	pg_rollback(bench->pg);
	for (size_t i = 0; i < bench->count; i++)
		*ret_verdicts++ = "RBS"[bench->entries[i].verdict];
	*ret_verdicts = '\0';
	bench->count = 0;
}

static const struct {
	const char *rows, *batch, *verdicts;
} verdicts[] = {
	{ "", "La1 Lb1 La2", "RRR" },
	{ "a5", "La6 Lb6 La7", "BRB" },
	{ "a5", "LA6", "R" },	   /* another tenant's key of the same name */
	{ "a5", "La4 La5", "RB" }, /* nothing is before 4; 5 waits already */
	{ "a5-", "La6", "B" },
	{ "a5#", "La6 La7", "BB" },
	{ "a5 a6 a9", "Pa5 Pa6 Pa9", "RRR" },
	{ "a5 a6 a9", "Pa5 Pa9", "RR" }, /* a gap is harmless */
	{ "a5 a6 a9", "Pa6 Pa9", "SS" },
	{ "a5 a6", "Pa6 Pa5", "SS" }, /* behind a stale one of its key */
	{ "a5 a6", "Pa5 Pa5", "RS" },
	{ "a5 a6 b9 A7", "Pa6 Pb9", "SR" },
	{ "a5 b1 b2", "Pa5 Pb1 Pb2", "RRR" },
	{ "", "Xa5 Xa6 Lb7", "SSR" },
	{ "a7", "Xa5 Pa7", "SS" },
};

START_TEST(test_verdict)
{
	const char *group = verdicts[_i].batch;
	struct bench *bench = bench_open(group);
	char got[ENTRIES_MAX + 1];

	add_rows(bench, verdicts[_i].rows);
	put_batch(bench, verdicts[_i].batch);
	judge(bench, got);
	ck_assert_msg(strcmp(got, verdicts[_i].verdicts) == 0, "%s behind %s: %s, not %s",
		verdicts[_i].batch, verdicts[_i].rows, got, verdicts[_i].verdicts);
	bench_close(bench);
}
END_TEST

/* --- rows --- */

START_TEST(test_columns)
{
	struct bench *bench = bench_open("columns");
	char message[1600];
	struct park_entry *entry = put(bench, "a", 5);
	struct record *record = &bench->records[0];

	memset(message, 'x', 1023);
	snprintf(message + 1023, sizeof message - 1023, "\xc3\xa7\xc3\xa3o");
	entry->reason = PARK_RETRY;
	entry->due_in_ms = 60000;
	entry->why = err_retry(ERR_CODE_TRY_AGAIN, message);
	record->past = (struct record_past){
		.epoch = 4, .attempts = 2, .first_ms = 1700000000123, .dead_id = { { 9 } }
	};
	entry = put(bench, "a", 6);
	entry->reason = PARK_HOLD;
	entry->due_in_ms = -1;
	add_all(bench);
	ck_assert_int_eq(
		ask(bench, "count(*) FILTER (WHERE off = 5 AND topic = 'esteira.test' AND part = 3 "
			   "AND epoch = 4 AND attempts = 2 AND reason = 'retry' AND key = 'key' "
			   "AND payload = 'value' AND headers = 'headers' "
			   "AND error_code = 'try-again' AND error_message = repeat('x', 1023) "
			   "AND first_failed_at = '2023-11-14T22:13:20.123Z' "
			   "AND dead_letter_id = '09000000-0000-0000-0000-000000000000' "
			   "AND due_at - created_at = interval '60 s')"),
		1);
	ck_assert_int_eq(ask(bench, "count(*) FILTER (WHERE off = 6 AND reason = 'hold' "
				    "AND due_at = 'infinity' AND key IS NULL AND payload IS NULL "
				    "AND headers IS NULL AND error_code IS NULL "
				    "AND first_failed_at IS NULL AND dead_letter_id IS NULL)"),
		1);
	bench_close(bench);
}
END_TEST

START_TEST(test_parked_already_stays)
{
	struct bench *bench = bench_open("already");

	add_rows(bench, "a5-");
	add_rows(bench, "a5 a6");
	ck_assert_int_eq(ask(bench, "count(*)"), 2);
	ck_assert_int_eq(ask(bench, "count(*) FILTER (WHERE off = 5 AND reason = 'retry')"), 1);
	put(bench, "a", 5);
	bench->records[0].past.epoch = 1;
	add_all(bench);
	ck_assert_int_eq(ask(bench, "count(*)"), 3);
	bench_close(bench);
}
END_TEST

START_TEST(test_remove)
{
	struct bench *bench = bench_open("remove");

	add_rows(bench, "a5 a6 a7");
	const int64_t ids[] = { ask(bench, "min(id)"), ask(bench, "max(id)") };
	NATIVE_OK(park_remove(bench->park, bench->pg, bench->arena, ids, 2));
	ck_assert_int_eq(ask(bench, "sum(off)"), 6);
	struct err e = park_remove(bench->park, bench->pg, bench->arena, ids, 2);
	ck_assert(e.kind == ERR_RETRY && e.code == ERR_CODE_TRY_AGAIN);
	bench_close(bench);
}
END_TEST

START_TEST(test_again)
{
	struct bench *bench = bench_open("again");

	add_rows(bench, "a5 a6");
	struct park_entry *entry = put(bench, "a", 5);
	entry->reason = PARK_RETRY;
	entry->due_in_ms = 4000;
	entry->why = err_retry(ERR_CODE_TIMEOUT, "late");
	bench->records[0].past = (struct record_past){
		.parked_id = ask(bench, "min(id)"), .attempts = 2, .first_ms = 1700000000123
	};
	NATIVE_OK(park_again(bench->park, bench->pg, entry));
	entry = put(bench, "a", 6);
	entry->reason = PARK_HOLD;
	entry->due_in_ms = -1;
	bench->records[1].past.parked_id = ask(bench, "max(id)");
	NATIVE_OK(park_again(bench->park, bench->pg, entry));
	bench->records[1].past.parked_id = INT64_MAX; /* gone: nothing to change */
	NATIVE_OK(park_again(bench->park, bench->pg, entry));
	NATIVE_OK(pg_sync(bench->pg));
	ck_assert_int_eq(ask(bench, "count(*) FILTER (WHERE off = 5 AND reason = 'retry' "
				    "AND attempts = 2 AND error_code = 'timeout' "
				    "AND error_message = 'late' AND payload = 'value' "
				    "AND first_failed_at = '2023-11-14T22:13:20.123Z' "
				    "AND due_at BETWEEN now() AND now() + interval '4 s')"),
		1);
	ck_assert_int_eq(ask(bench, "count(*) FILTER (WHERE off = 6 AND reason = 'hold' "
				    "AND due_at = 'infinity' AND payload IS NULL "
				    "AND key IS NULL AND headers IS NULL)"),
		1);
	bench_close(bench);
}
END_TEST

/* --- the way back --- */

/* What a load gives, as "a1 a2 B7". */
static size_t load(struct bench *bench, char *ret_text)
{
	struct park_row *rows;
	size_t count;
	char *to = ret_text;

	NATIVE_OK(park_load(bench->park, bench->load, bench->arena, TOPIC, 3, &rows, &count));
	*to = '\0';
	for (size_t i = 0; i < count; i++) {
		char key = rows[i].ordering_key[0];
		to += sprintf(to, "%s%c%lld", i == 0 ? "" : " ",
			rows[i].tenant.id.bytes[1] ? key - 'a' + 'A' : key,
			(long long)rows[i].offset);
		ck_assert(str_eq(rows[i].value, STR("value")) || rows[i].value.len > 5);
	}
	return count;
}

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
	NATIVE_OK(park_load(bench->park, bench->load, bench->arena, TOPIC, 3, &rows, &count));
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

/* Rows by generate_series: i numbers them from 1; offsets are above those of any before. */
static void fill(
	struct bench *bench, const char *key, const char *reason, const char *value, int rows)
{
	native_sql(arena_printf(bench->arena,
		"INSERT INTO parked (grp, topic, part, off, event_id, tenant_id, ordering_key, "
		"due_at, reason, headers, key, payload) SELECT '%s', '" TOPIC "', 3, i + (SELECT "
		"coalesce(max(off), 0) FROM parked), gen_random_uuid(), "
		"'01000000-0000-0000-0000-000000000000', %s, now(), '%s', 'headers', 'key', %s "
		"FROM generate_series(1, %d) AS i",
		bench->group, key, reason, value, rows));
}

/* Loads until every row of so many was given once, at most so often. */
static void load_all(struct bench *bench, int64_t rows, int times)
{
	bool *seen = calloc((size_t)rows, sizeof *seen);
	int64_t from = ask(bench, "min(id)"), found = 0;

	for (int t = 0; t < times; t++) {
		struct park_row *loaded;
		size_t count;
		NATIVE_OK(park_load(
			bench->park, bench->load, bench->arena, TOPIC, 3, &loaded, &count));
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

/* --- memory --- */

START_TEST(test_memory)
{
	struct bench *bench = bench_open("memory");
	char got[ENTRIES_MAX];

	ck_assert(park_may_have(bench->park, TOPIC, 3)); /* nothing is known */
	(void)load(bench, got);
	ck_assert(!park_may_have(bench->park, TOPIC, 3));
	ck_assert(park_may_have(bench->park, TOPIC, 4));
	ck_assert(park_may_have(bench->park, "esteira.other", 3));
	add_rows(bench, "a5");
	ck_assert(park_may_have(bench->park, TOPIC, 3));
	(void)load(bench, got);
	ck_assert_str_eq(got, "a5");
	ck_assert(park_may_have(bench->park, TOPIC, 3));
	native_sql("DELETE FROM parked WHERE grp = 'memory'");
	*skew_s() += 61;
	(void)load(bench, got);
	ck_assert(!park_may_have(bench->park, TOPIC, 3));
	bench_close(bench);
}
END_TEST

/* The loader looked between the INSERT and its COMMIT: it saw no row, and there is one. */
START_TEST(test_row_of_an_open_transaction)
{
	struct bench *bench = bench_open("open");
	char got[ENTRIES_MAX];

	put(bench, "a", 5);
	NATIVE_OK(pg_begin(bench->pg));
	NATIVE_OK(park_add(bench->park, bench->pg, bench->arena, bench->entries, 1));
	NATIVE_OK(pg_sync(bench->pg));
	(void)load(bench, got);
	ck_assert_str_eq(got, "");
	NATIVE_OK(pg_commit(bench->pg));
	bench->count = 0;
	put_batch(bench, "La6");
	judge(bench, got);
	ck_assert_str_eq(got, "B");
	bench_close(bench);
}
END_TEST

/* Between two ownerships of ours somebody else parked. */
START_TEST(test_memory_of_an_old_fence)
{
	struct bench *bench = bench_open("fence");
	struct park *other = park_new("fence"), *mine = bench->park;
	char got[ENTRIES_MAX];

	put_batch(bench, "La5");
	judge(bench, got);
	(void)load(bench, got);
	bench->park = other;
	add_rows(bench, "a5");
	bench->park = mine;
	ck_assert(!park_may_have(bench->park, TOPIC, 3));
	put_batch(bench, "La6");
	judge(bench, got);
	ck_assert_str_eq(got, "R"); /* under the fence of then it could not have been */
	bench->partition.fence = 9;
	put_batch(bench, "La6");
	judge(bench, got);
	ck_assert_str_eq(got, "B");
	park_free(other);
	bench_close(bench);
}
END_TEST

START_TEST(test_discover_and_count)
{
	struct bench *bench = bench_open("discover");
	const char *const topics[] = { TOPIC, TOPIC };
	const int32_t numbers[] = { 2, 3 };
	struct park_row *rows;
	struct park_view view;
	size_t count;

	for (int32_t number = 2; number <= 3; number++) {
		NATIVE_OK(park_load(
			bench->park, bench->load, bench->arena, TOPIC, number, &rows, &count));
		ck_assert(!park_may_have(bench->park, TOPIC, number));
	}
	fill(bench, "'a'", "redrive", "'value'", 1);
	NATIVE_OK(park_discover(bench->park, bench->load, bench->arena, topics, numbers, 2));
	ck_assert(!park_may_have(bench->park, TOPIC, 2));
	ck_assert(park_may_have(bench->park, TOPIC, 3));
	add_rows(bench, "b1000001- b1000002 b1000003 c1000005# c1000006 "
			"d1000007* d1000008* d1000009* d1000010* e1000011#");
	NATIVE_OK(park_count(bench->park, bench->load, bench->arena, topics, numbers, 2));
	park_look(bench->park, &view);
	ck_assert_int_eq(view.due, 2);
	ck_assert_int_eq(view.blocked, 3);
	ck_assert_int_eq(view.overflow, 4);
	ck_assert_int_eq(view.held, 2);
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

	for (int i = 0; i < 2; i++)
		NATIVE_OK(park_load(bench->park, bench->load, bench->arena, topics[i], numbers[i],
			&loaded, &count));
	NATIVE_OK(park_discover(bench->park, bench->load, bench->arena, topics, numbers, 2));
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

/* Without statistics (or those that chance left), with those of a table without these rows, and
 * with true ones. */
START_TEST(test_index_scans_alone)
{
	struct bench *bench = bench_open(arena_printf(arena_new(64 << 10), "crowd %d", _i));

	for (int phase = 0; phase < 3; phase++) {
		native_sql(arena_printf(
			bench->arena, "DELETE FROM parked WHERE grp = '%s'", bench->group));
		if (phase == 1)
			native_sql("ANALYZE parked");
		fill(bench, crowds[_i].key, crowds[_i].reason, "'value'", SCAN_ROWS);
		if (phase == 2)
			native_sql("ANALYZE parked");
		pg_free(bench->load);
		bench->load = native_pg("ESTEIRA_TEST_PG_FRAME_URL");
		expect_few_rows(bench);
	}
	native_sql(arena_printf(bench->arena, "DELETE FROM parked WHERE grp = '%s'", bench->group));
	bench_close(bench);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("park");
	TCase *judge_case = tcase_create("judge"), *rows = tcase_create("rows"),
	      *back = tcase_create("load"), *memory = tcase_create("memory"),
	      *plans = tcase_create("plans");

	tcase_add_loop_test(judge_case, test_verdict, 0, (int)COUNT(verdicts));
	suite_add_tcase(suite, judge_case);
	tcase_add_test(rows, test_columns);
	tcase_add_test(rows, test_parked_already_stays);
	tcase_add_test(rows, test_remove);
	tcase_add_test(rows, test_again);
	suite_add_tcase(suite, rows);
	tcase_add_loop_test(back, test_load, 0, (int)COUNT(loads));
	tcase_add_test(back, test_row);
	tcase_add_test(back, test_round_over_the_keys);
	tcase_add_test(back, test_many_rows_of_keys);
	tcase_add_test(back, test_due_heads_do_not_starve_the_others);
	tcase_add_test(back, test_due_rows_behind_a_tombstone);
	tcase_add_test(back, test_bytes_of_a_load);
	suite_add_tcase(suite, back);
	tcase_add_test(memory, test_memory);
	tcase_add_test(memory, test_row_of_an_open_transaction);
	tcase_add_test(memory, test_memory_of_an_old_fence);
	tcase_add_test(memory, test_discover_and_count);
	suite_add_tcase(suite, memory);
	tcase_add_loop_test(plans, test_index_scans_alone, 0, (int)COUNT(crowds));
	suite_add_tcase(suite, plans);
	return native_run(suite);
}
