#include "frame/topic.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/partition.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct topic_space space = { "esteira.", 12, 60 };

static struct tenant some_tenant(void)
{
	struct tenant tenant;

	ck_assert(id_parse(STR("018f4d3a-7b1c-7000-8000-0123456789ab"), &tenant.id));
	return tenant;
}

/* Names are frozen: whoever changes one here breaks every installation. */
static const struct {
	enum topic topic;
	const char *suffix, *name, *reader, *dlq;
	uint32_t partitions, spread;
} rows[] = {
	{ TOPIC_INTAKE_EVENTS, "intake.events", "esteira.intake.events", "outreach",
		"esteira.intake.events.esteira.outreach.dlq", 12, 1 },
	{ TOPIC_OCR_JOBS, "ocr.jobs", "esteira.ocr.jobs", "ocr", "esteira.ocr.jobs.esteira.ocr.dlq",
		60, 8 },
	{ TOPIC_OCR_EVENTS, "ocr.events", "esteira.ocr.events", "intake",
		"esteira.ocr.events.esteira.intake.dlq", 12, 1 },
	{ TOPIC_AUDIT_TRAIL, "audit.trail", "esteira.audit.trail", "audit",
		"esteira.audit.trail.esteira.audit.dlq", 12, 1 },
	{ TOPIC_OUTREACH_COMMANDS, "outreach.commands", "esteira.outreach.commands", "outreach",
		"esteira.outreach.commands.esteira.outreach.dlq", 12, 8 },
	{ TOPIC_OUTREACH_EVENTS, "outreach.events", "esteira.outreach.events", "intake",
		"esteira.outreach.events.esteira.intake.dlq", 12, 1 },
};

START_TEST(names_and_sizes)
{
	struct arena *arena = arena_new(1 << 16);

	ck_assert_uint_eq(COUNT(rows), TOPIC_COUNT);
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum topic topic = rows[i].topic;
		const char *const *readers = topic_readers(topic);
		char *name = topic_name(&space, topic, arena);
		ck_assert_str_eq(topic_suffix(topic), rows[i].suffix);
		ck_assert_str_eq(name, rows[i].name);
		ck_assert_uint_eq(topic_partitions(&space, topic), rows[i].partitions);
		if (rows[i].reader == NULL) {
			ck_assert_ptr_null(readers[0]);
			continue;
		}
		ck_assert_str_eq(readers[0], rows[i].reader);
		ck_assert_ptr_null(readers[1]);
		ck_assert_str_eq(topic_dlq(name, topic_group(&space, readers[0], arena), arena),
			rows[i].dlq);
	}
	arena_free(arena);
}
END_TEST

START_TEST(spreads_as_declared)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (int n = 0; n < 200; n++) {
			char key[16];
			snprintf(key, sizeof key, "job-%d", n);
			ck_assert_int_eq(topic_partition_of(
						 &space, rows[i].topic, some_tenant(), str_of(key)),
				partition_of(some_tenant(), str_of(key), rows[i].spread,
					rows[i].partitions));
		}
	}
}
END_TEST

START_TEST(says_when_the_arena_is_full)
{
	struct arena *arena = arena_new(8);

	ck_assert_ptr_null(topic_name(&space, TOPIC_OCR_JOBS, arena));
	ck_assert_ptr_null(topic_dlq("esteira.ocr.jobs", "esteira.ocr", arena));
	ck_assert_ptr_null(topic_group(&space, "audit", arena));
	arena_free(arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("topic");
	TCase *tcase = tcase_create("topic");

	tcase_add_test(tcase, names_and_sizes);
	tcase_add_test(tcase, spreads_as_declared);
	tcase_add_test(tcase, says_when_the_arena_is_full);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
