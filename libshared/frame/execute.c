#include "frame/execute.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/trace.h"
#include "frame/transact.h"

enum {
	ARENA_BYTES = 16 << 20,
	PATIENCE_MS = 600000,
	DELAY_FIRST_MS = 200,
	DELAY_MAX_MS = 10000,
};

struct worker {
	const struct execute_conf *conf;
	struct transact transact;
	struct record *records[SCHEDULE_BATCH_MAX];
	struct task tasks[SCHEDULE_BATCH_MAX];
	int outage; /* consecutive failures of our own servers */
	bool dead;
};

/* --- telling --- */

static void log_task(
	const struct worker *worker, const struct task *task, const char *event, struct err e)
{
	char trace[TRACE_ID_TEXT_BYTES] = "", id[ID_TEXT_BYTES];
	struct trace parsed;

	if (trace_parse(str_of(task->event.traceparent), &parsed))
		trace_format_id(parsed, trace);
	id_format(task->entry.event_id, id);
	LOG(e.kind == ERR_RETRY ? LOG_WARN : LOG_ERROR, event,
		LOG_TEXT("group", worker->conf->group),
		LOG_TEXT("topic", task->record->partition->topic),
		LOG_INT("partition", task->record->partition->number),
		LOG_INT("offset", task->record->offset), LOG_TEXT("type", task->event.type),
		LOG_TEXT("event_id", id), LOG_TEXT("tenant", task->event.slug),
		LOG_TEXT("trace_id", trace), LOG_ERR(e));
}

static void count(
	const struct worker *worker, const struct task *task, const char *outcome, int64_t took_us)
{
	const struct route *route = task->record->route;

	worker->conf->count(
		worker->conf->arg, route == NULL ? "" : route->type->name, outcome, took_us);
}

/* --- what becomes of a record; each returns whether its lane may go on --- */

static bool done(struct worker *worker, struct task *task, int64_t from_us)
{
	worker->outage = 0;
	count(worker, task, task->entry.seen ? "duplicate" : "done", clock_mono_us() - from_us);
	schedule_finish(worker->conf->schedule, task->record, SCHEDULE_DONE, 0);
	return true;
}

static bool later(struct worker *worker, struct task *task, int64_t delay_ms)
{
	schedule_finish(worker->conf->schedule, task->record, SCHEDULE_LATER, delay_ms);
	return false;
}

static int64_t backoff_ms(int failures)
{
	int64_t ms = DELAY_FIRST_MS;

	while (--failures > 0 && ms < DELAY_MAX_MS)
		ms *= 2;
	return ms / 2 + clock_mono_us() % (ms / 2 + 1); /* jitter: nobody retries in step */
}

static bool is_outage(struct err e)
{
	return e.kind == ERR_RETRY && err_code_class(e.code) == ERR_CLASS_DEPENDENCY;
}

static bool patience_is_over(struct record *record)
{
	if (record->past.here_ms == 0)
		record->past.here_ms = clock_mono_ms();
	if (record->past.first_ms == 0)
		record->past.first_ms = clock_wall_ms();
	return clock_mono_ms() - record->past.here_ms > PATIENCE_MS;
}

static void die(struct worker *worker, struct err e)
{
	worker->dead = true;
	worker->conf->fatal(worker->conf->arg, e);
}

/* A server of ours is away: it is no attempt, the record keeps its place. */
static bool wait_out(struct worker *worker, struct task *task, struct err e)
{
	enum health_part part = health_part_of(e);

	if (worker->outage++ == 0)
		log_task(worker, task, "record.waiting", e);
	if (part != HEALTH_PARTS)
		health_report(worker->conf->health, part, e, -1);
	return later(worker, task, backoff_ms(worker->outage));
}

static bool bury(struct worker *worker, struct task *task, struct err why)
{
	log_task(worker, task, "record.dead", why);
	task->entry.seen = false;
	struct err e = transact_bury(&worker->transact, task, why);
	if (e.kind == ERR_OK) {
		count(worker, task, "dead", -1);
		schedule_finish(worker->conf->schedule, task->record, SCHEDULE_DONE, 0);
		return true;
	}
	log_task(worker, task, "record.burial_failed", e);
	if (e.kind == ERR_FATAL)
		die(worker, e);
	return later(worker, task, backoff_ms(++worker->outage));
}

/* The one place that decides about a failure. */
static bool judge(struct worker *worker, struct task *task, struct err e)
{
	struct record *record = task->record;

	if (e.kind == ERR_FATAL) {
		log_task(worker, task, "record.fatal", e);
		die(worker, e);
		return later(worker, task, DELAY_MAX_MS);
	}
	if (is_outage(e))
		return wait_out(worker, task, e);
	if (err_is(e, ERR_CODE_BAD_TRANSITION) && e.kind == ERR_RETRY) {
		count(worker, task, "fenced", -1);
		return later(worker, task, DELAY_MAX_MS); /* dropped with its partition */
	}
	record->past.attempts++;
	if (e.kind == ERR_RETRY && !patience_is_over(record)) {
		log_task(worker, task, "record.retry", e);
		count(worker, task, "retry", -1);
		return later(worker, task, backoff_ms(record->past.attempts));
	}
	if (e.kind == ERR_RETRY)
		e = err_reject(ERR_CODE_ATTEMPTS_EXHAUSTED, e.msg);
	return bury(worker, task, e);
}

static void run_after(struct worker *worker, struct task *task)
{
	const struct route *route = task->record->route;
	struct err e = err_ok();

	if (route->after != NULL)
		e = transact_step(task, route->after);
	if (e.kind == ERR_OK && route->settle != NULL)
		e = transact_settle(&worker->transact, task);
	if (e.kind != ERR_OK)
		log_task(worker, task, "record.after_failed", e);
}

/* --- ROUTE_TXN --- */

static bool run_alone(struct worker *worker, struct record *record)
{
	int64_t from_us = clock_mono_us();
	struct task *task = &worker->tasks[0];

	arena_reset(worker->transact.arena);
	struct err e = transact_read(&worker->transact, record, task);
	if (e.kind == ERR_OK)
		e = transact_handle(&worker->transact, task, 1);
	if (e.kind != ERR_OK)
		return judge(worker, task, e);
	if (!task->entry.seen)
		run_after(worker, task);
	return done(worker, task, from_us);
}

/* One by one, so that a failure is that of its record; behind one that waits, its lane waits too.
 * Records of a lane stand together in the batch. */
static void run_apart(struct worker *worker, size_t records)
{
	const struct lane *stuck = NULL;

	for (size_t i = 0; i < records; i++) {
		struct record *record = worker->records[i];
		const struct lane *lane = record->link.lane;

		if (worker->dead || lane == stuck) {
			worker->tasks[0] = (struct task){ .record = record };
			later(worker, &worker->tasks[0], DELAY_MAX_MS);
		} else if (!run_alone(worker, record)) {
			stuck = lane;
		}
	}
}

static void all_later(struct worker *worker, size_t records, struct err e)
{
	worker->tasks[0].record = worker->records[0];
	if (worker->outage++ == 0)
		log_task(worker, &worker->tasks[0], "record.waiting", e);
	for (size_t i = 0; i < records; i++) {
		worker->tasks[0] = (struct task){ .record = worker->records[i] };
		later(worker, &worker->tasks[0], backoff_ms(worker->outage));
	}
}

/* In one transaction; false when they have to be looked at one by one. */
static bool run_together(struct worker *worker, size_t records)
{
	int64_t from_us = clock_mono_us();
	struct err e = err_ok();

	arena_reset(worker->transact.arena);
	for (size_t i = 0; i < records && e.kind == ERR_OK; i++)
		e = transact_read(&worker->transact, worker->records[i], &worker->tasks[i]);
	if (e.kind == ERR_OK)
		e = transact_handle(&worker->transact, worker->tasks, records);
	if (is_outage(e)) {
		all_later(worker, records, e);
		return true;
	}
	if (e.kind != ERR_OK)
		return false;
	for (size_t i = 0; i < records; i++) {
		if (!worker->tasks[i].entry.seen)
			run_after(worker, &worker->tasks[i]);
		done(worker, &worker->tasks[i], from_us);
	}
	return true;
}

/* --- ROUTE_WORK --- */

static void nap(int64_t ms)
{
	struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&span, NULL);
}

/* The work is done and its claim is ours: an outage of Postgres must not repeat it. */
static struct err spend(struct worker *worker, struct task *task, bool *ret_ours)
{
	for (int failures = 1;; failures++) {
		struct err e = transact_spend(&worker->transact, task, ret_ours);
		if (!err_is(e, ERR_CODE_POSTGRES_AWAY) ||
			schedule_is_stopped(worker->conf->schedule))
			return e;
		nap(backoff_ms(failures));
	}
}

static struct err work(struct worker *worker, struct task *task, bool *ret_ours)
{
	const struct route *route = task->record->route;

	if (route->work != NULL)
		TRY(transact_step(task, route->work));
	return spend(worker, task, ret_ours);
}

static struct err claim_and_work(struct worker *worker, struct task *task, int64_t *ret_wait_ms)
{
	const struct claim claim = transact_claim_of(&worker->transact, task);
	bool ours = true;

	TRY(transact_claim(&worker->transact, task, ret_wait_ms));
	if (*ret_wait_ms > 0 || task->entry.seen)
		return err_ok();
	/* renewed only while it is worked on: a record that waits for its next try may move to
	 * another process, which then must not wait for us */
	claim_set_add(worker->conf->claims, &claim);
	struct err e = work(worker, task, &ours);
	claim_set_remove(worker->conf->claims, &claim);
	if (e.kind == ERR_OK && !ours)
		*ret_wait_ms = DELAY_FIRST_MS; /* taken over: look again whether it is handled */
	return e;
}

static bool run_work(struct worker *worker, struct record *record)
{
	int64_t from_us = clock_mono_us(), wait_ms = 0;
	struct task *task = &worker->tasks[0];

	arena_reset(worker->transact.arena);
	struct err e = transact_read(&worker->transact, record, task);
	if (e.kind == ERR_OK)
		e = claim_and_work(worker, task, &wait_ms);
	if (e.kind != ERR_OK)
		return judge(worker, task, e);
	if (wait_ms > 0) {
		count(worker, task, "claimed", -1);
		return later(worker, task, wait_ms);
	}
	if (!task->entry.seen)
		run_after(worker, task);
	return done(worker, task, from_us);
}

void execute_run(const struct execute_conf *conf)
{
	struct worker *worker = calloc(1, sizeof *worker);
	size_t records;

	if (worker != NULL) {
		*worker = (struct worker){ .conf = conf,
			.transact = { conf, arena_new(ARENA_BYTES) } };
	}
	if (worker == NULL || worker->transact.arena == NULL) {
		free(worker);
		conf->fatal(conf->arg, err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a worker"));
		return;
	}
	while (!worker->dead && (records = schedule_take(conf->schedule, worker->records)) > 0) {
		const struct route *route = worker->records[0]->route;
		if (route != NULL && route->kind == ROUTE_WORK)
			run_work(worker, worker->records[0]);
		else if (records == 1 || !run_together(worker, records))
			run_apart(worker, records);
	}
	arena_free(worker->transact.arena);
	free(worker);
}
