#include "frame/park.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "park_bench.h"

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

/* --- verdicts --- */

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
		NATIVE_OK(load_rows(bench, TOPIC, number, &rows, &count));
		ck_assert(!park_may_have(bench->park, TOPIC, number));
	}
	fill(bench, "'a'", "redrive", "'value'", 1);
	NATIVE_OK(park_discover(
		bench->park, bench->load, bench->arena, &(struct places){ topics, numbers, 2 }));
	ck_assert(!park_may_have(bench->park, TOPIC, 2));
	ck_assert(park_may_have(bench->park, TOPIC, 3));
	add_rows(bench, "b1000001- b1000002 b1000003 c1000005# c1000006 "
			"d1000007* d1000008* d1000009* d1000010* e1000011#");
	NATIVE_OK(park_count(
		bench->park, bench->load, bench->arena, &(struct places){ topics, numbers, 2 }));
	park_look(bench->park, &view);
	ck_assert_int_eq(view.due, 2);
	ck_assert_int_eq(view.blocked, 3);
	ck_assert_int_eq(view.overflow, 4);
	ck_assert_int_eq(view.held, 2);
	bench_close(bench);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("park");
	TCase *verdict = tcase_create("verdict"), *rows = tcase_create("rows"),
	      *memory = tcase_create("memory");

	tcase_add_loop_test(verdict, test_verdict, 0, (int)COUNT(verdicts));
	suite_add_tcase(suite, verdict);
	tcase_add_test(rows, test_columns);
	tcase_add_test(rows, test_parked_already_stays);
	tcase_add_test(rows, test_remove);
	tcase_add_test(rows, test_again);
	suite_add_tcase(suite, rows);
	tcase_add_test(memory, test_memory);
	tcase_add_test(memory, test_row_of_an_open_transaction);
	tcase_add_test(memory, test_memory_of_an_old_fence);
	tcase_add_test(memory, test_discover_and_count);
	suite_add_tcase(suite, memory);
	return native_run(suite);
}
