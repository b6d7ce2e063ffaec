#include "partner/flight.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char topic_a[] = "x.partner.acme.in", topic_b[] = "x.partner.bank-1.in";

static struct flight *flight_of_three(void)
{
	struct flight *flight = flight_new();
	const struct kafka_place places[] = {
		{ .topic = topic_b, .partition = 1 },
		{ .topic = topic_a, .partition = 1 },
		{ .topic = topic_a, .partition = 0 },
		{ .topic = NULL, .partition = 0 },
		{ .topic = "x.in", .partition = 0 },
		{ .topic = "x.partner..in", .partition = 0 },
	};

	ck_assert_int_eq(flight_assign(flight, "x.", places, 6).kind, ERR_OK);
	ck_assert_uint_eq(flight->place_count, 3);
	return flight;
}

START_TEST(partitions_are_found_with_their_partner)
{
	struct flight *flight = flight_of_three();

	ck_assert_str_eq(flight_find(flight, topic_a, 0)->partner, "acme");
	ck_assert_str_eq(flight_find(flight, topic_a, 1)->partner, "acme");
	ck_assert_str_eq(flight_find(flight, topic_b, 1)->partner, "bank-1");
	ck_assert_ptr_null(flight_find(flight, topic_b, 0));
	ck_assert_ptr_null(flight_find(flight, NULL, 0));
	ck_assert_int_eq(flight_mark(flight, flight_find(flight, topic_a, 0)), -1);
	ck_assert(flight_find(flight, topic_a, 0)->paused);
	flight_forget(flight);
	ck_assert_ptr_null(flight_find(flight, topic_a, 0));
	flight_free(flight);
	flight_free(NULL);
}
END_TEST

START_TEST(the_mark_waits_for_the_first_unfinished)
{
	struct flight *flight = flight_of_three();
	struct flight_place *a = flight_find(flight, topic_a, 0);
	struct flight_place *b = flight_find(flight, topic_b, 1);
	uint32_t slots[4];

	for (int i = 0; i < 4; i++) /* offsets with a gap: compaction, control records */
		slots[i] = flight_add(flight, a, 10 + 2 * i);
	ck_assert_uint_eq(flight_add(flight, b, 5), 4);
	ck_assert_int_eq(flight_mark(flight, a), 10);
	flight_end(flight, slots[1]);
	flight_end(flight, slots[3]);
	ck_assert_int_eq(flight_mark(flight, a), 10);
	flight_end(flight, slots[0]);
	ck_assert_int_eq(flight_mark(flight, a), 14);
	flight_end(flight, slots[2]);
	ck_assert_int_eq(flight_mark(flight, a), 17);
	ck_assert_int_eq(flight_mark(flight, b), 5);
	ck_assert_uint_eq(flight->used, 1);
	flight_free(flight);
}
END_TEST

/* Only its own partition begins again, from the first that is not done. */
START_TEST(a_failure_rewinds_its_partition)
{
	struct flight *flight = flight_of_three();
	struct flight_place *a = flight_find(flight, topic_a, 0);
	struct flight_place *b = flight_find(flight, topic_b, 1);
	uint32_t slots[4];

	for (int i = 0; i < 4; i++)
		slots[i] = flight_add(flight, a, 10 + i);
	uint32_t other = flight_add(flight, b, 5);
	flight_end(flight, slots[0]);
	flight_end(flight, slots[2]);
	flight_fail(flight, slots[3], 1000);
	ck_assert_int_eq(a->back_to, 11);
	ck_assert_int_eq(flight_mark(flight, a), 11);
	ck_assert_uint_eq(a->count, 0);
	ck_assert_int_eq(b->back_to, -1);
	/* 11 is still under way, but nobody waits for it */
	ck_assert_uint_eq(flight->used, 2);
	flight_end(flight, slots[1]);
	ck_assert_int_eq(flight_mark(flight, a), 11);
	ck_assert(!flight_may_go_on(flight, a, 999));
	ck_assert(flight_may_go_on(flight, a, 1000));
	/* one at a time until one is through */
	a->back_to = -1;
	uint32_t again = flight_add(flight, a, 11);
	ck_assert_uint_ne(again, FLIGHT_NONE);
	ck_assert_uint_eq(flight_add(flight, a, 12), FLIGHT_NONE);
	flight_end(flight, again);
	ck_assert_uint_ne(flight_add(flight, a, 12), FLIGHT_NONE);
	ck_assert_uint_ne(flight_add(flight, a, 13), FLIGHT_NONE);
	ck_assert_uint_eq(flight_add(flight, a, 14), FLIGHT_NONE);
	flight_end(flight, other);
	flight_free(flight);
}
END_TEST

/* What is under way when the partitions are taken ends somewhere, and its slot comes back once. */
START_TEST(what_is_forgotten_frees_its_slots_late)
{
	struct flight *flight = flight_of_three();
	const struct kafka_place place = { .topic = topic_a, .partition = 0 };
	struct flight_place *a = flight_find(flight, topic_a, 0);
	uint32_t slots[3];

	for (int i = 0; i < 3; i++)
		slots[i] = flight_add(flight, a, i);
	flight_end(flight, slots[1]);
	ck_assert_int_eq(flight_assign(flight, "x.", &place, 1).kind, ERR_OK);
	a = flight_find(flight, topic_a, 0);
	ck_assert_int_eq(flight_mark(flight, a), -1);
	ck_assert_uint_eq(flight->used, 2);
	flight_end(flight, slots[0]);
	flight_fail(flight, slots[2], 5);
	ck_assert_uint_eq(flight->used, 0);
	ck_assert_int_eq(a->back_to, -1);
	flight_free(flight);
}
END_TEST

START_TEST(there_is_an_end_to_what_is_taken)
{
	struct flight *flight = flight_of_three();
	struct flight_place *a = flight_find(flight, topic_a, 0);
	struct flight_place *all[] = { a, flight_find(flight, topic_a, 1),
		flight_find(flight, topic_b, 1) };
	int64_t offset = 0;

	while (flight_add(flight, a, offset) != FLIGHT_NONE)
		offset++;
	ck_assert_int_eq(offset, FLIGHT_PLACE_MAX);
	ck_assert(!flight_is_full(flight));
	flight_hold(a, offset, 0);
	flight_hold(a, offset + 7, 50); /* held already */
	ck_assert_int_eq(a->back_to, offset);
	ck_assert_int_eq(flight_mark(flight, a), 0);
	ck_assert(!flight_may_go_on(flight, a, 100));
	for (int i = 1; i < 3; i++)
		for (int64_t o = 0; flight_add(flight, all[i], o) != FLIGHT_NONE;)
			o++;
	ck_assert_uint_eq(flight->used, 3 * FLIGHT_PLACE_MAX);
	/* a dead producer: all is read again */
	flight_fail_all(flight, 10);
	ck_assert_uint_eq(flight->used, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(all[i]->back_to, 0);
	flight_free(flight);
}
END_TEST

START_TEST(all_slots_can_be_used_again_and_again)
{
	struct flight *flight = flight_of_three();
	struct flight_place *a = flight_find(flight, topic_a, 0);
	struct flight_place *b = flight_find(flight, topic_b, 1);

	for (int64_t i = 0; i < 3 * FLIGHT_MAX; i++) {
		uint32_t one = flight_add(flight, a, i), two = flight_add(flight, b, i);
		ck_assert_uint_ne(one, FLIGHT_NONE);
		ck_assert_uint_ne(two, FLIGHT_NONE);
		flight_end(flight, i % 2 == 0 ? one : two);
		flight_end(flight, i % 2 == 0 ? two : one);
	}
	ck_assert_int_eq(flight_mark(flight, a), 3 * FLIGHT_MAX);
	ck_assert_uint_eq(flight->used, 0);
	flight_free(flight);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flight");
	TCase *tcase = tcase_create("flight");

	tcase_add_test(tcase, partitions_are_found_with_their_partner);
	tcase_add_test(tcase, the_mark_waits_for_the_first_unfinished);
	tcase_add_test(tcase, a_failure_rewinds_its_partition);
	tcase_add_test(tcase, what_is_forgotten_frees_its_slots_late);
	tcase_add_test(tcase, there_is_an_end_to_what_is_taken);
	tcase_add_test(tcase, all_slots_can_be_used_again_and_again);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
