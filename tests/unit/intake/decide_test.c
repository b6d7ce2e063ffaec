#include "job/decide.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What a decision says, in words: verdict or new status, then what follows from it. */
static void describe(const struct decide_job *job, struct decision d, char *text, size_t max)
{
	static const char *const verdicts[] = { "apply", "same", "refuse" };
	bool applies = d.verdict == DECIDE_APPLY;

	snprintf(text, max, "%s%s%s%s%s%s%s%s",
		applies ? decide_status_name(d.status) : verdicts[d.verdict],
		d.audit == NULL ? "" : " ", d.audit == NULL ? "" : d.audit,
		d.error_code == ERR_CODE_NONE ? "" : " ",
		d.error_code == ERR_CODE_NONE ? "" : err_code_name(d.error_code),
		d.purge_now ? " purge" : "", d.object_gone ? " gone" : "",
		d.drop_result ? " drop" : "");
	ck_assert(applies || d.status == job->status);
}

/* Every pair, written from the design (documents, one owner of a job's end) and not from the code.
 */
static const struct {
	enum decide_status status;
	const char *started, *completed, *failed, *deleted, *overdue, *cancel;
} pairs[] = {
	{ DECIDE_PENDING, "processing PROCESSING", "completed COMPLETED", "failed FAILED", "refuse",
		"failed FAILED expired purge", "failed FAILED cancelled purge" },
	{ DECIDE_PROCESSING, "same", "completed COMPLETED", "failed FAILED", "refuse",
		"failed FAILED expired purge", "failed FAILED cancelled purge" },
	{ DECIDE_COMPLETED, "refuse", "same", "refuse", "completed PURGED gone",
		"completed PURGED gone", "completed PURGED drop" },
	{ DECIDE_FAILED, "refuse", "refuse drop", "same", "failed PURGED gone",
		"failed PURGED gone", "same" },
};

START_TEST(walks_every_pair)
{
	ck_assert_uint_eq(COUNT(pairs), DECIDE_STATUSES);
	for (size_t s = 0; s < COUNT(pairs); s++) {
		const char *const expected[] = { pairs[s].started, pairs[s].completed,
			pairs[s].failed, pairs[s].deleted, pairs[s].overdue, pairs[s].cancel };
		const struct decide_job job = { .status = pairs[s].status };
		ck_assert_uint_eq(COUNT(expected), DECIDE_EVENTS);
		for (int event = 0; event < DECIDE_EVENTS; event++) {
			char text[128];
			describe(&job, decide(&job, (enum decide_event)event), text, sizeof text);
			ck_assert_msg(strcmp(text, expected[event]) == 0,
				"%s, event %d: %s, not %s", decide_status_name(job.status), event,
				text, expected[event]);
		}
	}
}
END_TEST

/* What is known to be gone is not said again; what else the event does stays the same. */
START_TEST(says_nothing_twice)
{
	static const struct {
		struct decide_job job;
		enum decide_event event;
		const char *expected;
	} rows[] = {
		{ { DECIDE_COMPLETED, true, false }, DECIDE_ON_DELETED, "same" },
		{ { DECIDE_COMPLETED, true, false }, DECIDE_ON_OVERDUE, "same" },
		{ { DECIDE_FAILED, true, false }, DECIDE_ON_DELETED, "same" },
		{ { DECIDE_FAILED, true, false }, DECIDE_ON_OVERDUE, "same" },
		{ { DECIDE_COMPLETED, false, true }, DECIDE_ON_CANCEL, "same" },
		{ { DECIDE_COMPLETED, true, true }, DECIDE_ON_CANCEL, "same" },
		{ { DECIDE_FAILED, false, true }, DECIDE_ON_CANCEL, "same" },
		/* one does not stand for the other */
		{ { DECIDE_COMPLETED, true, false }, DECIDE_ON_CANCEL, "completed PURGED drop" },
		{ { DECIDE_COMPLETED, false, true }, DECIDE_ON_DELETED, "completed PURGED gone" },
		{ { DECIDE_COMPLETED, false, true }, DECIDE_ON_OVERDUE, "completed PURGED gone" },
		{ { DECIDE_FAILED, true, false }, DECIDE_ON_COMPLETED, "refuse drop" },
		{ { DECIDE_FAILED, true, false }, DECIDE_ON_STARTED, "refuse" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[128];
		describe(&rows[i].job, decide(&rows[i].job, rows[i].event), text, sizeof text);
		ck_assert_msg(strcmp(text, rows[i].expected) == 0, "row %zu: %s", i, text);
	}
}
END_TEST

/* Ends are final, whatever order events come in: all sequences of five. */
START_TEST(an_end_is_final)
{
	enum { STEPS = 5 };
	int sequences = 1;

	for (int i = 0; i < STEPS; i++)
		sequences *= DECIDE_EVENTS;
	for (int n = 0; n < sequences; n++) {
		struct decide_job job = { .status = DECIDE_PENDING };
		int ends = 0, purges = 0, code = n;
		for (int i = 0; i < STEPS; i++, code /= DECIDE_EVENTS) {
			struct decision d = decide(&job, (enum decide_event)(code % DECIDE_EVENTS));
			bool was_open = job.status < DECIDE_COMPLETED;
			if (d.verdict != DECIDE_APPLY)
				continue;
			ck_assert(was_open || d.status == job.status);
			ck_assert(d.status >= job.status);
			ends += was_open && d.status >= DECIDE_COMPLETED;
			purges += d.object_gone;
			job.purged = job.purged || d.object_gone;
			job.result_deleted = job.result_deleted || d.drop_result;
			job.status = d.status;
		}
		ck_assert_int_le(ends, 1);
		ck_assert_int_le(purges, 1);
		ck_assert(purges == 0 || ends == 1);
	}
}
END_TEST

/* The words between the quotes of a column's CHECK in a migration, as "a,b,c". */
static void check_words(const char *path, const char *column, char *ret_words, size_t max)
{
	static char sql[1 << 16];
	FILE *file = fopen(path, "re");
	size_t len = 0;

	ck_assert_ptr_nonnull(file);
	sql[fread(sql, 1, sizeof sql - 1, file)] = '\0';
	fclose(file);
	const char *at = strstr(sql, column), *end = at == NULL ? NULL : strchr(at, ')');
	ck_assert_ptr_nonnull(end);
	for (bool inside = false; at < end && len + 1 < max; at++) {
		if (*at == '\'')
			inside = !inside;
		else if (inside || (*at == ',' && len > 0))
			ret_words[len++] = *at;
	}
	ret_words[len] = '\0';
}

START_TEST(has_the_names_of_the_column)
{
	char words[256], names[256] = "";

	check_words(TEST_SOURCE_DIR "/migrations/deploy/intake/jobs.sql", "CHECK (status IN (",
		words, sizeof words);
	for (int status = 0; status < DECIDE_STATUSES; status++) {
		const char *name = decide_status_name((enum decide_status)status);
		enum decide_status back;
		size_t len = strlen(names);
		snprintf(names + len, sizeof names - len, "%s%s", len == 0 ? "" : ",", name);
		ck_assert(decide_status_parse(str_of(name), &back));
		ck_assert_int_eq(back, status);
	}
	ck_assert_str_eq(names, words);
}
END_TEST

START_TEST(audits_with_the_words_of_the_trail)
{
	char words[256];

	check_words(TEST_SOURCE_DIR "/migrations/deploy/audit/logs.sql", "CHECK (action IN (",
		words, sizeof words);
	for (int n = 0; n < (int)DECIDE_STATUSES * (int)DECIDE_EVENTS; n++) {
		const struct decide_job job = { .status = (enum decide_status)(n / DECIDE_EVENTS) };
		struct decision d = decide(&job, (enum decide_event)(n % DECIDE_EVENTS));
		ck_assert_msg(d.audit == NULL || strstr(words, d.audit) != NULL, "%s", d.audit);
		ck_assert((d.audit != NULL) == (d.verdict == DECIDE_APPLY));
	}
}
END_TEST

START_TEST(parses_nothing_else)
{
	static const char *const others[] = { "", "Pending", "pending ", "pend", "pendingx",
		"cancelled", "expired", "0" };

	for (size_t i = 0; i < COUNT(others); i++) {
		enum decide_status status = DECIDE_STATUSES;
		ck_assert(!decide_status_parse(str_of(others[i]), &status));
		ck_assert_int_eq(status, DECIDE_STATUSES);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide");
	TCase *tcase = tcase_create("decide");

	tcase_add_test(tcase, walks_every_pair);
	tcase_add_test(tcase, says_nothing_twice);
	tcase_add_test(tcase, an_end_is_final);
	tcase_add_test(tcase, has_the_names_of_the_column);
	tcase_add_test(tcase, audits_with_the_words_of_the_trail);
	tcase_add_test(tcase, parses_nothing_else);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
