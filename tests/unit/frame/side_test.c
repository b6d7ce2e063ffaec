#include "frame/side.h"

#include <check.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(a_rate_is_kept)
{
	static const struct {
		int rate;
		int64_t credit, elapsed_ms, left;
	} rows[] = {
		{ 1, 0, 0, 0 }, { 1, 0, 10, 10 }, { 1, 990, 10, 1000 },
		{ 1, 1000, 10, 1010 }, /* one record fits, and the fraction of the next */
		{ 1, 1995, 10, 1999 }, { 1, 0, 5000, 1000 }, { 10, 0, 100, 1000 },
		{ 50, 0, 10, 500 }, { 50, 4900, 10, 5000 }, /* a tenth of a second's */
		{ 50, -1000, 10, -500 }, { 1000000, 0, INT64_MAX, 100000000 },
		{ 1000000, 0, 1, 1000000 },
		{ 0, 0, 10, 0 }, /* no limit: nobody asks for the credit */
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(side_refill(rows[i].rate, rows[i].credit, rows[i].elapsed_ms) ==
				      rows[i].left,
			"row %zu", i);
}
END_TEST

/* Reading turn by turn for ten seconds gives ten seconds' records. */
START_TEST(turns_add_up_to_the_rate)
{
	static const int rates[] = { 1, 7, 10, 99, 1000, 12345 };

	for (size_t i = 0; i < COUNT(rates); i++) {
		int64_t credit = 0, taken = 0;
		for (int turn = 0; turn < 1000; turn++) {
			credit = side_refill(rates[i], credit, 10);
			taken += credit / 1000;
			credit %= 1000;
		}
		ck_assert_int_eq(taken, 10 * rates[i]);
	}
}
END_TEST

static void never(void *arg, struct partition *source, const struct replay *replay,
	const struct kafka_record *record)
{
	(void)arg;
	(void)source;
	(void)replay;
	(void)record;
	ck_abort_msg("there is nothing to read");
}

/* What is not a side or not open is not read: no connection is made for it. */
START_TEST(only_open_sides_are_read)
{
	struct schedule *schedule = schedule_new();
	struct partition *source = schedule_assign(schedule, SOURCE_SIDE, "t", 0, 1);
	const struct side_conf conf = { .schedule = schedule, .record = never };
	struct side *side = side_new(&conf);

	for (int kind = REPLAY_REWIND; kind <= REPLAY_SIDE; kind++) {
		for (int state = REPLAY_HELD; state <= REPLAY_REFUSED; state++) {
			bool wanted = kind == REPLAY_SIDE && state == REPLAY_OPEN;
			const struct side_item item = { { .id = 1,
								.topic = "t",
								.to = 10,
								.kind = (enum replay_kind)kind,
								.state = (enum replay_state)state },
				source };
			side_set(side, &item, 1);
			ck_assert_uint_eq(side_active(side), wanted ? 1 : 0);
			if (!wanted)
				ck_assert_int_eq(side_poll(side, NULL).kind, ERR_OK);
		}
	}
	side_set(side, NULL, 0);
	ck_assert_uint_eq(side_active(side), 0);
	side_free(side);
	schedule_revoke(schedule);
	schedule_free(schedule);
}
END_TEST

/* After a crash a replay goes on where it was written down, after a pause where its source is. */
START_TEST(a_source_never_goes_back)
{
	struct schedule *schedule = schedule_new();
	struct partition *source = schedule_assign(schedule, SOURCE_SIDE, "t", 0, 1);
	const struct side_conf conf = { .schedule = schedule, .record = never };
	struct side *side = side_new(&conf);
	struct side_item item = { { .id = 1,
					  .topic = "t",
					  .next = 7,
					  .to = 10,
					  .kind = REPLAY_SIDE,
					  .state = REPLAY_OPEN },
		source };

	source->next = 0;
	side_set(side, &item, 1);
	ck_assert_int_eq(source->next, 7);
	side_set(side, NULL, 0);
	source->next = 9;
	side_set(side, &item, 1);
	ck_assert_int_eq(source->next, 9);
	side_free(side);
	schedule_revoke(schedule);
	schedule_free(schedule);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("side");
	TCase *tcase = tcase_create("side");

	tcase_add_test(tcase, a_rate_is_kept);
	tcase_add_test(tcase, turns_add_up_to_the_rate);
	tcase_add_test(tcase, only_open_sides_are_read);
	tcase_add_test(tcase, a_source_never_goes_back);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
