/*
 * Workers share transactions, of one kind and never two of the same event, and each
 * has its own result. The transactions are stand-ins that note what they were called with; the
 * source is included to see who waits.
 */
#include "frame/gather.c"

#include <check.h>
#include <sched.h>
#include <stdatomic.h>

enum { CALLS_MAX = 32, ARENA_BYTES = 64 << 10, ROUNDS = 5000, CROWD = 16 };

/* What the stand-ins do and saw; the service's state of struct execute_conf. */
struct world {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool closed; /* transactions wait for it */
	int running, most, calls, wrong;
	size_t sizes[CALLS_MAX]; /* of each call, in order */
	int poison;		 /* the event that fails, with why */
	struct err why;
	struct gather *gather;
	struct execute_conf conf;
};

/* A worker. */
struct seat {
	pthread_t thread;
	struct transact t;
	struct record record;
	struct task task;
	struct scope scope;
	bool spends;
	struct err e;
	_Atomic bool over;
};

/* --- stand-ins --- */

static int number_of(const struct task *task)
{
	return task->entry.event_id.bytes[0];
}

static bool in_order(const struct task *tasks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && transact_compare_partitions(&tasks[i - 1], &tasks[i]) > 0)
			return false;
		for (size_t k = 0; k < i; k++)
			if (number_of(&tasks[k]) == number_of(&tasks[i]))
				return false;
	}
	return count > 0 && count <= GATHER_MAX;
}

static struct err judge(
	const struct world *world, const struct transact *t, const struct task *tasks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (number_of(&tasks[i]) != world->poison)
			continue;
		struct err e = world->why;
		e.msg = arena_printf(t->arena, "%s of %d", e.msg, number_of(&tasks[i]));
		return e;
	}
	return err_ok();
}

/* What a transaction leaves on a task is there once when it succeeded, else not at all. */
static struct err run(const struct transact *t, struct task *tasks, size_t count, bool spends)
{
	struct world *world = t->conf->state;

	pthread_mutex_lock(&world->lock);
	world->running++;
	if (world->running > world->most)
		world->most = world->running;
	if (world->calls < CALLS_MAX)
		world->sizes[world->calls] = count;
	world->calls++;
	world->wrong += !in_order(tasks, count);
	for (size_t i = 0; i < count; i++) {
		/* in two transactions at a time */
		world->wrong += tasks[i].record->state == RECORD_RUNNING;
		tasks[i].record->state = RECORD_RUNNING;
	}
	while (world->closed)
		pthread_cond_wait(&world->opened, &world->lock);
	pthread_mutex_unlock(&world->lock);
	struct err e = judge(world, t, tasks, count);
	for (size_t i = 0; i < count && (e.kind == ERR_OK || count > 1); i++) {
		*(spends ? &tasks[i].handler_us : &tasks[i].wait_ms) += 1;
		tasks[i].fate = TASK_DONE;
		tasks[i].scope->user = tasks[i].scope;
	}
	sched_yield();
	pthread_mutex_lock(&world->lock);
	for (size_t i = 0; i < count; i++)
		tasks[i].record->state = RECORD_WAITING;
	world->running--;
	pthread_mutex_unlock(&world->lock);
	return e;
}

struct err transact_work_claim(const struct transact *t, struct task *tasks, size_t count)
{
	return run(t, tasks, count, false);
}

struct err transact_work_spend(const struct transact *t, struct task *tasks, size_t count)
{
	return run(t, tasks, count, true);
}

/* --- workers --- */

static struct partition here = { .topic = "a" }, there = { .topic = "b" };

static void world_init(struct world *world, unsigned leaders)
{
	*world = (struct world){ .poison = -1, .gather = gather_new(leaders) };
	ck_assert_ptr_nonnull(world->gather);
	world->conf.state = world;
	pthread_mutex_init(&world->lock, NULL);
	pthread_cond_init(&world->opened, NULL);
}

static void world_done(struct world *world)
{
	ck_assert_int_eq(world->wrong, 0);
	ck_assert_int_eq(world->running, 0);
	ck_assert_ptr_null(world->gather->first);
	ck_assert_ptr_null(world->gather->last);
	gather_free(world->gather);
	pthread_cond_destroy(&world->opened);
	pthread_mutex_destroy(&world->lock);
}

static void seat_init(struct world *world, struct seat *seat, int event)
{
	*seat = (struct seat){ .t = { &world->conf, arena_new(ARENA_BYTES) } };
	ck_assert_ptr_nonnull(seat->t.arena);
	seat->record.partition = &here;
	seat->task = (struct task){ .record = &seat->record, .scope = &seat->scope };
	seat->task.entry.event_id.bytes[0] = (uint8_t)event;
}

static struct err turn(struct seat *seat)
{
	struct gather *gather = ((struct world *)seat->t.conf->state)->gather;

	return seat->spends ? gather_spend(gather, &seat->t, &seat->task)
			    : gather_claim(gather, &seat->t, &seat->task);
}

static void *sit(void *arg)
{
	struct seat *seat = arg;

	seat->e = turn(seat);
	seat->over = true;
	return NULL;
}

/* How many wait for somebody to take them along. */
static size_t queued(struct world *world)
{
	size_t count = 0;

	pthread_mutex_lock(&world->gather->lock);
	for (const struct ticket *ticket = world->gather->first; ticket != NULL;
		ticket = ticket->next)
		count++;
	pthread_mutex_unlock(&world->gather->lock);
	return count;
}

static int running(struct world *world)
{
	pthread_mutex_lock(&world->lock);
	int count = world->running;
	pthread_mutex_unlock(&world->lock);
	return count;
}

/* The first ones, one for each that may lead, are inside their transactions; the others queue, in
 * the order of the seats. */
static void seat_all(struct world *world, struct seat *seats, size_t count, size_t leaders)
{
	world->closed = true;
	for (size_t i = 0; i < count; i++) {
		ck_assert_int_eq(pthread_create(&seats[i].thread, NULL, sit, &seats[i]), 0);
		while (i < leaders && running(world) < (int)i + 1)
			sched_yield();
		while (i >= leaders && queued(world) < i + 1 - leaders)
			sched_yield();
	}
	for (size_t i = 0; i < count; i++)
		ck_assert(!seats[i].over);
}

static void let_all_through(struct world *world, struct seat *seats, size_t count)
{
	pthread_mutex_lock(&world->lock);
	world->closed = false;
	pthread_cond_broadcast(&world->opened);
	pthread_mutex_unlock(&world->lock);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(pthread_join(seats[i].thread, NULL), 0);
}

static void sizes_are(const struct world *world, const size_t *sizes, int calls)
{
	ck_assert_int_eq(world->calls, calls);
	for (int i = 0; i < calls; i++)
		ck_assert_uint_eq(world->sizes[i], sizes[i]);
}

/* Of a task whose transaction succeeded. */
static void is_done_once(const struct seat *seat)
{
	ck_assert_int_eq(seat->e.kind, ERR_OK);
	ck_assert_int_eq(seat->task.fate, TASK_DONE);
	ck_assert_int_eq(seat->task.wait_ms, seat->spends ? 0 : 1);
	ck_assert_int_eq(seat->task.handler_us, seat->spends ? 1 : 0);
	ck_assert_ptr_eq(seat->scope.user, &seat->scope); /* and not a copy's that is gone */
}

static void is_untouched(const struct seat *seat)
{
	ck_assert_int_eq(seat->task.fate, TASK_OPEN);
	ck_assert_int_eq(seat->task.wait_ms, 0);
	ck_assert_int_eq(seat->task.handler_us, 0);
	ck_assert_ptr_null(seat->scope.user);
}

static void empty(struct seat *seats, size_t count)
{
	for (size_t i = 0; i < count; i++)
		arena_free(seats[i].t.arena);
}

/* --- tests --- */

START_TEST(who_is_alone_waits_for_nobody)
{
	struct world world;
	struct seat seat;

	world_init(&world, 1);
	seat_init(&world, &seat, 1);
	for (int i = 0; i < 2; i++) {
		seat.task = (struct task){ .record = &seat.record, .scope = &seat.scope };
		seat.spends = i == 1;
		sit(&seat);
		is_done_once(&seat);
	}
	sizes_are(&world, (const size_t[]){ 1, 1 }, 2);
	empty(&seat, 1);
	world_done(&world);
	gather_free(NULL);
}
END_TEST

/* The second transaction is led by the one that has waited longest, and full. */
START_TEST(who_waits_is_taken_along_up_to_the_limit)
{
	enum { COUNT = 2 + GATHER_MAX + 5 };
	struct world world;
	struct seat seats[COUNT];

	world_init(&world, 1);
	for (size_t i = 0; i < COUNT; i++)
		seat_init(&world, &seats[i], (int)(i * 37 % COUNT)); /* all different */
	seat_all(&world, seats, COUNT, 1);
	let_all_through(&world, seats, COUNT);
	sizes_are(&world, (const size_t[]){ 1, GATHER_MAX, COUNT - GATHER_MAX - 1 }, 3);
	for (size_t i = 0; i < COUNT; i++)
		is_done_once(&seats[i]);
	ck_assert_int_eq(world.most, 1);
	empty(seats, COUNT);
	world_done(&world);
}
END_TEST

START_TEST(as_many_lead_as_there_are_connections)
{
	enum { COUNT = 7, LEADERS = 3 };
	struct world world;
	struct seat seats[COUNT];

	world_init(&world, LEADERS);
	for (size_t i = 0; i < COUNT; i++)
		seat_init(&world, &seats[i], (int)i);
	seat_all(&world, seats, COUNT, LEADERS);
	ck_assert_int_eq(running(&world), LEADERS);
	let_all_through(&world, seats, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		is_done_once(&seats[i]);
	ck_assert_int_eq(world.most, LEADERS);
	empty(seats, COUNT);
	world_done(&world);
}
END_TEST

/* What goes with 1 is 3, of another partition, and 5. */
START_TEST(kinds_and_copies_are_kept_apart)
{
	struct world world;
	static const struct {
		int event, epoch;
		bool spends, elsewhere;
	} table[] = { { 9, 0, false, false }, { 1, 0, false, false }, { 1, 0, false, false },
		{ 2, 0, true, false }, { 3, 0, false, true }, { 4, 0, true, false },
		{ 5, 0, false, false }, { 1, 7, false, false }, { 2, 0, true, true } };
	enum { COUNT = sizeof table / sizeof *table };
	struct seat seats[COUNT];

	world_init(&world, 1);
	for (size_t i = 0; i < COUNT; i++) {
		seat_init(&world, &seats[i], table[i].event);
		seats[i].task.entry.epoch = table[i].epoch;
		seats[i].spends = table[i].spends;
		seats[i].record.partition = table[i].elsewhere ? &there : &here;
	}
	seat_all(&world, seats, COUNT, 1);
	let_all_through(&world, seats, COUNT);
	sizes_are(&world, (const size_t[]){ 1, 3, 1, 2, 1, 1 }, 6);
	for (size_t i = 0; i < COUNT; i++)
		is_done_once(&seats[i]);
	empty(seats, COUNT);
	world_done(&world);
}
END_TEST

START_TEST(a_failure_is_that_of_its_record)
{
	enum { COUNT = 5 };
	struct world world;
	struct seat seats[COUNT];

	world_init(&world, 1);
	world.poison = 3;
	world.why = err_reject(ERR_CODE_TENANT_MISMATCH, "poison");
	for (size_t i = 0; i < COUNT; i++)
		seat_init(&world, &seats[i], (int)(COUNT - i));
	seat_all(&world, seats, COUNT, 1);
	let_all_through(&world, seats, COUNT);
	sizes_are(&world, (const size_t[]){ 1, 4, 1, 1, 1, 1 }, 6);
	for (size_t i = 0; i < COUNT; i++) {
		if (number_of(&seats[i].task) != world.poison) {
			is_done_once(&seats[i]);
			continue;
		}
		ck_assert_int_eq(seats[i].e.kind, ERR_REJECT);
		ck_assert(err_is(seats[i].e, ERR_CODE_TENANT_MISMATCH));
		ck_assert_str_eq(seats[i].e.msg, "poison of 3");
		is_untouched(&seats[i]);
	}
	empty(seats, COUNT);
	world_done(&world);
}
END_TEST

/* All wait for Postgres; each holds the text of it in its own memory. */
START_TEST(an_outage_is_that_of_all)
{
	enum { COUNT = 5 };
	struct world world;
	struct seat seats[COUNT];

	world_init(&world, 1);
	world.poison = 1;
	world.why = err_retry(ERR_CODE_POSTGRES_AWAY, "outage");
	for (size_t i = 0; i < COUNT; i++)
		seat_init(&world, &seats[i], (int)i);
	seat_all(&world, seats, COUNT, 1);
	let_all_through(&world, seats, COUNT);
	sizes_are(&world, (const size_t[]){ 1, COUNT - 1 }, 2);
	is_done_once(&seats[0]);
	for (size_t i = 1; i < COUNT; i++) {
		ck_assert(err_is(seats[i].e, ERR_CODE_POSTGRES_AWAY));
		ck_assert_str_eq(seats[i].e.msg, "outage of 1");
		is_untouched(&seats[i]);
		for (size_t k = 1; k < i; k++)
			ck_assert_ptr_ne(seats[i].e.msg, seats[k].e.msg);
		arena_free(seats[i].t.arena); /* the next one's text is still there */
	}
	empty(seats, 1);
	world_done(&world);
}
END_TEST

static void *come_and_go(void *arg)
{
	struct seat *seat = arg;
	struct world *world = seat->t.conf->state;
	int wrong = 0;

	for (int round = 0; round < ROUNDS; round++) {
		seat->spends = round % 2 == 1;
		seat->record.partition = round % 5 == 0 ? &there : &here;
		seat->task = (struct task){ .record = &seat->record, .scope = &seat->scope };
		/* two of each at the same time; an eighth of all fails */
		seat->task.entry.event_id.bytes[0] =
			(uint8_t)((seat->record.offset / 2 + round) % (CROWD / 2));
		struct err e = turn(seat);
		bool poisoned = number_of(&seat->task) == world->poison;
		wrong += poisoned != (e.kind != ERR_OK);
		wrong += poisoned && strcmp(e.msg, "poison of 5") != 0;
		wrong += seat->task.wait_ms != (!poisoned && !seat->spends);
		wrong += seat->task.handler_us != (!poisoned && seat->spends);
		arena_reset(seat->t.arena);
	}
	pthread_mutex_lock(&world->lock);
	world->wrong += wrong;
	pthread_mutex_unlock(&world->lock);
	return NULL;
}

/* For the thread sanitizer above all. */
START_TEST(a_crowd_comes_and_goes)
{
	struct world world;
	struct seat seats[CROWD];

	world_init(&world, 2);
	world.poison = 5;
	world.why = err_retry(ERR_CODE_TRY_AGAIN, "poison");
	for (int i = 0; i < CROWD; i++) {
		seat_init(&world, &seats[i], 0);
		seats[i].record.offset = i;
		ck_assert_int_eq(pthread_create(&seats[i].thread, NULL, come_and_go, &seats[i]), 0);
	}
	for (int i = 0; i < CROWD; i++)
		ck_assert_int_eq(pthread_join(seats[i].thread, NULL), 0);
	ck_assert_int_le(world.most, 2);
	ck_assert_uint_eq(world.gather->leaders, 2);
	empty(seats, CROWD);
	world_done(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gather");
	TCase *tcase = tcase_create("gather");

	tcase_add_test(tcase, who_is_alone_waits_for_nobody);
	tcase_add_test(tcase, who_waits_is_taken_along_up_to_the_limit);
	tcase_add_test(tcase, as_many_lead_as_there_are_connections);
	tcase_add_test(tcase, kinds_and_copies_are_kept_apart);
	tcase_add_test(tcase, a_failure_is_that_of_its_record);
	tcase_add_test(tcase, an_outage_is_that_of_all);
	tcase_add_test(tcase, a_crowd_comes_and_goes);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
