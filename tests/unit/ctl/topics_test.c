#include "topics.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int64_t partitions;
	bool dlq;
} declared[] = {
	{ "x.intake.events", 4, false },
	{ "x.ocr.jobs", 9, false },
	{ "x.ocr.jobs.x.ocr.dlq", 9, true },
	{ "x.ocr.events", 4, false },
	{ "x.ocr.events.x.intake.dlq", 4, true },
	{ "x.audit.trail", 4, false },
	{ "x.audit.trail.x.audit.dlq", 4, true },
};

enum { DECLARED = sizeof declared / sizeof *declared };

static struct codec_list plan(struct arena *arena)
{
	static const struct topic_space space = { "x.", 4, 9 };
	struct codec_list rows = { NULL, 0 };

	ck_assert_int_eq(topics_plan(&space, arena, &rows).kind, ERR_OK);
	return rows;
}

START_TEST(every_topic_and_a_dlq_for_each_reader)
{
	struct arena *arena = arena_new(1 << 16);
	struct codec_list rows = plan(arena);
	const struct topics_row *row = rows.items;

	ck_assert_uint_eq(rows.count, DECLARED);
	for (size_t i = 0; i < DECLARED; i++) {
		ck_assert_str_eq(row[i].topic, declared[i].name);
		ck_assert_int_eq(row[i].partitions, declared[i].partitions);
		ck_assert_int_eq(row[i].dlq, declared[i].dlq);
		ck_assert_str_eq(row[i].state, "missing");
	}
	arena_free(arena);
}
END_TEST

static void found_all(struct codec_list *rows)
{
	struct topics_row *row = rows->items;

	for (size_t i = 0; i < rows->count; i++) {
		row[i].found = row[i].partitions;
		row[i].state = "exists";
	}
}

START_TEST(a_difference_names_both_numbers)
{
	struct arena *arena = arena_new(1 << 16);
	struct codec_list rows = plan(arena);
	struct topics_row *row = rows.items;

	found_all(&rows);
	ck_assert_int_eq(topics_judge(&rows, arena).kind, ERR_OK);
	row[1].state = "differs";
	row[1].found = 7;
	struct err e = topics_judge(&rows, arena);
	ck_assert_int_eq(e.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(e.msg, "x.ocr.jobs has 7 partitions where 9"));
	arena_free(arena);
}
END_TEST

START_TEST(what_is_missing_is_counted)
{
	struct arena *arena = arena_new(1 << 16);
	struct codec_list rows = plan(arena);
	struct topics_row *row = rows.items;

	found_all(&rows);
	row[0].state = row[3].state = "missing";
	struct err e = topics_judge(&rows, arena);
	ck_assert_int_eq(e.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(e.msg, "2 topics are missing"));
	arena_free(arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/topics");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, every_topic_and_a_dlq_for_each_reader);
	tcase_add_test(tests, a_difference_names_both_numbers);
	tcase_add_test(tests, what_is_missing_is_counted);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
