#include "groups.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { NOW_MS = 1000000000 };

static const char jobs[] = "x.ocr.jobs", events[] = "x.ocr.events";

static struct groups_look_part parts[] = {
	{ { .topic = jobs, .partition = 0, .offset = 10, .due = 1, .dead = 2, .epoch = 7 }, 10, 15,
		NOW_MS - 3000 },
	{ { .topic = jobs,
		  .partition = 1,
		  .offset = 5,
		  .blocked = 3,
		  .held = 1,
		  .hold = { "rewind", 5, 25, 0 } },
		5, 105, NOW_MS - 90500 },
	{ { .topic = jobs, .partition = 2, .offset = 8, .hold = { "rewind", 8, 9, 60000 } }, 8, 8,
		CODEC_NO_INT },
	{ { .topic = jobs, .partition = 3, .offset = 2, .hold = { "skip", 1, 2, 60000 } }, 2, 2,
		CODEC_NO_INT },
	/* nothing committed; a clock ahead of ours */
	{ { .topic = events, .partition = 0, .offset = 0, .overflow = 4, .epoch = 2 }, CODEC_NO_INT,
		2, NOW_MS + 5000 },
};

static const struct groups_look_group group = { "ocr", "ocr", NULL, "x.ocr", "Stable", 2, parts,
	5 };

START_TEST(partitions_of_a_topic_are_summed)
{
	struct arena *arena = arena_new(1 << 16);
	struct groups_row items[5];
	struct codec_list rows = { items, 0 };

	ck_assert_int_eq(groups_sum(&group, NOW_MS, arena, &rows).kind, ERR_OK);
	ck_assert_uint_eq(rows.count, 2);
	ck_assert_str_eq(items[0].group, "x.ocr");
	ck_assert_str_eq(items[0].topic, jobs);
	ck_assert_str_eq(items[0].state, "Stable");
	ck_assert_int_eq(items[0].members, 2);
	ck_assert_int_eq(items[0].lag, 105);
	ck_assert_int_eq(items[0].oldest_s, 90);
	ck_assert_int_eq(items[0].due, 1);
	ck_assert_int_eq(items[0].blocked, 3);
	ck_assert_int_eq(items[0].overflow, 0);
	ck_assert_int_eq(items[0].held, 1);
	ck_assert_int_eq(items[0].dead, 2);
	ck_assert_int_eq(items[0].epoch, 7);
	ck_assert_str_eq(items[0].holds,
		"rewind of 2 partitions, 21 records, since 1970-01-01T00:00:00.000Z; "
		"skip of 1 partitions, 1 records, since 1970-01-01T00:01:00.000Z");
	ck_assert_str_eq(items[1].topic, events);
	ck_assert_int_eq(items[1].lag, 2);
	ck_assert_int_eq(items[1].oldest_s, 0);
	ck_assert_ptr_null(items[1].holds);
	arena_free(arena);
}
END_TEST

START_TEST(a_partition_says_what_is_held)
{
	struct arena *arena = arena_new(1 << 16);
	struct groups_partition items[5];
	struct codec_list rows = { items, 0 };

	ck_assert_int_eq(groups_detail(&group, NOW_MS, arena, &rows).kind, ERR_OK);
	ck_assert_uint_eq(rows.count, 5);
	ck_assert_int_eq(items[1].partition, 1);
	ck_assert_int_eq(items[1].committed, 5);
	ck_assert_int_eq(items[1].lag, 100);
	ck_assert_str_eq(items[1].hold, "rewind of 5 to 25, since 1970-01-01T00:00:00.000Z");
	ck_assert_int_eq(items[2].lag, 0);
	ck_assert_int_eq(items[2].oldest_s, CODEC_NO_INT);
	ck_assert_int_eq(items[4].committed, CODEC_NO_INT);
	ck_assert_ptr_null(items[4].hold);
	arena_free(arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/groups");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, partitions_of_a_topic_are_summed);
	tcase_add_test(tests, a_partition_says_what_is_held);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
