#include "frame/assign.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { NO = -1 };

#define OURS  "esteira/1;C;e=0"
#define EMPTY ""

/* K: the commit (NO = none) with its metadata; P: the progress row with its cluster. The cluster is
 * C. */
struct row {
	int64_t k;
	const char *metadata;
	int64_t p;
	const char *row_cluster;
	enum assign_case what;
	int64_t start;
};

static const struct row rows[] = {
	/* K ours, K <= P: a crash between Postgres and Kafka; the inbox drops what was seen */
	{ 10, OURS, 10, "C", ASSIGN_RESUME, 10 },
	{ 10, OURS, 11, "C", ASSIGN_RESUME, 10 },
	{ 0, OURS, 500, "C", ASSIGN_RESUME, 0 },
	{ 10, "esteira/2;C;e=3;new=1", 12, "C", ASSIGN_RESUME, 10 },
	{ 10, "esteira/17;other;e=3", 12, "C", ASSIGN_RESUME, 10 },
	/* K ours, K > P: Postgres lost its tail */
	{ 11, OURS, 10, "C", ASSIGN_LOST_ROWS, 10 },
	{ 11, OURS, 0, "C", ASSIGN_LOST_ROWS, 0 },
	/* K ours and no row: the first commit came before the first progress row */
	{ 10, OURS, NO, "", ASSIGN_RESUME, 10 },
	/* K not ours: an operator moved the group */
	{ 3, EMPTY, 10, "C", ASSIGN_REWIND, 3 },
	{ 0, EMPTY, 1, "C", ASSIGN_REWIND, 0 },
	{ 3, "somebody", 10, "C", ASSIGN_REWIND, 3 },
	{ 3, "esteira/;C", 10, "C", ASSIGN_REWIND, 3 },
	{ 12, EMPTY, 10, "C", ASSIGN_SKIP, 12 },
	{ 12, "esteira", 10, "C", ASSIGN_SKIP, 12 },
	{ 10, EMPTY, 10, "C", ASSIGN_SAME, 10 },
	{ 10, EMPTY, NO, "", ASSIGN_SAME, 10 },
	/* no K */
	{ NO, EMPTY, 10, "C", ASSIGN_EXPIRED, 10 },
	{ NO, EMPTY, 0, "C", ASSIGN_EXPIRED, 0 },
	{ NO, EMPTY, NO, "", ASSIGN_FRESH, ASSIGN_EARLIEST },
	/* another cluster: a new incarnation, whatever the commit says */
	{ 10, OURS, 10, "D", ASSIGN_NEW_CLUSTER, ASSIGN_EARLIEST },
	{ 3, EMPTY, 10, "D", ASSIGN_NEW_CLUSTER, ASSIGN_EARLIEST },
	{ NO, EMPTY, 10, "D", ASSIGN_NEW_CLUSTER, ASSIGN_EARLIEST },
	{ 10, OURS, 10, "", ASSIGN_NEW_CLUSTER, ASSIGN_EARLIEST },
	{ 10, OURS, 10, "CC", ASSIGN_NEW_CLUSTER, ASSIGN_EARLIEST },
};

START_TEST(decides)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct assign_input input = { .has_commit = rows[i].k != NO,
			.has_progress = rows[i].p != NO,
			.commit = rows[i].k,
			.progress = rows[i].p,
			.metadata = str_of(rows[i].metadata),
			.cluster = STR("C"),
			.row_cluster = str_of(rows[i].row_cluster) };
		struct assign_decision decision = assign_decide(&input);
		ck_assert_msg(decision.what == rows[i].what, "row %zu: %s, not %s", i,
			assign_case_name(decision.what), assign_case_name(rows[i].what));
		ck_assert_msg(decision.start == rows[i].start, "row %zu: %lld", i,
			(long long)decision.start);
	}
}
END_TEST

/* Never the latest: what was not handled is never stepped over without an operator's word. */
START_TEST(never_starts_behind_what_is_known)
{
	static const char *const metadata[] = { OURS, EMPTY };

	for (int64_t k = NO; k < 4; k++) {
		for (int64_t p = NO; p < 4; p++) {
			for (size_t m = 0; m < COUNT(metadata); m++) {
				const struct assign_input input = { k != NO, p != NO, k, p,
					str_of(metadata[m]), STR("C"), STR("C") };
				struct assign_decision d = assign_decide(&input);
				if (p == NO || d.what == ASSIGN_SKIP)
					continue;
				ck_assert(d.start <= p);
				ck_assert(d.start >= 0);
			}
		}
	}
}
END_TEST

START_TEST(knows_its_own)
{
	static const struct {
		const char *metadata;
		bool ours;
	} cases[] = {
		{ "esteira/1;", true },
		{ "esteira/1;C;e=0", true },
		{ "esteira/2;anything", true },
		{ "esteira/42;C;e=7", true },
		{ "", false },
		{ "esteira", false },
		{ "esteira/", false },
		{ "esteira/1", false },
		{ "esteira/;C", false },
		{ "esteira/x;C", false },
		{ "esteira/1x;C", false },
		{ "esteira/-1;C", false },
		{ "esteira/ 1;C", false },
		{ " esteira/1;C", false },
		{ "Esteira/1;C", false },
		{ "esteiras/1;C", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		ck_assert_msg(assign_is_ours(str_of(cases[i].metadata)) == cases[i].ours, "%s",
			cases[i].metadata);
	ck_assert(!assign_is_ours((struct str){ NULL, 0 }));
}
END_TEST

START_TEST(writes_what_it_knows)
{
	char text[64];

	assign_metadata("abc", 7, text, sizeof text);
	ck_assert_str_eq(text, "esteira/1;abc;e=7");
	ck_assert(assign_is_ours(str_of(text)));
	assign_metadata("a-very-long-cluster-name", 7, text, 16);
	ck_assert_uint_eq(strlen(text), 15);
	ck_assert(assign_is_ours(str_of(text)));
}
END_TEST

START_TEST(names_every_case)
{
	for (int a = ASSIGN_FRESH; a <= ASSIGN_NEW_CLUSTER; a++)
		for (int b = ASSIGN_FRESH; b < a; b++)
			ck_assert_str_ne(assign_case_name((enum assign_case)a),
				assign_case_name((enum assign_case)b));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("assign");
	TCase *tcase = tcase_create("assign");

	tcase_add_test(tcase, decides);
	tcase_add_test(tcase, never_starts_behind_what_is_known);
	tcase_add_test(tcase, knows_its_own);
	tcase_add_test(tcase, writes_what_it_knows);
	tcase_add_test(tcase, names_every_case);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
