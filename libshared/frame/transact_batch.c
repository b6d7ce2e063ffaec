#include "frame/transact_batch.h"

#include "frame/deadletter.h"
#include "frame/fence.h"
#include "frame/held.h"
#include "port/pg.h"

/* The tasks that may run against the inbox and against each other. */
static struct err find_seen(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct inbox_entry *entries = arena_alloc(t->arena, call->count * sizeof *entries);

	if (entries == NULL)
		return arena_overflow();
	for (size_t i = 0; i < call->count; i++)
		entries[i] = call->tasks[i].entry;
	TRY(inbox_look(pg, t->arena, t->conf->group, entries, call->count));
	for (size_t i = 0; i < call->count; i++) {
		struct task *task = &call->tasks[i];
		for (size_t k = 0; k < i && !entries[i].seen && !entries[i].again; k++)
			entries[i].seen = call->tasks[k].fate != TASK_PARKED &&
					  id_eq(entries[i].event_id, entries[k].event_id) &&
					  entries[i].epoch == entries[k].epoch;
		task->entry = entries[i];
		if (task->fate == TASK_OPEN && task->entry.seen)
			task->fate = TASK_DUPLICATE;
	}
	return err_ok();
}

/* What a side replay must leave alone: it is on its way under the epoch it was first read with. */
static struct err find_held(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	if (call->tasks[0].record->partition->source != SOURCE_SIDE)
		return err_ok();
	for (size_t i = 0; i < call->count; i++) {
		bool held = false;
		TRY(held_look(pg, t->arena, t->conf->group, &call->tasks[i].entry, &held));
		if (held)
			call->tasks[i].fate = TASK_HELD;
	}
	return err_ok();
}

/* The loaded rows that are handled now, or whose event was handled otherwise meanwhile. */
static struct err remove_rows(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	int64_t *ids = arena_alloc(t->arena, call->count * sizeof *ids);
	size_t count = 0;

	if (ids == NULL)
		return arena_overflow();
	for (size_t i = 0; i < call->count; i++) {
		enum task_fate fate = call->tasks[i].fate;
		if (call->tasks[i].record->past.parked_id != 0 && fate != TASK_STALE)
			ids[count++] = call->tasks[i].record->past.parked_id;
	}
	return count == 0 ? err_ok() : park_remove(t->conf->park, pg, t->arena, ids, count);
}

static struct err handle_one(
	const struct transact *t, struct pg *pg, struct transact_call *call, struct task *task)
{
	size_t before = outbox_count(call->outbox);

	if (task->fate != TASK_OPEN)
		return err_ok();
	TRY(transact_step_in(t, pg, call->outbox, task, task->record->route->handle));
	return transact_close(t, pg, call->outbox, task, before);
}

static struct err run_handle(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct park_entry *behind;
	size_t behind_count;

	TRY(transact_begin_fenced(t, pg, call->tasks));
	TRY(find_held(t, pg, call));
	TRY(transact_judge(t, pg, call, &behind, &behind_count));
	TRY(find_seen(t, pg, call));
	for (size_t i = 0; i < call->count; i++)
		TRY(handle_one(t, pg, call, &call->tasks[i]));
	TRY(remove_rows(t, pg, call));
	if (behind_count > 0)
		TRY(park_add(t->conf->park, pg, t->arena, behind, behind_count));
	return transact_finish(t, pg, call);
}

struct err transact_batch_handle(const struct transact *t, struct task *tasks, size_t count)
{
	struct transact_call call = { .run = run_handle, .tasks = tasks, .count = count };

	return transact_run(t, &call);
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
	struct park_entry *behind;
	size_t behind_count;

	TRY(transact_begin_fenced(t, pg, task));
	TRY(find_held(t, pg, call));
	TRY(transact_judge(t, pg, call, &behind, &behind_count));
	TRY(find_seen(t, pg, call));
	if (task->fate == TASK_OPEN) {
		TRY(transact_step_in(t, pg, call->outbox, task, task->record->route->handle));
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

	TRY(transact_begin_fenced(t, pg, task));
	TRY(find_seen(t, pg, call));
	if (task->fate == TASK_OPEN)
		task->fate = TASK_DONE;
	if (task->fate == TASK_DONE && task->entry.again)
		TRY(deadletter_redriven(pg, task->record->past.dead_id));
	TRY(remove_rows(t, pg, call));
	return transact_finish(t, pg, call);
}

struct err transact_batch_verify(const struct transact *t, struct task *task)
{
	struct transact_call trial = { .run = run_trial, .tasks = task, .count = 1 };
	struct transact_call note = { .run = run_note, .tasks = task, .count = 1 };

	TRY(transact_run(t, &trial));
	if (task->fate == TASK_PARKED) /* what waits before it is handled first, for real */
		return transact_batch_handle(t, task, 1);
	return task->fate == TASK_STALE ? err_ok() : transact_run(t, &note);
}
