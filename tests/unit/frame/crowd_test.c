/* Calls under way to one target have a limit, and targets that hang leave room for the proven ones.
 */
#include "frame/crowd.h"

#include <check.h>
#include <stdlib.h>

static struct brake_pair pair_of(uint8_t tenant, uint8_t target)
{
	struct brake_pair pair = { .route = "r" };

	pair.tenant.id.bytes[0] = tenant;
	pair.target.bytes[15] = target;
	return pair;
}

/* Callers are numbered by the addresses of this. */
static const char callers[300];

struct entry {
	struct brake_pair pair;
	int most, caller;
	int64_t now_ms;
};

static bool enter(struct crowd *crowd, struct entry entry, int64_t *ret_wait_ms)
{
	const struct crowd_call call = { entry.pair, &callers[entry.caller], entry.most,
		entry.now_ms };

	return crowd_enter(crowd, &call, ret_wait_ms);
}

/* How many callers from the first on are let in at once. */
static int room(struct crowd *crowd, struct brake_pair pair, int most, int first)
{
	int64_t wait_ms;
	int count = 0;

	while (enter(crowd, (struct entry){ pair, most, first + count, 0 }, &wait_ms))
		count++;
	return count;
}

static void leave(struct crowd *crowd, int first, int count, enum crowd_end end)
{
	for (int i = 0; i < count; i++)
		crowd_leave(crowd, &callers[first + i], end);
}

/* The target's calls went well so often. */
static void prove(struct crowd *crowd, struct brake_pair pair, int times)
{
	int64_t wait_ms;

	for (int i = 0; i < times; i++) {
		ck_assert(enter(crowd, (struct entry){ pair, 8, 299, 0 }, &wait_ms));
		leave(crowd, 299, 1, CROWD_WELL);
	}
}

/* Calls at 0 to new targets of as many tenants, numbered from the first caller on. */
static int hang(struct crowd *crowd, int first, int most)
{
	int64_t wait_ms;
	int count = 0;

	while (count < most &&
		enter(crowd,
			(struct entry){ pair_of((uint8_t)(100 + count), (uint8_t)(100 + count)), 8,
				first + count, 0 },
			&wait_ms))
		count++;
	return count;
}

START_TEST(however_many_hang_the_proven_ones_go)
{
	struct crowd *crowd = crowd_new(128);
	const struct brake_pair well = pair_of(1, 1), fresh = pair_of(1, 2), bad = pair_of(1, 3);
	int64_t wait_ms = 0;

	prove(crowd, well, 8);
	ck_assert_int_eq(hang(crowd, 0, 100), 64);
	ck_assert_int_eq(room(crowd, well, 8, 64), 8);
	ck_assert(!enter(crowd, (struct entry){ fresh, 8, 80, 7000 }, &wait_ms));
	ck_assert_int_eq(wait_ms, 7000);
	leave(crowd, 0, 1, CROWD_FAILED);
	ck_assert_int_eq(room(crowd, fresh, 8, 80), 1); /* once one has left */
	leave(crowd, 80, 1, CROWD_WELL);
	ck_assert_int_eq(hang(crowd, 0, 1), 1);
	ck_assert_int_eq(room(crowd, fresh, 8, 80), CROWD_FIRST + 1); /* proven by now */
	leave(crowd, 64, 1, CROWD_FAILED);
	ck_assert_int_eq(room(crowd, well, 8, 100), 0); /* no more */
	leave(crowd, 64 + 1, 7, CROWD_NOTHING);
	ck_assert_int_eq(room(crowd, well, 8, 100), 0);
	ck_assert_int_eq(room(crowd, bad, 8, 100), 0);
	crowd_free(crowd);
}
END_TEST

/* One tenant's that hang leave a few places for who is new elsewhere. */
START_TEST(a_tenant_does_not_keep_others_from_beginning)
{
	static const int cases[][2] = { { 1, 1 }, { 2, 1 }, { 3, 2 }, { 8, 3 }, { 128, 48 } };
	int64_t wait_ms;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct crowd *crowd = crowd_new((size_t)cases[i][0]);
		int count = 0;
		while (enter(
			crowd, (struct entry){ pair_of(1, (uint8_t)count), 8, count, 0 }, &wait_ms))
			count++;
		ck_assert_int_eq(count, cases[i][1]);
		for (uint8_t tenant = 2; tenant < 4 && cases[i][0] == 128; tenant++) {
			int first = 100 * tenant - 100;
			ck_assert_int_eq(room(crowd, pair_of(tenant, 1), 8, first), CROWD_FIRST);
			ck_assert_int_eq(room(crowd, pair_of(tenant, 2), 8, first + 50), 0);
		}
		crowd_free(crowd);
	}
}
END_TEST

START_TEST(the_others_have_half_of_it)
{
	static const int cases[][2] = { { 1, 1 }, { 2, 1 }, { 3, 2 }, { 4, 2 }, { 128, 64 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct crowd *crowd = crowd_new((size_t)cases[i][0]);
		ck_assert_int_eq(hang(crowd, 0, 100), cases[i][1]);
		crowd_free(crowd);
	}
}
END_TEST

/* How a call ended -> whether its target goes although the others have their half. */
START_TEST(what_proves_a_target)
{
	static const struct {
		int most, count;
		enum crowd_end ends[2];
		bool goes;
	} rows[] = { { 8, 0, { 0 }, false }, { 8, 1, { CROWD_WELL }, true },
		{ 8, 1, { CROWD_FAILED }, false }, { 8, 1, { CROWD_NOTHING }, false },
		{ 8, 2, { CROWD_WELL, CROWD_FAILED }, false },
		{ 8, 2, { CROWD_WELL, CROWD_NOTHING }, true },
		{ 8, 2, { CROWD_FAILED, CROWD_WELL }, true },
		{ 8, 2, { CROWD_FAILED, CROWD_NOTHING }, false }, { 1, 1, { CROWD_WELL }, true },
		{ CROWD_FIRST, 1, { CROWD_WELL }, true } };
	const struct brake_pair one = pair_of(1, 1);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct crowd *crowd = crowd_new(16);
		int64_t wait_ms;
		for (int n = 0; n < rows[i].count; n++) {
			ck_assert(
				enter(crowd, (struct entry){ one, rows[i].most, 0, 0 }, &wait_ms));
			leave(crowd, 0, 1, rows[i].ends[n]);
		}
		ck_assert_int_eq(hang(crowd, 10, 100), 8);
		ck_assert_msg(enter(crowd, (struct entry){ one, rows[i].most, 0, 0 }, &wait_ms) ==
				      rows[i].goes,
			"row %zu", i);
		crowd_free(crowd);
	}
}
END_TEST

/* A proven target's calls under way since 0, and how old they are -> how many more it is given
 * beside so many that hang. */
START_TEST(one_that_hangs_has_what_a_new_one_has)
{
	static const struct {
		int under_way;
		int64_t now_ms;
		int hanging, more;
	} rows[] = { { 0, CROWD_SLOW_MS + 1, 0, 8 }, { 1, CROWD_SLOW_MS, 0, 7 },
		{ 1, CROWD_SLOW_MS + 1, 0, 1 }, { 2, CROWD_SLOW_MS, 0, 6 },
		{ 2, CROWD_SLOW_MS + 1, 0, 0 }, { 5, CROWD_SLOW_MS + 1, 0, 0 },
		{ 1, CROWD_SLOW_MS, 16, 7 }, { 1, CROWD_SLOW_MS + 1, 14, 1 },
		{ 1, CROWD_SLOW_MS + 1, 15, 0 }, { 1, CROWD_SLOW_MS + 1, 16, 0 } };
	const struct brake_pair one = pair_of(1, 1);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct crowd *crowd = crowd_new(32);
		int64_t wait_ms;
		int more = 0;
		prove(crowd, one, 8);
		for (int n = 0; n < rows[i].under_way; n++)
			ck_assert(enter(crowd, (struct entry){ one, 8, n, 0 }, &wait_ms));
		ck_assert_int_eq(hang(crowd, 100, rows[i].hanging), rows[i].hanging);
		while (enter(crowd, (struct entry){ one, 8, 50 + more, rows[i].now_ms }, &wait_ms))
			more++;
		ck_assert_msg(more == rows[i].more, "row %zu: %d", i, more);
		crowd_free(crowd);
	}
}
END_TEST

/* Those that went well for a while and then hang take the place of new ones, not of proven ones. */
START_TEST(proven_ones_that_hang_count_among_the_others)
{
	struct crowd *crowd = crowd_new(32);
	const struct brake_pair fresh = pair_of(1, 200), well = pair_of(1, 201);
	int64_t wait_ms;

	prove(crowd, well, 8);
	for (uint8_t n = 0; n < 2; n++) {
		prove(crowd, pair_of(1, n), 8);
		ck_assert_int_eq(room(crowd, pair_of(1, n), 8, n * 8), 8);
	}
	ck_assert(enter(crowd, (struct entry){ fresh, 8, 50, CROWD_SLOW_MS }, &wait_ms));
	leave(crowd, 50, 1, CROWD_NOTHING);
	ck_assert(!enter(crowd, (struct entry){ fresh, 8, 50, CROWD_SLOW_MS + 1 }, &wait_ms));
	ck_assert_int_eq(wait_ms, CROWD_SLOW_MS + 1);
	for (int n = 0; n < 8; n++)
		ck_assert(enter(
			crowd, (struct entry){ well, 8, 50 + n, CROWD_SLOW_MS + 1 }, &wait_ms));
	crowd_free(crowd);
}
END_TEST

START_TEST(each_target_has_its_room)
{
	struct crowd *crowd = crowd_new(16);

	ck_assert_int_eq(room(crowd, pair_of(1, 1), 8, 0), CROWD_FIRST);
	ck_assert_int_eq(room(crowd, pair_of(1, 2), 8, 10), CROWD_FIRST);
	ck_assert_int_eq(room(crowd, pair_of(2, 1), 8, 20), CROWD_FIRST);
	leave(crowd, 10, 1, CROWD_WELL);
	ck_assert_int_eq(room(crowd, pair_of(1, 1), 8, 30), 0);
	leave(crowd, 0, 1, CROWD_FAILED);
	ck_assert_int_eq(room(crowd, pair_of(1, 1), 8, 30), 1);
	crowd_free(crowd);
}
END_TEST

START_TEST(what_goes_well_gets_more_and_what_fails_begins_anew)
{
	const struct brake_pair one = pair_of(1, 1);
	int64_t wait_ms;

	for (int good = 0; good < 10; good++) {
		struct crowd *crowd = crowd_new(16);
		int given = CROWD_FIRST + good < 8 ? CROWD_FIRST + good : 8;

		for (int i = 0; i < good; i++) {
			ck_assert(enter(crowd, (struct entry){ one, 8, 0, 0 }, &wait_ms));
			leave(crowd, 0, 1, CROWD_WELL);
		}
		ck_assert_int_eq(room(crowd, one, 8, 0), given);
		leave(crowd, 0, given, CROWD_FAILED);
		ck_assert_int_eq(room(crowd, one, 8, 0), CROWD_FIRST);
		ck_assert_int_eq(room(crowd, pair_of(1, 2), 8, 10), CROWD_FIRST);
		crowd_free(crowd);
	}
}
END_TEST

START_TEST(what_goes_well_for_long_is_not_given_less)
{
	struct crowd *crowd = crowd_new(300);
	const struct brake_pair one = pair_of(1, 1);
	int64_t wait_ms;

	for (int i = 0; i < 300; i++) {
		ck_assert(enter(crowd, (struct entry){ one, 300, 0, 0 }, &wait_ms));
		leave(crowd, 0, 1, CROWD_WELL);
	}
	ck_assert_int_eq(room(crowd, one, 300, 0), CROWD_FIRST + UINT8_MAX);
	crowd_free(crowd);
}
END_TEST

START_TEST(who_is_not_let_in_comes_again_when_it_may_help)
{
	static const int64_t cases[][2] = { { 0, CROWD_WAIT_MIN_MS },
		{ CROWD_WAIT_MIN_MS + 1, CROWD_WAIT_MIN_MS + 1 }, { 7000, 7000 },
		{ CROWD_WAIT_MAX_MS + 1, CROWD_WAIT_MAX_MS } };
	struct crowd *crowd = crowd_new(4);
	const struct brake_pair one = pair_of(1, 1);
	int64_t wait_ms = 0;

	ck_assert(enter(crowd, (struct entry){ one, 8, 0, 1000 }, &wait_ms));
	ck_assert(enter(crowd, (struct entry){ one, 8, 1, 1000 }, &wait_ms));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert(!enter(crowd, (struct entry){ one, 8, 2, 1000 + cases[i][0] }, &wait_ms));
		ck_assert_int_eq(wait_ms, cases[i][1]);
	}
	crowd_free(crowd);
}
END_TEST

/* They neither count nor learn. */
START_TEST(calls_without_a_limit_are_none_of_the_others)
{
	struct crowd *crowd = crowd_new(8);
	const struct brake_pair one = pair_of(1, 1);
	int64_t wait_ms;

	prove(crowd, one, 8);
	ck_assert(enter(crowd, (struct entry){ one, 0, 0, 0 }, &wait_ms));
	leave(crowd, 0, 1, CROWD_FAILED);
	for (int i = 0; i < 2; i++)
		ck_assert(enter(crowd, (struct entry){ pair_of(2, 2), 0, i, 0 }, &wait_ms));
	ck_assert_int_eq(hang(crowd, 10, 100), 4);
	ck_assert(enter(crowd, (struct entry){ pair_of(2, 2), 0, 2, 0 }, &wait_ms));
	ck_assert(enter(crowd, (struct entry){ one, 8, 3, 0 }, &wait_ms));
	leave(crowd, 3, 1, CROWD_WELL);
	leave(crowd, 10, 1, CROWD_NOTHING);
	ck_assert(enter(crowd, (struct entry){ pair_of(3, 3), 8, 4, CROWD_SLOW_MS + 1 }, &wait_ms));
	crowd_free(crowd);
}
END_TEST

START_TEST(without_a_limit_there_is_room_for_all)
{
	struct crowd *crowd = crowd_new(4);
	int64_t wait_ms;

	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < 4; i++)
			ck_assert(enter(crowd, (struct entry){ pair_of(1, 0), 0, i, 0 }, &wait_ms));
		leave(crowd, 0, 4, turn != 1 ? CROWD_WELL : CROWD_FAILED);
	}
	crowd_free(crowd);
	crowd_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crowd");
	TCase *tcase = tcase_create("crowd");

	tcase_add_test(tcase, however_many_hang_the_proven_ones_go);
	tcase_add_test(tcase, a_tenant_does_not_keep_others_from_beginning);
	tcase_add_test(tcase, the_others_have_half_of_it);
	tcase_add_test(tcase, what_proves_a_target);
	tcase_add_test(tcase, one_that_hangs_has_what_a_new_one_has);
	tcase_add_test(tcase, proven_ones_that_hang_count_among_the_others);
	tcase_add_test(tcase, each_target_has_its_room);
	tcase_add_test(tcase, what_goes_well_gets_more_and_what_fails_begins_anew);
	tcase_add_test(tcase, what_goes_well_for_long_is_not_given_less);
	tcase_add_test(tcase, who_is_not_let_in_comes_again_when_it_may_help);
	tcase_add_test(tcase, calls_without_a_limit_are_none_of_the_others);
	tcase_add_test(tcase, without_a_limit_there_is_room_for_all);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
