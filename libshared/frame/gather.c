#include "frame/gather.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "frame/transact_work.h"

typedef struct err gather_run(const struct transact *t, struct task *tasks, size_t count);

/* What a worker waits for; on its stack. */
struct ticket {
	gather_run *run;
	const struct transact *t;
	struct task *task;
	struct err e;
	bool taken; /* off the list: somebody carries it out, so it must not lead any more */
	bool done;
	pthread_cond_t changed; /* it is done, or may lead */
	struct ticket *next;
};

struct gather {
	pthread_mutex_t lock;
	struct ticket *first, *last; /* nobody carries them out yet */
	unsigned leaders;	     /* more that may lead now */
};

struct gather *gather_new(unsigned leaders)
{
	struct gather *gather = calloc(1, sizeof *gather);

	if (gather == NULL)
		return NULL;
	pthread_mutex_init(&gather->lock, NULL);
	gather->leaders = leaders;
	return gather;
}

void gather_free(struct gather *gather)
{
	if (gather == NULL)
		return;
	pthread_mutex_destroy(&gather->lock);
	free(gather);
}

/* --- the list --- */

static void append(struct gather *gather, struct ticket *ticket)
{
	*(gather->last == NULL ? &gather->first : &gather->last->next) = ticket;
	gather->last = ticket;
}

static bool same_event(const struct ticket *a, const struct ticket *b)
{
	return id_eq(a->task->entry.event_id, b->task->entry.event_id);
}

/* Of the same event one has to end before the other is looked at, also of a replay and what it
 * repeats. */
static bool goes_with(const struct ticket *ticket, struct ticket *const *batch, size_t count)
{
	if (ticket->run != batch[0]->run)
		return false;
	for (size_t i = 0; i < count; i++)
		if (same_event(ticket, batch[i]))
			return false;
	return true;
}

/* Takes the leader's own ticket and what goes with it off the list. */
static size_t take(struct gather *gather, struct ticket *own, struct ticket **batch)
{
	struct ticket *rest = gather->first, *next;
	size_t count = 1;

	batch[0] = own;
	gather->first = gather->last = NULL;
	for (; rest != NULL; rest = next) {
		next = rest->next;
		rest->next = NULL;
		if (rest == own)
			continue;
		if (count < GATHER_MAX && goes_with(rest, batch, count))
			batch[count++] = rest;
		else
			append(gather, rest);
	}
	for (size_t i = 0; i < count; i++)
		batch[i]->taken = true;
	return count;
}

/* --- carrying out --- */

static int by_partition(const void *a, const void *b)
{
	const struct ticket *const *x = a, *const *y = b;

	return transact_compare_partitions((*x)->task, (*y)->task);
}

static void run_alone(struct ticket *ticket)
{
	ticket->e = ticket->run(ticket->t, ticket->task, 1);
}

static bool run_together(struct ticket *const *batch, size_t count)
{
	const struct transact *t = batch[0]->t;
	struct task tasks[GATHER_MAX];
	struct scope scopes[GATHER_MAX]; /* as they were */

	for (size_t i = 0; i < count; i++) {
		tasks[i] = *batch[i]->task;
		scopes[i] = *tasks[i].scope;
	}
	struct err e = batch[0]->run(t, tasks, count);
	bool outage = e.kind == ERR_RETRY && err_code_class(e.code) == ERR_CLASS_DEPENDENCY;
	for (size_t i = 0; i < count; i++) {
		if (e.kind == ERR_OK)
			*batch[i]->task = tasks[i];
		else
			*tasks[i].scope = scopes[i];
		batch[i]->e = arena_keep_err(batch[i]->t->arena, e);
	}
	return e.kind == ERR_OK || outage;
}

/* What was known before is asked again inside each transaction, so a batch can simply be repeated.
 */
static void carry_out(struct ticket **batch, size_t count)
{
	if (count > 1) {
		qsort(batch, count, sizeof *batch, by_partition);
		if (run_together(batch, count))
			return;
	}
	for (size_t i = 0; i < count; i++)
		run_alone(batch[i]);
}

/* Whoever waits first may lead, if anybody may. */
static void wake_next(const struct gather *gather)
{
	if (gather->first != NULL && gather->leaders > 0)
		pthread_cond_signal(&gather->first->changed);
}

static void lead(struct gather *gather, struct ticket *own)
{
	struct ticket *batch[GATHER_MAX];
	size_t count = take(gather, own, batch);

	gather->leaders--;
	wake_next(gather);
	pthread_mutex_unlock(&gather->lock);
	carry_out(batch, count);
	pthread_mutex_lock(&gather->lock);
	gather->leaders++;
	for (size_t i = 0; i < count; i++) {
		batch[i]->done = true;
		pthread_cond_signal(&batch[i]->changed);
	}
	wake_next(gather);
}

static struct err gather_one(
	struct gather *gather, gather_run *run, const struct transact *t, struct task *task)
{
	struct ticket own = { .run = run, .t = t, .task = task };

	pthread_cond_init(&own.changed, NULL);
	pthread_mutex_lock(&gather->lock);
	append(gather, &own);
	while (!own.done && (own.taken || gather->leaders == 0))
		pthread_cond_wait(&own.changed, &gather->lock);
	if (!own.done)
		lead(gather, &own);
	pthread_mutex_unlock(&gather->lock);
	pthread_cond_destroy(&own.changed);
	return own.e;
}

struct err gather_claim(struct gather *gather, const struct transact *t, struct task *task)
{
	return gather_one(gather, transact_work_claim, t, task);
}

struct err gather_spend(struct gather *gather, const struct transact *t, struct task *task)
{
	return gather_one(gather, transact_work_spend, t, task);
}
