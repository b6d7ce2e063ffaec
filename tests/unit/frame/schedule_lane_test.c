/* Rows of parked in a lane: where they go, how they are forgotten. */
#include "frame/schedule_lane.h"

#include "schedule_bench.h"

/* p = loaded row, l = of the log: the next one of lane a, offsets as they come. */
static void add_kinds(struct bench *bench, const char *kinds, int64_t *offset)
{
	for (; *kinds != '\0'; kinds++)
		bench_add(bench, *kinds == 'p' ? bench->parked : bench->a, (*offset)++, "a", &txn);
}

/* Takes everything, a batch a turn, and finishes it. */
static void expect_turns(struct bench *bench, const char *const *turns)
{
	for (; *turns != NULL; turns++) {
		bench_expect_take(bench, *turns);
		bench_finish_all(bench, SCHEDULE_DONE);
	}
	bench_expect(bench, 0, 0, 0);
}

START_TEST(loaded_rows_overtake_what_waits)
{
	static const struct {
		const char *kinds, *turns[4];
	} rows[] = {
		{ "llpp", { "a2 a3", "a0 a1" } },
		{ "lplp", { "a1 a3", "a0 a2" } },
		{ "ppll", { "a0 a1", "a2 a3" } },
		{ "lllp", { "a3", "a0 a1 a2" } },
		{ "p", { "a0" } },
		{ "plplplpl", { "a0 a2 a4 a6", "a1 a3 a5 a7" } },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bench bench;
		int64_t offset = 0;
		bench_open(&bench);
		add_kinds(&bench, rows[i].kinds, &offset);
		expect_turns(&bench, rows[i].turns);
		schedule_free(bench.schedule);
	}
}
END_TEST

/* What is added while records are in a worker's hands; then the worker is done, or not. */
START_TEST(loaded_rows_never_overtake_running_records)
{
	static const struct {
		const char *before, *taken, *during;
		enum schedule_outcome outcome;
		const char *turns[6];
	} rows[] = {
		{ "ll", "a0 a1", "lp", SCHEDULE_DONE, { "a3", "a2" } },
		{ "ll", "a0 a1", "plp", SCHEDULE_DONE, { "a2 a4", "a3" } },
		{ "ll", "a0 a1", "lpp", SCHEDULE_LATER, { "a0 a1", "a3 a4", "a2" } },
		{ "p", "a0", "lp", SCHEDULE_LATER, { "a0 a2", "a1" } },
		{ "lpp", "a1 a2", "lp", SCHEDULE_DONE, { "a4", "a0 a3" } },
		{ "lpp", "a1 a2", "lp", SCHEDULE_LATER, { "a1 a2 a4", "a0 a3" } },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bench bench;
		int64_t offset = 0;
		bench_open(&bench);
		add_kinds(&bench, rows[i].before, &offset);
		bench_expect_take(&bench, rows[i].taken);
		add_kinds(&bench, rows[i].during, &offset);
		bench_finish_all(&bench, rows[i].outcome);
		expect_turns(&bench, rows[i].turns);
		schedule_free(bench.schedule);
	}
}
END_TEST

/* Half of a batch has come back when a row is loaded. */
START_TEST(rows_stand_behind_a_half_finished_batch)
{
	static const size_t orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 } };

	for (size_t i = 0; i < COUNT(orders); i++) {
		for (size_t back = 0; back < 3; back++) {
			static const char *const turns[] = { "a4 a5", "a3", NULL };
			struct bench bench;
			int64_t offset = 0;
			bench_open(&bench);
			add_kinds(&bench, "lll", &offset);
			bench_expect_take(&bench, "a0 a1 a2");
			add_kinds(&bench, "l", &offset);
			for (size_t n = 0; n < 3; n++) {
				if (n == back)
					add_kinds(&bench, "pp", &offset);
				bench_finish(&bench, orders[i][n], SCHEDULE_DONE);
			}
			expect_turns(&bench, turns);
			schedule_free(bench.schedule);
		}
	}
}
END_TEST

/* A lane whose first record changes is ready by the new one: other source, other kind. */
START_TEST(a_ready_lane_changes_its_place)
{
	struct bench bench;

	bench_open(&bench);
	bench_add(&bench, bench.a, 0, "a", &txn);
	bench_add(&bench, bench.a, 1, "b", &txn);
	bench_add(&bench, bench.parked, 2, "a", &work);
	bench_expect_take(&bench, "b1");
	struct bench other = bench;
	bench_expect_take(&other, "a2");
	bench_finish_all(&other, SCHEDULE_DONE);
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_expect_take(&bench, "a0");
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

static bool is_loaded(struct bench *bench, const char *lane)
{
	return schedule_is_loaded(bench->schedule, str_of(lane));
}

START_TEST(knows_what_is_loaded)
{
	struct bench bench;

	bench_open(&bench);
	ck_assert(!is_loaded(&bench, "a"));
	bench_add(&bench, bench.a, 0, "a", &txn);
	bench_add(&bench, bench.side, 0, "a", &txn);
	ck_assert(!is_loaded(&bench, "a"));
	bench_add(&bench, bench.parked, 9, "a", &txn);
	ck_assert(is_loaded(&bench, "a") && !is_loaded(&bench, "b"));
	bench_expect_take(&bench, "a9");
	ck_assert(is_loaded(&bench, "a")); /* running counts */
	bench_finish_all(&bench, SCHEDULE_LATER);
	ck_assert(is_loaded(&bench, "a"));
	bench_expect_take(&bench, "a9");
	bench_finish_all(&bench, SCHEDULE_DONE);
	ck_assert(!is_loaded(&bench, "a"));
	bench_add(&bench, bench.parked, 10, "a", &txn);
	schedule_revoke(bench.schedule);
	ck_assert(!is_loaded(&bench, "a"));
	schedule_free(bench.schedule);
}
END_TEST

START_TEST(drops_loaded_rows)
{
	static const struct {
		const char *before, *taken, *during; /* taken: NULL = nothing */
		bool loaded;			     /* still */
		const char *turns[3];
	} rows[] = {
		{ "llpp", NULL, "", false, { "a0 a1" } },
		{ "pp", NULL, "", false, { NULL } },
		{ "ll", NULL, "", false, { "a0 a1" } },
		{ "llp", "a2", "pp", true, { "a0 a1" } },
		{ "pl", "a0", "", true, { "a1" } },
		{ "l", "a0", "plp", false, { "a2" } },
		{ "p", "a0", "ppl", true, { "a3" } },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bench bench;
		int64_t offset = 0;
		bench_open(&bench);
		add_kinds(&bench, rows[i].before, &offset);
		if (rows[i].taken != NULL)
			bench_expect_take(&bench, rows[i].taken);
		add_kinds(&bench, rows[i].during, &offset);
		bench_add(&bench, bench.parked, 50, "other", &txn);
		schedule_drop_lane_parked(bench.schedule, STR("a"));
		schedule_drop_lane_parked(bench.schedule, STR("none"));
		ck_assert(is_loaded(&bench, "a") == rows[i].loaded);
		ck_assert(is_loaded(&bench, "other"));
		schedule_drop_lane_parked(bench.schedule, STR("other"));
		ck_assert(!is_loaded(&bench, "other"));
		if (rows[i].taken != NULL)
			bench_finish_all(&bench, SCHEDULE_DONE);
		expect_turns(&bench, rows[i].turns);
		schedule_free(bench.schedule);
	}
}
END_TEST

/* A lane that waits for a due time loses its only records. */
START_TEST(drops_rows_of_a_delayed_lane)
{
	struct bench bench;

	bench_open(&bench);
	for (int round = 0; round < 2; round++) {
		bench_add(&bench, bench.parked, 0, "a", &txn);
		if (round == 1)
			bench_add(&bench, bench.a, 1, "a", &txn);
		bench_expect_take(&bench, "a0");
		schedule_finish(bench.schedule, bench.taken[0], SCHEDULE_LATER, 20);
		bench_expect(&bench, round == 1 ? 2 : 1, 0, 1);
		schedule_drop_lane_parked(bench.schedule, STR("a"));
		bench_expect(&bench, round == 1 ? 1 : 0, 0, round == 1 ? 1 : 0);
	}
	bench_expect_take(&bench, "a1");
	bench_finish_all(&bench, SCHEDULE_DONE);
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

/* Every state of every kind of source at once. */
START_TEST(revoking_drops_all_sources)
{
	struct bench bench;

	bench_open(&bench);
	struct partition *const sources[] = { bench.a, bench.b, bench.parked, bench.side };
	for (size_t i = 0; i < COUNT(sources); i++)
		for (int64_t n = 0; n < 6; n++) {
			const char lane[] = { "xyz"[n % 3], (char)('0' + i), '\0' };
			bench_add(&bench, sources[i], n, lane, n % 2 == 0 ? &txn : &work);
			bench_add(&bench, sources[i], n, "shared", n % 2 == 0 ? &txn : &work);
		}
	struct bench later = bench;
	bench_take(&bench);
	bench_take(&later);
	for (size_t i = 0; i < later.count; i++)
		schedule_finish(bench.schedule, later.taken[i], SCHEDULE_LATER, 60000);
	bench_expect(&bench, 48, bench.count, later.count);
	schedule_revoke(bench.schedule);
	bench_expect(&bench, bench.count, bench.count, 0);
	bench_finish_all(&bench, SCHEDULE_LATER);
	bench_expect(&bench, 0, 0, 0);
	schedule_free(bench.schedule);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule_lane");
	TCase *tcase = tcase_create("schedule_lane");

	tcase_add_test(tcase, loaded_rows_overtake_what_waits);
	tcase_add_test(tcase, loaded_rows_never_overtake_running_records);
	tcase_add_test(tcase, rows_stand_behind_a_half_finished_batch);
	tcase_add_test(tcase, a_ready_lane_changes_its_place);
	tcase_add_test(tcase, knows_what_is_loaded);
	tcase_add_test(tcase, drops_loaded_rows);
	tcase_add_test(tcase, drops_rows_of_a_delayed_lane);
	tcase_add_test(tcase, revoking_drops_all_sources);
	suite_add_tcase(suite, tcase);
	return bench_run(suite);
}
