/* The same event is never in two hands; different ones do not wait for each other. */
#include "frame/gate.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WORKERS = 8, ROUNDS = 5000, BATCH = 5, IDS = 24 };

struct world {
	struct gate *gate;
	atomic_int inside[IDS]; /* workers at each event */
	atomic_int wrong;
};

struct worker {
	struct world *world;
	unsigned seed;
	pthread_t thread;
};

static struct id id_of(unsigned n)
{
	struct id id = { .bytes = { 1 } };

	/* two of them in a bucket */
	id.bytes[0] = (uint8_t)(n % 2);
	id.bytes[15] = (uint8_t)(n / 2);
	return id;
}

/* Batches of random events, the same one twice among them now and then. */
static void *come_and_go(void *arg)
{
	struct worker *worker = arg;
	struct world *world = worker->world;
	struct gate_event events[BATCH];
	unsigned numbers[BATCH];

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < BATCH; i++) {
			worker->seed = worker->seed * 1103515245 + 12345;
			numbers[i] = (worker->seed >> 16) % IDS;
			events[i].id = id_of(numbers[i]);
		}
		numbers[1] = numbers[0];
		events[1].id = events[0].id;
		gate_enter(world->gate, events, BATCH);
		for (int i = 1; i < BATCH; i++) {
			bool first = true;
			for (int k = 1; k < i; k++)
				first = first && numbers[k] != numbers[i];
			if (first && atomic_fetch_add(&world->inside[numbers[i]], 1) != 0)
				atomic_fetch_add(&world->wrong, 1);
			if (!first)
				numbers[i] = IDS;
		}
		for (int i = 1; i < BATCH; i++)
			if (numbers[i] < IDS)
				atomic_fetch_sub(&world->inside[numbers[i]], 1);
		gate_leave(world->gate, events, BATCH);
	}
	return NULL;
}

START_TEST(nobody_is_at_the_same_event)
{
	struct world world = { .gate = gate_new() };
	struct worker workers[WORKERS];

	ck_assert_ptr_nonnull(world.gate);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .world = &world, .seed = i };
		ck_assert_int_eq(
			pthread_create(&workers[i].thread, NULL, come_and_go, &workers[i]), 0);
	}
	for (int i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
	ck_assert_int_eq(world.wrong, 0);
	gate_free(world.gate);
	gate_free(NULL);
}
END_TEST

/* One thread may be inside with one batch and enter with another: it would hang if they waited. */
START_TEST(different_events_do_not_wait)
{
	struct gate *gate = gate_new();
	struct gate_event one[] = { { .id = id_of(0) }, { .id = id_of(2) } };
	struct gate_event other[] = { { .id = id_of(1) }, { .id = id_of(3) } };

	for (int i = 0; i < 3; i++) {
		gate_enter(gate, one, 2);
		gate_enter(gate, other, 2);
		gate_leave(gate, one, 2);
		gate_leave(gate, other, 2);
	}
	gate_enter(gate, NULL, 0);
	gate_leave(gate, NULL, 0);
	gate_free(gate);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gate");
	TCase *tests = tcase_create("gate");

	tcase_add_test(tests, nobody_is_at_the_same_event);
	tcase_add_test(tests, different_events_do_not_wait);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
