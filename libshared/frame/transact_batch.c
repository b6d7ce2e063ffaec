#include "frame/transact_batch.h"

#include "frame/deadletter.h"
#include "frame/gate.h"
#include "port/pg.h"

/* BEGIN, and what is known of the tasks before any of them runs. */
static struct err look_around(const struct transact *t, struct pg *pg, struct transact_call *call,
	struct transact_behind *ret_behind)
{
	TRY(transact_begin_fenced(t, pg, call->tasks, call->count));
	TRY(transact_find_held(t, pg, call));
	TRY(transact_judge(t, pg, call, ret_behind));
	return transact_find_seen(t, pg, call);
}

static struct err handle_one(
	const struct transact *t, struct pg *pg, struct transact_call *call, struct task *task)
{
	size_t before = outbox_count(call->outbox);

	if (task->fate != TASK_OPEN)
		return err_ok();
	TRY(transact_step_in(pg, call->outbox, task, task->record->route->handle));
	return transact_close(t, pg, call->outbox, task, before);
}

static struct err run_handle(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct transact_behind behind;

	TRY(look_around(t, pg, call, &behind));
	for (size_t i = 0; i < call->count; i++)
		TRY(handle_one(t, pg, call, &call->tasks[i]));
	TRY(transact_remove_rows(t, pg, call));
	TRY(transact_park_behind(t, pg, &behind));
	return transact_finish(t, pg, call);
}

static struct err handle(const struct transact *t, struct task *tasks, size_t count)
{
	struct transact_call call = { .run = run_handle, .tasks = tasks, .count = count };

	return transact_run(t, &call);
}

/* With nobody else at the same events. */
static struct err run_gated(const struct transact *t, struct task *tasks, size_t count,
	struct err (*run)(const struct transact *t, struct task *tasks, size_t count))
{
	struct gate_event *events = arena_alloc(t->arena, count * sizeof *events);

	if (events == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		events[i].id = tasks[i].entry.event_id;
	gate_enter(t->conf->shared.gate, events, count);
	struct err e = run(t, tasks, count);
	gate_leave(t->conf->shared.gate, events, count);
	return e;
}

struct err transact_batch_handle(const struct transact *t, struct task *tasks, size_t count)
{
	return run_gated(t, tasks, count, handle);
}

/* --- verify --- */

bool transact_batch_is_verify(const struct record *record)
{
	return record->past.epoch > 0 && record->route != NULL &&
	       record->route->replay == ROUTE_VERIFY;
}

/* Ends in a rollback either way; what it found is in the task. */
static struct err run_trial(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct task *task = call->tasks;
	struct transact_behind behind;

	TRY(look_around(t, pg, call, &behind));
	if (task->fate == TASK_OPEN && !task->entry.skipped) {
		TRY(transact_step_in(pg, call->outbox, task, task->record->route->handle));
		TRY(outbox_reconcile(
			call->outbox, 0, task->entry.before, task->entry.epoch, &task->outputs));
		TRY(pg_sync(pg));
	}
	pg_rollback(pg);
	return err_ok();
}

static struct err run_note(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct task *task = call->tasks;

	TRY(transact_begin_fenced(t, pg, task, 1));
	TRY(transact_find_seen(t, pg, call));
	if (task->fate == TASK_OPEN)
		task->fate = TASK_DONE;
	if (task->fate == TASK_DONE && task->entry.again)
		TRY(deadletter_redriven(pg, task->record->past.dead_id));
	TRY(transact_remove_rows(t, pg, call));
	return transact_finish(t, pg, call);
}

static struct err verify(const struct transact *t, struct task *task, size_t count)
{
	struct transact_call trial = { .run = run_trial, .tasks = task, .count = count };
	struct transact_call note = { .run = run_note, .tasks = task, .count = count };

	TRY(transact_run(t, &trial));
	/* what waits before it is handled first, for real; so is what was skipped */
	if (task->fate == TASK_PARKED || task->entry.skipped)
		return handle(t, task, count);
	return task->fate == TASK_STALE ? err_ok() : transact_run(t, &note);
}

struct err transact_batch_verify(const struct transact *t, struct task *task)
{
	return run_gated(t, task, 1, verify);
}
