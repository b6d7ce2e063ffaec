#include "frame/execute.h"

#include <time.h>

#include "base/clock.h"
#include "frame/brake.h"
#include "frame/crowd.h"
#include "frame/failure.h"
#include "frame/gather.h"
#include "frame/halt.h"
#include "frame/transact_batch.h"
#include "frame/transact_end.h"
#include "frame/transact_work.h"
#include "frame/worker.h"

enum { ARENA_BYTES = 16 << 20, CLAIM_AGAIN_MS = 200, NAP_MS = 200, NAP_MAX_MS = 2000 };

/* --- the ends of a record; each returns whether its lane may go on --- */

static const char *const fate_names[] = { "open", "done", "duplicate", "parked", "stale", "gone",
	"held" };

static bool close_task(struct worker *worker, struct task *task, int64_t from_us)
{
	struct record *record = task->record;

	worker->outages = 0;
	worker_brake(worker, task, task->fate == TASK_DONE ? BRAKE_GOOD : BRAKE_NOTHING);
	worker_count(worker, task, fate_names[task->fate], clock_mono_us() - from_us);
	schedule_finish(worker->conf->schedule, record, SCHEDULE_DONE, 0);
	return true;
}

static void run_after(struct worker *worker, struct task *task)
{
	const struct route *route = task->record->route;
	struct err e = err_ok();

	if (task->fate != TASK_DONE ||
		(transact_batch_is_verify(task->record) && !task->entry.skipped))
		return;
	if (route->after != NULL)
		e = transact_step(task, route->after);
	if (e.kind == ERR_OK && route->settle != NULL)
		e = transact_work_settle(&worker->transact, task);
	if (e.kind != ERR_OK)
		worker_log(worker, task, "record.after_failed", e);
}

/* --- before a record runs --- */

static void see(const struct worker *worker, const struct task *task, const struct brake_pair *pair,
	int64_t now_ms)
{
	const struct partition *partition = task->record->partition;

	if (task->record->route->target == NULL)
		brake_see(worker->conf->brakes, partition->topic, partition->number, pair, now_ms);
}

/* False: its brake is on, it has been parked (or is to be tried again). */
static bool is_allowed(struct worker *worker, struct task *task, bool *ret_lane_goes_on)
{
	int64_t now_ms = clock_mono_ms(), wait_ms = 0;
	const struct brake_pair pair = worker_pair(task);

	see(worker, task, &pair, now_ms);
	/* one that is tried again in place was let through before */
	if (task->record->past.tries > 0 ||
		brake_allows(worker->conf->brakes, &pair, now_ms, &wait_ms))
		return true;
	*ret_lane_goes_on = failure_brake(worker, task, wait_ms, err_ok());
	return false;
}

/* --- ROUTE_TXN --- */

static bool run_alone(struct worker *worker, struct record *record)
{
	int64_t from_us = clock_mono_us();
	struct task *task = &worker->tasks[0];
	bool goes_on;

	arena_reset(worker->transact.arena);
	struct err e = transact_read(&worker->transact, record, task);
	if (failure_halt(worker, task, &goes_on) ||
		(e.kind == ERR_OK && !is_allowed(worker, task, &goes_on)))
		return goes_on;
	if (e.kind == ERR_OK)
		e = transact_batch_is_verify(record)
			    ? transact_batch_verify(&worker->transact, task)
			    : transact_batch_handle(&worker->transact, task, 1);
	if (e.kind != ERR_OK)
		return failure_judge(worker, task, e);
	run_after(worker, task);
	return close_task(worker, task, from_us);
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
			failure_later(worker, &worker->tasks[0], VERDICT_WAIT_MAX_MS);
		} else if (!(record->past.suspect ? failure_run_suspect(worker, record, run_alone)
						  : run_alone(worker, record))) {
			stuck = lane;
		}
	}
}

static struct err read_all(struct worker *worker, size_t records)
{
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < records; i++) {
		struct record *record = worker->records[i];
		struct task *task = &worker->tasks[i];
		TRY(transact_read(&worker->transact, record, task));
		const struct brake_pair pair = worker_pair(task);
		see(worker, task, &pair, now_ms);
		if (halt_state(worker->conf->halt, task->event.tenant) != TENANT_ACTIVE)
			return err_retry(ERR_CODE_TRY_AGAIN, "a tenant is not in use");
		if (brake_is_on(worker->conf->brakes, &pair))
			return err_retry(ERR_CODE_TRY_AGAIN, "a brake is on");
	}
	return err_ok();
}

/* In one transaction; false when they have to be looked at one by one. */
static bool run_together(struct worker *worker, size_t records)
{
	int64_t from_us = clock_mono_us();
	bool suspects = false;

	for (size_t i = 0; i < records; i++) {
		suspects = suspects || worker->records[i]->past.suspect;
		if (transact_batch_is_verify(worker->records[i]))
			return false;
	}
	if (suspects && !failure_note_all(worker, records))
		return false;
	arena_reset(worker->transact.arena);
	struct err e = read_all(worker, records);
	if (e.kind == ERR_OK)
		e = transact_batch_handle(&worker->transact, worker->tasks, records);
	if (e.kind == ERR_RETRY && err_code_class(e.code) == ERR_CLASS_DEPENDENCY) {
		failure_all_wait(worker, records, e);
		return true;
	}
	if (e.kind != ERR_OK)
		return false;
	for (size_t i = 0; i < records; i++) {
		run_after(worker, &worker->tasks[i]);
		close_task(worker, &worker->tasks[i], from_us);
	}
	return true;
}

/* --- ROUTE_WORK --- */

static void nap(int64_t ms)
{
	struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&span, NULL);
}

/* The work is done and its claim is ours: an outage of Postgres must not repeat it. Each try leaves
 * something in the arena, so that they get rarer: it lasts for a day of them. */
static struct err spend(struct worker *worker, struct task *task)
{
	for (int64_t nap_ms = NAP_MS;; nap_ms = nap_ms * 2 < NAP_MAX_MS ? nap_ms * 2 : NAP_MAX_MS) {
		struct err e = gather_spend(worker->conf->shared.gather, &worker->transact, task);
		if (!err_is(e, ERR_CODE_POSTGRES_AWAY) ||
			schedule_is_stopped(worker->conf->schedule))
			return e;
		nap(nap_ms);
	}
}

static struct err work(struct worker *worker, struct task *task)
{
	const struct route *route = task->record->route;
	struct err e = route->work == NULL ? err_ok() : transact_step(task, route->work);

	if (e.kind == ERR_OK)
		return spend(worker, task);
	if (route->failed != NULL) {
		struct err noted = transact_work_failed(&worker->transact, task);
		if (noted.kind != ERR_OK)
			return noted;
	}
	return e;
}

static struct err claim_and_work(struct worker *worker, struct task *task)
{
	const struct claim claim = transact_claim_of(&worker->transact, task);

	TRY(gather_claim(worker->conf->shared.gather, &worker->transact, task));
	if (task->wait_ms > 0 || task->fate != TASK_OPEN)
		return err_ok();
	/* renewed only while it is worked on: a record that waits for its next try may move to
	 * another process, which then must not wait for us */
	claim_set_add(worker->conf->shared.claims, &claim);
	struct err e = work(worker, task);
	claim_set_remove(worker->conf->shared.claims, &claim);
	if (e.kind == ERR_OK && !task->ours)
		task->wait_ms = CLAIM_AGAIN_MS; /* taken over: look again whether it is handled */
	return e;
}

/* A duplicate called nobody, and an outage of ours is no fault of the target's. */
static enum crowd_end end_of(const struct task *task, struct err e)
{
	if (e.kind == ERR_OK)
		return task->fate == TASK_DONE ? CROWD_WELL : CROWD_NOTHING;
	return err_code_class(e.code) == ERR_CLASS_DEPENDENCY ? CROWD_NOTHING : CROWD_FAILED;
}

static bool run_work(struct worker *worker, struct record *record)
{
	int64_t from_us = clock_mono_us();
	struct task *task = &worker->tasks[0];
	bool goes_on;

	arena_reset(worker->transact.arena);
	struct err e = transact_read(&worker->transact, record, task);
	if (failure_halt(worker, task, &goes_on) ||
		(e.kind == ERR_OK && !is_allowed(worker, task, &goes_on)))
		return goes_on;
	if (e.kind == ERR_OK) {
		const struct crowd_call call = { worker_pair(task), worker,
			record->route->target_max, clock_mono_ms() };
		int64_t wait_ms;
		if (!crowd_enter(worker->conf->shared.crowd, &call, &wait_ms)) {
			worker_brake(worker, task, BRAKE_NOTHING); /* it may have been a probe */
			return failure_brake(worker, task, wait_ms, err_ok());
		}
		e = claim_and_work(worker, task);
		crowd_leave(worker->conf->shared.crowd, worker, end_of(task, e));
	}
	if (e.kind != ERR_OK)
		return failure_judge(worker, task, e);
	if (task->wait_ms > 0) {
		worker_count(worker, task, "claimed", -1);
		return failure_later(worker, task, task->wait_ms);
	}
	run_after(worker, task);
	return close_task(worker, task, from_us);
}

/* --- overflow --- */

/* Moves them to parked unhandled; what cannot even be named is handled like any other. */
static void run_overflow(struct worker *worker, size_t records)
{
	struct arena *arena = worker->transact.arena;
	size_t count = 0;

	arena_reset(arena);
	for (size_t i = 0; i < records; i++) {
		struct task *task = &worker->tasks[count];
		bool goes_on;
		struct err e = transact_name(&worker->transact, worker->records[i], task);
		if (failure_halt(worker, task, &goes_on))
			continue;
		if (e.kind == ERR_OK)
			count++;
		else
			failure_judge(worker, task, e);
	}
	struct park_entry *entries = arena_alloc(arena, (count + 1) * sizeof *entries);
	for (size_t i = 0; entries != NULL && i < count; i++)
		entries[i] = (struct park_entry){ .record = worker->tasks[i].record,
			.event = &worker->tasks[i].event,
			.reason = PARK_OVERFLOW };
	struct err e = entries == NULL ? arena_overflow() : err_ok();
	if (e.kind == ERR_OK && count > 0)
		e = transact_end_park(&worker->transact, worker->tasks, entries, count);
	for (size_t i = 0; i < count; i++) {
		if (e.kind == ERR_OK)
			close_task(worker, &worker->tasks[i], clock_mono_us());
		else
			failure_judge(worker, &worker->tasks[i], e);
	}
}

/* --- life --- */

static void run_records(struct worker *worker, size_t records)
{
	struct record *first = worker->records[0];
	const struct route *route = first->route;

	if (first->past.overflow)
		run_overflow(worker, records);
	else if (route != NULL && route->kind == ROUTE_WORK)
		(void)(first->past.suspect ? failure_run_suspect(worker, first, run_work)
					   : run_work(worker, first));
	else if (records == 1 || !run_together(worker, records))
		run_apart(worker, records);
}

void execute_run(const struct execute_conf *conf)
{
	struct worker *worker = worker_new(conf, ARENA_BYTES);
	size_t records;

	if (worker == NULL) {
		conf->hooks.fatal(conf->hooks.arg,
			err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a worker"));
		return;
	}
	while (!worker->dead && (records = schedule_take(conf->schedule, worker->records)) > 0)
		run_records(worker, records);
	worker_free(worker);
}
