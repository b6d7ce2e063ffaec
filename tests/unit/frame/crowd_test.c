/* Calls under way to one target have a limit, and say nothing about others. */
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

static void leave(struct crowd *crowd, int first, int count, bool went_well)
{
	for (int i = 0; i < count; i++)
		crowd_leave(crowd, &callers[first + i], went_well);
}

START_TEST(each_target_has_its_room)
{
	struct crowd *crowd = crowd_new(16);

	ck_assert_int_eq(room(crowd, pair_of(1, 1), 8, 0), CROWD_FIRST);
	ck_assert_int_eq(room(crowd, pair_of(1, 2), 8, 10), CROWD_FIRST);
	ck_assert_int_eq(room(crowd, pair_of(2, 1), 8, 20), CROWD_FIRST);
	leave(crowd, 10, 1, true);
	ck_assert_int_eq(room(crowd, pair_of(1, 1), 8, 30), 0);
	leave(crowd, 0, 1, false);
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
			leave(crowd, 0, 1, true);
		}
		ck_assert_int_eq(room(crowd, one, 8, 0), given);
		leave(crowd, 0, given, false);
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
		leave(crowd, 0, 1, true);
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

START_TEST(without_a_limit_there_is_room_for_all)
{
	struct crowd *crowd = crowd_new(4);
	int64_t wait_ms;

	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < 4; i++)
			ck_assert(enter(crowd, (struct entry){ pair_of(1, 0), 0, i, 0 }, &wait_ms));
		leave(crowd, 0, 4, turn != 1);
	}
	crowd_free(crowd);
	crowd_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crowd");
	TCase *tcase = tcase_create("crowd");

	tcase_add_test(tcase, each_target_has_its_room);
	tcase_add_test(tcase, what_goes_well_gets_more_and_what_fails_begins_anew);
	tcase_add_test(tcase, what_goes_well_for_long_is_not_given_less);
	tcase_add_test(tcase, who_is_not_let_in_comes_again_when_it_may_help);
	tcase_add_test(tcase, without_a_limit_there_is_room_for_all);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
