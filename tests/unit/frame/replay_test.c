#include "frame/replay.h"

#include <check.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { NOBODY = 0, A = 1, B = 2 };

static struct tenant tenant_of(int number)
{
	struct tenant tenant = { { { 0 } } };

	tenant.id.bytes[15] = (uint8_t)number;
	return tenant;
}

static struct replay row(
	int64_t id, int64_t from, int64_t to, enum replay_kind kind, enum replay_state state)
{
	return (struct replay){ .id = id,
		.topic = "t",
		.partition = 3,
		.from = from,
		.to = to,
		.kind = kind,
		.state = state };
}

START_TEST(the_highest_that_contains_the_record_is_its_epoch)
{
	struct replay items[] = {
		row(5, 100, 200, REPLAY_REWIND, REPLAY_DONE),
		row(9, 150, 160, REPLAY_SIDE, REPLAY_OPEN), /* of tenant A */
		row(7, 150, 300, REPLAY_REWIND, REPLAY_OPEN),
	};
	const struct replay_list list = { items, COUNT(items) };
	static const struct {
		const char *topic;
		int32_t partition;
		int64_t offset;
		int tenant;
		int64_t epoch;
	} rows[] = {
		{ "t", 3, 99, A, 0 },
		{ "t", 3, 100, A, 5 },
		{ "t", 3, 149, A, 5 },
		{ "t", 3, 150, A, 9 },
		{ "t", 3, 150, B, 7 },
		{ "t", 3, 150, NOBODY, 7 },
		{ "t", 3, 159, A, 9 },
		{ "t", 3, 160, A, 7 },
		{ "t", 3, 199, B, 7 },
		{ "t", 3, 299, B, 7 },
		{ "t", 3, 300, B, 0 },
		{ "t", 2, 150, A, 0 },
		{ "u", 3, 150, A, 0 },
		{ "tt", 3, 150, A, 0 },
	};

	items[1].has_tenant = true;
	items[1].tenant = tenant_of(A);
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(replay_epoch(&list, rows[i].topic, rows[i].partition, rows[i].offset,
				      tenant_of(rows[i].tenant)) == rows[i].epoch,
			"row %zu", i);
}
END_TEST

/* Every pair of kind and state: a skip handles nothing again; what waits or was refused never
 * began; what was open once counts for ever, or a crash would change an epoch. */
START_TEST(what_was_ever_open_counts)
{
	static const bool counts[][6] = {
		[REPLAY_REWIND] = { [REPLAY_OPEN] = true,
			[REPLAY_PAUSED] = true,
			[REPLAY_DONE] = true,
			[REPLAY_ABORTED] = true },
		[REPLAY_SKIP] = { false },
		[REPLAY_SIDE] = { [REPLAY_OPEN] = true,
			[REPLAY_PAUSED] = true,
			[REPLAY_DONE] = true,
			[REPLAY_ABORTED] = true },
	};

	for (int kind = REPLAY_REWIND; kind <= REPLAY_SIDE; kind++) {
		for (int state = REPLAY_HELD; state <= REPLAY_REFUSED; state++) {
			struct replay item =
				row(4, 0, 10, (enum replay_kind)kind, (enum replay_state)state);
			const struct replay_list list = { &item, 1 };
			ck_assert_msg(replay_epoch(&list, "t", 3, 5, tenant_of(A)) ==
					      (counts[kind][state] ? 4 : 0),
				"%s %s", replay_kind_name(item.kind),
				replay_state_name(item.state));
		}
	}
}
END_TEST

START_TEST(without_replays_there_is_no_epoch)
{
	const struct replay_list none = { NULL, 0 };
	struct replay empty = row(4, 7, 7, REPLAY_REWIND, REPLAY_OPEN);
	const struct replay_list list = { &empty, 1 };

	ck_assert_int_eq(replay_epoch(&none, "t", 3, 5, tenant_of(A)), 0);
	ck_assert_int_eq(replay_epoch(&list, "t", 3, 7, tenant_of(A)), 0);
}
END_TEST

/* The words of the table's CHECKs. */
START_TEST(names_are_the_tables)
{
	static const char *const kinds[] = { "rewind", "skip", "side" };
	static const char *const states[] = { "held", "open", "paused", "done", "aborted",
		"refused" };

	for (size_t i = 0; i < COUNT(kinds); i++)
		ck_assert_str_eq(replay_kind_name((enum replay_kind)i), kinds[i]);
	for (size_t i = 0; i < COUNT(states); i++)
		ck_assert_str_eq(replay_state_name((enum replay_state)i), states[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replay");
	TCase *tcase = tcase_create("replay");

	tcase_add_test(tcase, the_highest_that_contains_the_record_is_its_epoch);
	tcase_add_test(tcase, what_was_ever_open_counts);
	tcase_add_test(tcase, without_replays_there_is_no_epoch);
	tcase_add_test(tcase, names_are_the_tables);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
