#include "api/ingest.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "port/loop.h"

/* A broker pays per request, not per record, so records gather for LINGER_MS unless BATCH_RECORDS
 * are there before. Before 2.2 the library spins through the last millisecond of that time: with
 * 1 ms it is all spin, half of the process's CPU; with 5 ms many records are sent before it begins.
 */
enum {
	LINGER_MS = 5,
	BATCH_RECORDS = 32,
	SLICE = 32,	  /* items of a job in its turn */
	TURNS = 32,	  /* before Kafka is looked at again */
	LOOK_MS = 50,	  /* at deadlines, while something is under way */
	IDLE_MS = 1000,	  /* nothing is */
	STUCK_MS = 10000, /* nothing got through for so long: the producer starts clean */
	STACK_BYTES = 512 * 1024,
};

/* A queue of jobs by one of their links. */
struct queue {
	struct ingest_job *first, *last;
};

/* What the two threads share, under the lock. */
struct shared {
	struct queue incoming; /* by turn_next */
	struct queue ended;    /* by post_next */
	size_t jobs;	       /* submitted and not dropped */
	bool posted, asleep, stopping;
};

struct ingest {
	struct ingest_conf conf;
	pthread_t thread;
	pthread_mutex_t lock;
	struct shared shared;
	struct kafka_producer *producer; /* set under the lock, which a waker holds */
	/* the thread's own */
	struct arena *arena;
	struct queue jobs, turns;
	struct ingest_item item;
	bool holds; /* item is the next record of the first in turns, for which there was no room */
	size_t waiting;
	int64_t progress_ms, looked_ms;
};

/* --- queues --- */

static void push_turn(struct queue *queue, struct ingest_job *job)
{
	job->state.turn_next = NULL;
	if (queue->last == NULL)
		queue->first = job;
	else
		queue->last->state.turn_next = job;
	queue->last = job;
}

static struct ingest_job *pop_turn(struct queue *queue)
{
	struct ingest_job *job = queue->first;

	if (job == NULL)
		return NULL;
	queue->first = job->state.turn_next;
	if (queue->first == NULL)
		queue->last = NULL;
	return job;
}

static void drop_turn(struct ingest *ingest, struct ingest_job *job)
{
	struct queue left = { NULL, NULL };
	struct ingest_job *one;

	if (ingest->turns.first == job)
		ingest->holds = false;
	while ((one = pop_turn(&ingest->turns)) != NULL)
		if (one != job)
			push_turn(&left, one);
	ingest->turns = left;
}

static void add_job(struct queue *jobs, struct ingest_job *job)
{
	job->state.prev = jobs->last;
	job->state.next = NULL;
	if (jobs->last == NULL)
		jobs->first = job;
	else
		jobs->last->state.next = job;
	jobs->last = job;
}

static void remove_job(struct queue *jobs, struct ingest_job *job)
{
	if (job->state.prev == NULL)
		jobs->first = job->state.next;
	else
		job->state.prev->state.next = job->state.next;
	if (job->state.next == NULL)
		jobs->last = job->state.prev;
	else
		job->state.next->state.prev = job->state.prev;
}

/* --- ends, told to the loop --- */

/* A job may be told of twice before the loop looks: it stands in the queue once. */
static void tell(struct ingest *ingest, struct ingest_job *job, bool drop)
{
	struct queue *ended = &ingest->shared.ended;

	pthread_mutex_lock(&ingest->lock);
	if (!job->state.tell_done && !job->state.tell_drop) {
		job->state.post_next = NULL;
		if (ended->last == NULL)
			ended->first = job;
		else
			ended->last->state.post_next = job;
		ended->last = job;
	}
	job->state.tell_done = job->state.tell_done || !drop;
	job->state.tell_drop = job->state.tell_drop || drop;
	pthread_mutex_unlock(&ingest->lock);
}

static void release(struct ingest *ingest, struct ingest_job *job)
{
	remove_job(&ingest->jobs, job);
	tell(ingest, job, true);
}

static void answer(struct ingest *ingest, struct ingest_job *job, struct err e)
{
	if (job->state.giving)
		drop_turn(ingest, job);
	job->state.giving = false;
	job->state.answered = true;
	job->state.e = e;
	tell(ingest, job, false);
	if (job->state.waiting == 0)
		release(ingest, job);
}

static struct ingest_job *take_ended(struct ingest *ingest, bool *ret_done, bool *ret_drop)
{
	struct queue *ended = &ingest->shared.ended;

	pthread_mutex_lock(&ingest->lock);
	struct ingest_job *job = ended->first;
	ingest->shared.posted = ingest->shared.posted && job != NULL;
	if (job != NULL) {
		ended->first = job->state.post_next;
		if (ended->first == NULL)
			ended->last = NULL;
		*ret_done = job->state.tell_done;
		*ret_drop = job->state.tell_drop;
		job->state.tell_done = job->state.tell_drop = false;
		ingest->shared.jobs -= *ret_drop;
	}
	pthread_mutex_unlock(&ingest->lock);
	return job;
}

/* On the loop. */
static void on_ended(void *arg)
{
	struct ingest *ingest = arg;
	struct ingest_job *job;
	bool done, drop;

	while ((job = take_ended(ingest, &done, &drop)) != NULL) {
		if (done)
			job->done(job, job->state.e);
		if (drop)
			job->drop(job);
	}
}

/* One post for all that ended since the last one was run. */
static void post_ended(struct ingest *ingest)
{
	pthread_mutex_lock(&ingest->lock);
	bool post = ingest->shared.ended.first != NULL && !ingest->shared.posted;
	ingest->shared.posted = ingest->shared.posted || post;
	pthread_mutex_unlock(&ingest->lock);
	/* not taken: the loop has ended, and with it the jobs' owners */
	bool taken = post && loop_post(ingest->conf.loop, on_ended, ingest);
	(void)taken;
}

/* --- Kafka --- */

static void on_delivered(void *arg, uint64_t tag, struct err e)
{
	struct ingest *ingest = arg;
	struct ingest_job *job = (struct ingest_job *)(uintptr_t)tag;

	job->state.waiting--;
	ingest->waiting--;
	if (e.kind == ERR_OK)
		ingest->progress_ms = clock_mono_ms();
	if (job->state.answered && job->state.waiting == 0)
		release(ingest, job);
	else if (!job->state.answered && e.kind != ERR_OK)
		answer(ingest, job, e);
	else if (!job->state.answered && !job->state.giving && job->state.waiting == 0)
		answer(ingest, job, err_ok());
}

static void set_producer(struct ingest *ingest, struct kafka_producer *producer)
{
	pthread_mutex_lock(&ingest->lock);
	ingest->producer = producer;
	pthread_mutex_unlock(&ingest->lock);
}

/* Ends everything that waits for Kafka: what it was asked is forgotten. */
static void close_producer(struct ingest *ingest)
{
	struct kafka_producer *old = ingest->producer;
	const struct err away = err_retry(ERR_CODE_KAFKA_AWAY, "");

	set_producer(ingest, NULL);
	kafka_producer_close(old);
	for (struct ingest_job *job = ingest->jobs.first, *next; job != NULL; job = next) {
		next = job->state.next;
		if (job->state.waiting == 0)
			continue;
		ingest->waiting -= job->state.waiting; /* no report came */
		job->state.waiting = 0;
		if (job->state.answered)
			release(ingest, job);
		else
			answer(ingest, job, away);
	}
}

static struct err renew_producer(struct ingest *ingest)
{
	struct kafka_producer *fresh;

	close_producer(ingest);
	TRY(kafka_producer_open(&ingest->conf.kafka, on_delivered, ingest, &fresh));
	ingest->progress_ms = clock_mono_ms();
	set_producer(ingest, fresh);
	return err_ok();
}

/* --- giving --- */

static struct err send_item(struct ingest *ingest, struct ingest_job *job)
{
	struct err e = kafka_producer_send(
		ingest->producer, &ingest->item.record, (uint64_t)(uintptr_t)job);

	ingest->holds = err_is(e, ERR_CODE_TRY_AGAIN);
	TRY(e);
	if (ingest->waiting++ == 0)
		ingest->progress_ms = clock_mono_ms();
	job->state.waiting++;
	return err_ok();
}

/* A slice of the job. ERR_RETRY try-again: Kafka takes no more for now. */
static struct err give(struct ingest *ingest, struct ingest_job *job)
{
	for (int n = 0; n < SLICE; n++) {
		if (!ingest->holds) {
			arena_reset(ingest->arena);
			TRY(job->next(job, ingest->arena, &ingest->item));
		}
		if (ingest->item.kind == INGEST_RECORD)
			TRY(send_item(ingest, job));
		if (ingest->item.kind == INGEST_END) {
			job->state.giving = false;
			return err_ok();
		}
	}
	return err_ok();
}

/* False when Kafka takes no more for now. */
static bool take_turns(struct ingest *ingest)
{
	for (int n = 0; n < TURNS && ingest->turns.first != NULL; n++) {
		struct ingest_job *job = ingest->turns.first;
		struct err e = give(ingest, job);
		if (err_is(e, ERR_CODE_TRY_AGAIN))
			return false;
		pop_turn(&ingest->turns);
		if (e.kind == ERR_OK && job->state.giving) {
			push_turn(&ingest->turns, job);
			continue;
		}
		job->state.giving = false; /* it stands in turns no more */
		if (e.kind != ERR_OK || job->state.waiting == 0)
			answer(ingest, job, e);
	}
	return true;
}

/* --- the thread --- */

static bool take_incoming(struct ingest *ingest)
{
	struct queue all;
	struct ingest_job *job;

	pthread_mutex_lock(&ingest->lock);
	all = ingest->shared.incoming;
	ingest->shared.incoming = (struct queue){ NULL, NULL };
	bool stopping = ingest->shared.stopping;
	pthread_mutex_unlock(&ingest->lock);
	while ((job = pop_turn(&all)) != NULL) {
		add_job(&ingest->jobs, job);
		push_turn(&ingest->turns, job);
	}
	return !stopping;
}

static void end_all(struct ingest *ingest, enum err_code code, int64_t until_ms)
{
	for (struct ingest_job *job = ingest->jobs.first, *next; job != NULL; job = next) {
		next = job->state.next;
		if (job->state.since_ms > until_ms)
			return;
		if (!job->state.answered)
			answer(ingest, job, err_retry(code, ""));
	}
}

/* Deadlines, and a producer that gets nothing through. */
static struct err look(struct ingest *ingest)
{
	int64_t now_ms = clock_mono_ms();

	if (now_ms - ingest->looked_ms < LOOK_MS)
		return err_ok();
	ingest->looked_ms = now_ms;
	end_all(ingest, ERR_CODE_KAFKA_AWAY, now_ms - INGEST_WAIT_MS);
	if (ingest->waiting > 0 && now_ms - ingest->progress_ms >= STUCK_MS)
		return renew_producer(ingest);
	return err_ok();
}

/* Serves reports; waits for them or for ingest_submit when there is nothing to give. */
static struct err rest(struct ingest *ingest, bool room)
{
	int timeout_ms = ingest->jobs.first == NULL ? IDLE_MS : LOOK_MS;

	pthread_mutex_lock(&ingest->lock);
	bool work = ingest->shared.incoming.first != NULL || ingest->shared.stopping;
	bool sleep = !work && !(room && ingest->turns.first != NULL);
	ingest->shared.asleep = sleep;
	pthread_mutex_unlock(&ingest->lock);
	struct err e = kafka_producer_poll(ingest->producer, sleep ? timeout_ms : 0);
	pthread_mutex_lock(&ingest->lock);
	ingest->shared.asleep = false;
	pthread_mutex_unlock(&ingest->lock);
	return e.kind == ERR_FATAL ? renew_producer(ingest) : err_ok();
}

static void *thread_main(void *arg)
{
	struct ingest *ingest = arg;
	struct err e = err_ok();

	while (take_incoming(ingest) && e.kind == ERR_OK) {
		bool room = take_turns(ingest);
		post_ended(ingest);
		e = rest(ingest, room);
		if (e.kind == ERR_OK)
			e = look(ingest);
		post_ended(ingest);
	}
	if (e.kind != ERR_OK)
		ingest->conf.fail(ingest->conf.arg, e);
	pthread_mutex_lock(&ingest->lock);
	ingest->shared.stopping = true;
	pthread_mutex_unlock(&ingest->lock);
	(void)take_incoming(ingest);
	end_all(ingest, ERR_CODE_SHUTTING_DOWN, INT64_MAX);
	close_producer(ingest);
	post_ended(ingest);
	return NULL;
}

struct err ingest_submit(struct ingest *ingest, struct ingest_job *job)
{
	struct err e = err_ok();

	job->state = (struct ingest_state){ .since_ms = clock_mono_ms(), .giving = true };
	pthread_mutex_lock(&ingest->lock);
	if (ingest->shared.stopping)
		e = err_retry(ERR_CODE_SHUTTING_DOWN, "");
	else if (ingest->shared.jobs >= INGEST_JOBS_MAX)
		e = err_retry(ERR_CODE_OVERLOADED, "");
	if (e.kind == ERR_OK) {
		ingest->shared.jobs++;
		push_turn(&ingest->shared.incoming, job);
		if (ingest->shared.asleep && ingest->producer != NULL)
			kafka_producer_wake(ingest->producer);
		ingest->shared.asleep = false;
	}
	pthread_mutex_unlock(&ingest->lock);
	return e;
}

/* --- opening and closing --- */

static struct err start(struct ingest *ingest)
{
	pthread_attr_t attr;

	TRY(kafka_producer_open(&ingest->conf.kafka, on_delivered, ingest, &ingest->producer));
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	int failed = pthread_create(&ingest->thread, &attr, thread_main, ingest);
	pthread_attr_destroy(&attr);
	if (failed == 0)
		return err_ok();
	kafka_producer_close(ingest->producer);
	return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no more threads");
}

struct err ingest_open(const struct ingest_conf *conf, struct ingest **ret_ingest)
{
	struct ingest *ingest = calloc(1, sizeof *ingest);

	if (ingest == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	ingest->conf = *conf;
	ingest->conf.kafka.linger_ms = LINGER_MS;
	ingest->conf.kafka.batch_records = BATCH_RECORDS;
	ingest->arena = arena_new(conf->arena_bytes);
	pthread_mutex_init(&ingest->lock, NULL);
	struct err e = ingest->arena == NULL
			       ? err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with")
			       : start(ingest);
	if (e.kind != ERR_OK) {
		ingest_free(ingest);
		return e;
	}
	*ret_ingest = ingest;
	return err_ok();
}

void ingest_stop(struct ingest *ingest)
{
	if (ingest == NULL)
		return;
	pthread_mutex_lock(&ingest->lock);
	ingest->shared.stopping = true;
	if (ingest->producer != NULL)
		kafka_producer_wake(ingest->producer);
	pthread_mutex_unlock(&ingest->lock);
	pthread_join(ingest->thread, NULL);
}

void ingest_free(struct ingest *ingest)
{
	if (ingest == NULL)
		return;
	pthread_mutex_destroy(&ingest->lock);
	arena_free(ingest->arena);
	free(ingest);
}
