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
	{ "x.intake.events.x.outreach.dlq", 4, true },
	{ "x.ocr.jobs", 9, false },
	{ "x.ocr.jobs.x.ocr.dlq", 9, true },
	{ "x.ocr.events", 4, false },
	{ "x.ocr.events.x.intake.dlq", 4, true },
	{ "x.audit.trail", 4, false },
	{ "x.audit.trail.x.audit.dlq", 4, true },
	{ "x.outreach.commands", 4, false },
	{ "x.outreach.commands.x.outreach.dlq", 4, true },
	{ "x.outreach.events", 4, false },
	{ "x.outreach.events.x.intake.dlq", 4, true },
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

static struct err compare(struct arena *arena, struct topics_row *row, const char *retention)
{
	struct kafka_admin_topic_setting settings[TOPICS_SETTINGS], found[TOPICS_SETTINGS];

	ck_assert_int_eq(topics_settings(row->dlq, 3, arena, settings).kind, ERR_OK);
	memcpy(found, settings, sizeof found);
	found[0].value = retention;
	return topics_compare(row, 3, settings, found, arena);
}

/* What a topic is found like, and what is said about it. */
static const struct {
	int row;
	int64_t partitions, replicas;
	const char *retention, *state, *said;
} compared[] = {
	{ 2, 9, 3, "604800000", "exists", NULL },
	{ 3, 9, 3, "2592000000", "exists", NULL },
	{ 2, 7, 3, "604800000", "differs",
		"7 partitions where 9 are configured; the count is fixed at birth" },
	{ 2, 9, 1, "604800000", "differs", "1 replicas where 3 are configured" },
	{ 2, 9, 3, "-1", "differs", "retention.ms is -1, declared 604800000" },
	{ 3, 9, 3, "604800000", "differs", "retention.ms is 604800000, declared 2592000000" },
	{ 2, 9, 3, NULL, "differs", "retention.ms is unknown, declared 604800000" },
	{ 2, 9, 2, "1", "differs",
		"2 replicas where 3 are configured; retention.ms is 1, declared 604800000" },
};

START_TEST(a_difference_is_named)
{
	struct arena *arena = arena_new(1 << 16);
	struct codec_list rows = plan(arena);
	struct topics_row *row = (struct topics_row *)rows.items + compared[_i].row;

	row->found = compared[_i].partitions;
	row->replicas = compared[_i].replicas;
	ck_assert_int_eq(compare(arena, row, compared[_i].retention).kind, ERR_OK);
	ck_assert_str_eq(row->state, compared[_i].state);
	if (compared[_i].said == NULL)
		ck_assert_ptr_null(row->difference);
	else
		ck_assert_str_eq(row->difference, compared[_i].said);
	arena_free(arena);
}
END_TEST

START_TEST(what_differs_is_said_first)
{
	struct arena *arena = arena_new(1 << 16);
	struct codec_list rows = plan(arena);
	struct topics_row *row = rows.items;

	found_all(&rows);
	ck_assert_int_eq(topics_judge(&rows, arena).kind, ERR_OK);
	row[0].state = "missing";
	row[2].state = row[4].state = "differs";
	row[2].difference = "too wide";
	struct err e = topics_judge(&rows, arena);
	ck_assert_int_eq(e.kind, ERR_REJECT);
	ck_assert_str_eq(e.msg, "2 topics differ, first topic x.ocr.jobs: too wide");
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
	tcase_add_loop_test(tests, a_difference_is_named, 0, sizeof compared / sizeof *compared);
	tcase_add_test(tests, what_differs_is_said_first);
	tcase_add_test(tests, what_is_missing_is_counted);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
