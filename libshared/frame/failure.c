#include "frame/failure.h"

#include <pthread.h>

#include "base/clock.h"
#include "frame/brake.h"
#include "frame/halt.h"
#include "frame/journal.h"
#include "frame/span_kafka.h"
#include "frame/transact_end.h"
#include "port/pg.h"

enum { ALONE_AGAIN_MS = 200 };

static struct journal_batch batch_of(const struct worker *worker, const struct record *record)
{
	const struct partition *partition = record->partition;

	return (struct journal_batch){ { worker->conf->group, partition->topic, partition->number },
		&record->offset, 1 };
}

/* It waits: whatever ends the process now, it is not this record. Not while Postgres is away: then
 * its line stays, and the next try needs no second one. */
static void take_note_back(struct worker *worker, struct record *record)
{
	const struct journal_batch batch = batch_of(worker, record);

	if (!record->past.noted)
		return;
	struct pg *pg = pg_pool_take(worker->conf->pool);
	struct err e = journal_undo(pg, worker->transact.arena, &batch);
	e = pg_pool_give(worker->conf->pool, pg, worker->transact.arena, e);
	record->past.noted = e.kind != ERR_OK;
	record->past.suspect = e.kind == ERR_OK;
}

static bool put_back(struct worker *worker, struct task *task, int64_t delay_ms)
{
	schedule_finish(worker->conf->schedule, task->record, SCHEDULE_LATER, delay_ms);
	return false;
}

bool failure_later(struct worker *worker, struct task *task, int64_t delay_ms)
{
	take_note_back(worker, task->record);
	return put_back(worker, task, delay_ms);
}

static uint32_t jitter(void)
{
	return (uint32_t)clock_mono_us();
}

static void die(struct worker *worker, struct err e)
{
	worker->dead = true;
	worker->conf->hooks.fatal(worker->conf->hooks.arg, e);
}

/* A server of ours is away: it is no attempt, the record keeps its place. */
static void tell_outage(struct worker *worker, const struct task *task, struct err e)
{
	enum health_part part = health_part_of(e);

	if (worker->outages++ == 0)
		worker_log(worker, task, "record.waiting", e);
	if (part != HEALTH_PARTS)
		health_report(worker->conf->health, part, e, -1);
}

static struct verdict judge(
	const struct worker *worker, const struct record *record, struct err e, int64_t again_ms)
{
	const struct verdict_input input = {
		.e = e,
		.route = record->route,
		.attempts = record->past.attempts,
		.tries = record->past.tries,
		.here_ms = record->past.here_ms == 0 ? 0 : clock_mono_ms() - record->past.here_ms,
		.outages = worker->outages,
		.random = jitter(),
		.again_ms = again_ms,
	};

	return verdict_of(&input);
}

/* The transaction of an end failed too: its own servers are away, or it is fatal. */
static bool end_failed(struct worker *worker, struct task *task, const char *event, struct err e)
{
	struct verdict verdict = judge(worker, task->record, e, 0);

	worker_log(worker, task, event, e);
	if (verdict.what == VERDICT_WAIT)
		tell_outage(worker, task, e);
	if (e.kind == ERR_FATAL)
		die(worker, e);
	return put_back(
		worker, task, verdict.delay_ms > 0 ? verdict.delay_ms : VERDICT_WAIT_MAX_MS);
}

/* A dead letter that fails once more says nothing new about its tenant, nor does a replay. */
static void tell_bad(const struct worker *worker, const struct task *task)
{
	bool known = task->entry.again || task->entry.epoch > 0;

	worker_brake(worker, task, known ? BRAKE_NOTHING : BRAKE_BAD);
}

/* Its letter is written; or it has one already, or was handled before. */
static void tell_buried(struct worker *worker, struct task *task, struct err why)
{
	if (task->fate != TASK_DONE) {
		worker_brake(worker, task, BRAKE_NOTHING);
		worker_count(worker, task, task->fate == TASK_HELD ? "held" : "duplicate", -1);
		return;
	}
	worker_log(worker, task, "record.dead", why);
	tell_bad(worker, task);
	worker_count(worker, task, "dead", -1);
	worker->conf->hooks.dead(worker->conf->hooks.arg, err_class_name(err_code_class(why.code)));
}

static bool bury(struct worker *worker, struct task *task, struct err why)
{
	task->record->past.attempts++;
	task->entry.seen = false;
	struct err e = transact_end_bury(&worker->transact, task, why);
	if (e.kind != ERR_OK) {
		task->record->past.attempts--;
		return end_failed(worker, task, "record.burial_failed", e);
	}
	tell_buried(worker, task, why);
	schedule_finish(worker->conf->schedule, task->record, SCHEDULE_DONE, 0);
	return true;
}

static const char *outcome_of(enum park_reason reason)
{
	return reason == PARK_RETRY ? "retry" : reason == PARK_SUSPENDED ? "suspended" : "parked";
}

/* The lane goes on: what comes behind sees the parked row and parks behind it. */
static bool park(struct worker *worker, struct task *task, const struct park_entry *entry)
{
	if (task->event.type == NULL) /* it names no key it could wait under */
		return bury(worker, task, err_reject(entry->why.code, entry->why.msg));
	struct err e = transact_end_park(&worker->transact, task, entry, 1);
	if (e.kind != ERR_OK)
		return end_failed(worker, task, "record.parking_failed", e);
	worker_count(worker, task, outcome_of(entry->reason), -1);
	schedule_drop_lane_parked(worker->conf->schedule, task->record->lane_key);
	schedule_finish(worker->conf->schedule, task->record, SCHEDULE_DONE, 0);
	return true;
}

bool failure_brake(struct worker *worker, struct task *task, int64_t wait_ms, struct err why)
{
	const struct park_entry entry = { .record = task->record,
		.event = &task->event,
		.reason = PARK_BREAKER,
		.due_in_ms = wait_ms,
		.why = why };

	return park(worker, task, &entry);
}

/* --- tenants that are not in use --- */

static enum tenant_state state_of(const struct worker *worker, const struct task *task)
{
	return task->event.type == NULL ? TENANT_ACTIVE
					: halt_state(worker->conf->halt, task->event.tenant);
}

/* Nothing of an erased tenant is kept: neither a dead letter nor a row that waits. The row it was
 * loaded from is the eraser's. */
static bool drop(struct worker *worker, struct task *task)
{
	take_note_back(worker, task->record);
	worker_brake(worker, task, BRAKE_NOTHING);
	worker_count(worker, task, "erased", -1);
	schedule_finish(worker->conf->schedule, task->record, SCHEDULE_DONE, 0);
	return true;
}

bool failure_halt(struct worker *worker, struct task *task, bool *ret_lane_goes_on)
{
	enum tenant_state state = state_of(worker, task);
	const struct park_entry entry = { .record = task->record,
		.event = &task->event,
		.reason = PARK_SUSPENDED,
		.due_in_ms = -1 };

	if (state == TENANT_ACTIVE)
		return false;
	*ret_lane_goes_on =
		state == TENANT_SUSPENDED ? park(worker, task, &entry) : drop(worker, task);
	return true;
}

/* --- judging --- */

static bool brake_now(struct worker *worker, struct task *task, struct err e)
{
	int64_t wait_ms = BRAKE_PAUSE_MS;
	const struct brake_pair pair = worker_pair(task);

	worker_log(worker, task, "record.provider_away", e);
	worker_brake(worker, task, BRAKE_AWAY);
	if (brake_allows(worker->conf->brakes, &pair, clock_mono_ms(), &wait_ms))
		wait_ms = BRAKE_PAUSE_MS;
	return failure_brake(worker, task, wait_ms, e);
}

static bool retry_later(struct worker *worker, struct task *task, const struct verdict *verdict)
{
	const struct park_entry entry = { .record = task->record,
		.event = &task->event,
		.reason = PARK_RETRY,
		.due_in_ms = verdict->delay_ms,
		.why = verdict->why };

	worker_log(worker, task, "record.retry", verdict->why);
	task->record->past.attempts++;
	tell_bad(worker, task);
	return park(worker, task, &entry);
}

bool failure_judge(struct worker *worker, struct task *task, struct err e)
{
	struct record_past *past = &task->record->past;

	span_kafka_fail(task, e);
	if (state_of(worker, task) >= TENANT_ERASING) /* since it was begun */
		return drop(worker, task);
	if (past->here_ms == 0)
		past->here_ms = clock_mono_ms();
	if (past->first_ms == 0)
		past->first_ms = clock_wall_ms();
	past->tries++;
	worker->conf->hooks.failed(worker->conf->hooks.arg, e.code);
	struct verdict verdict =
		judge(worker, task->record, e, task->scope == NULL ? 0 : task->scope->again_ms);
	switch (verdict.what) {
	case VERDICT_HERE:
		worker_count(worker, task, "again", -1);
		return failure_later(worker, task, verdict.delay_ms);
	case VERDICT_WAIT:
		past->tries--;
		tell_outage(worker, task, e);
		return err_is(e, ERR_CODE_POSTGRES_AWAY)
			       ? put_back(worker, task, verdict.delay_ms)
			       : failure_later(worker, task, verdict.delay_ms);
	case VERDICT_PARK:
		return retry_later(worker, task, &verdict);
	case VERDICT_BRAKE:
		return brake_now(worker, task, e);
	case VERDICT_FORGET:
		worker_count(worker, task, "fenced", -1);
		worker_brake(worker, task, BRAKE_NOTHING);
		return put_back(worker, task, verdict.delay_ms);
	case VERDICT_BURY:
		return bury(worker, task, verdict.why);
	case VERDICT_DIE:
		break;
	}
	worker_log(worker, task, "record.fatal", e);
	die(worker, e);
	return put_back(worker, task, VERDICT_WAIT_MAX_MS);
}

void failure_all_wait(struct worker *worker, size_t records, struct err e)
{
	worker->tasks[0].record = worker->records[0];
	tell_outage(worker, &worker->tasks[0], e);
	for (size_t i = 0; i < records; i++) {
		struct verdict verdict = judge(worker, worker->records[i], e, 0);
		worker->tasks[0] = (struct task){ .record = worker->records[i] };
		put_back(worker, &worker->tasks[0], verdict.delay_ms);
	}
}

/* --- suspects --- */

static struct err look_into_journal(
	struct worker *worker, const struct record *record, int *ret_count)
{
	const struct journal_batch batch = batch_of(worker, record);
	struct pg *pg = pg_pool_take(worker->conf->pool);
	struct err e = journal_look(pg, worker->transact.arena, &batch, ret_count);

	return pg_pool_give(worker->conf->pool, pg, worker->transact.arena, e);
}

static bool note_and_run(struct worker *worker, struct record *record,
	bool (*run)(struct worker *worker, struct record *record))
{
	const struct journal_batch batch = batch_of(worker, record);
	struct pg *pg = pg_pool_take(worker->conf->pool);
	struct err e = journal_note(pg, worker->transact.arena, &batch);

	e = pg_pool_give(worker->conf->pool, pg, worker->transact.arena, e);
	if (e.kind != ERR_OK)
		return failure_judge(worker, &worker->tasks[0], e);
	record->past.suspect = false;
	record->past.noted = true;
	return run(worker, record);
}

bool failure_note_all(struct worker *worker, size_t records)
{
	const struct partition *partition = worker->records[0]->partition;
	struct arena *arena = worker->transact.arena;
	int64_t offsets[SCHEDULE_BATCH_MAX];
	const struct journal_batch batch = {
		{ worker->conf->group, partition->topic, partition->number }, offsets, records
	};
	int counts[SCHEDULE_BATCH_MAX];
	bool fresh = true;

	arena_reset(arena);
	for (size_t i = 0; i < records; i++)
		offsets[i] = worker->records[i]->offset;
	struct pg *pg = pg_pool_take(worker->conf->pool);
	struct err e = journal_look(pg, arena, &batch, counts);
	for (size_t i = 0; i < records; i++)
		fresh = fresh && e.kind == ERR_OK && counts[i] == 0;
	if (fresh)
		e = journal_note(pg, arena, &batch);
	e = pg_pool_give(worker->conf->pool, pg, arena, e);
	for (size_t i = 0; i < records && fresh && e.kind == ERR_OK; i++) {
		worker->records[i]->past.suspect = false;
		worker->records[i]->past.noted = true;
	}
	return fresh && e.kind == ERR_OK;
}

bool failure_run_suspect(struct worker *worker, struct record *record,
	bool (*run)(struct worker *worker, struct record *record))
{
	struct task *task = &worker->tasks[0];
	int count = 0;

	arena_reset(worker->transact.arena);
	struct err named = transact_name(&worker->transact, record, task);
	(void)named; /* without a name it can still be written down, by its offset */
	struct err e = look_into_journal(worker, record, &count);
	if (e.kind != ERR_OK)
		return failure_judge(worker, task, e);
	record->past.noted = count >= JOURNAL_ATTEMPTS_MAX; /* a redrive begins anew */
	if (record->past.noted)
		return bury(worker, task,
			err_reject(ERR_CODE_CRASHED, err_code_title(ERR_CODE_CRASHED)));
	if (count == 0)
		return note_and_run(worker, record, run);
	if (pthread_mutex_trylock(worker->conf->shared.alone) != 0)
		return failure_later(worker, task, ALONE_AGAIN_MS);
	bool goes_on = note_and_run(worker, record, run);
	pthread_mutex_unlock(worker->conf->shared.alone);
	return goes_on;
}
