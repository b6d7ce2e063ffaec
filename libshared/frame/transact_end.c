#include "frame/transact_end.h"

#include "frame/deadletter.h"
#include "frame/replay.h"
#include "port/pg.h"

/* --- parking --- */

static struct err run_park(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct park_entry *fresh = arena_alloc(t->arena, call->count * sizeof *fresh);
	size_t count = 0;

	if (fresh == NULL)
		return arena_overflow();
	TRY(transact_begin_fenced(t, pg, call->tasks, call->count));
	for (size_t i = 0; i < call->count; i++) {
		const struct record *record = call->tasks[i].record;
		if (record->past.parked_id == 0)
			fresh[count++] = call->order[i];
		else
			TRY(park_again(t->conf->park, pg, &call->order[i]));
		call->tasks[i].fate = TASK_PARKED;
	}
	if (count > 0)
		TRY(park_add(t->conf->park, pg, t->arena, fresh, count));
	if (call->tasks[0].record->route != NULL &&
		call->tasks[0].record->route->kind == ROUTE_WORK && call->count == 1) {
		const struct claim claim = transact_claim_of(t, call->tasks);
		const struct claim_list claims = { &claim, 1 };
		TRY(claim_spend(pg, t->arena, &claims, &call->tasks->ours));
	}
	TRY(transact_end_notes(t, pg, call->tasks, call->count));
	return pg_commit(pg);
}

struct err transact_end_park(const struct transact *t, struct task *tasks,
	const struct park_entry *entries, size_t count)
{
	struct transact_call call = {
		.run = run_park, .tasks = tasks, .count = count, .order = entries
	};

	return transact_run(t, &call);
}

/* --- dead letters --- */

static bool blocks(const struct task *task)
{
	return task->event.type != NULL && task->record->route != NULL &&
	       task->record->route->death == ROUTE_BLOCK_KEY;
}

/* The row it was loaded from goes, or turns into (or a new one is) the tombstone of its key. */
static struct err leave_tombstone(
	const struct transact *t, struct pg *pg, struct transact_call *call)
{
	const struct task *task = call->tasks;
	const struct park_entry entry = {
		.record = task->record, .event = &task->event, .reason = PARK_HOLD, .due_in_ms = -1
	};

	if (!blocks(task))
		return transact_remove_rows(t, pg, call);
	return task->record->past.parked_id != 0 ? park_again(t->conf->park, pg, &entry)
						 : park_add(t->conf->park, pg, t->arena, &entry, 1);
}

static struct err write_letter(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct task *task = call->tasks;
	const struct deadletter letter = {
		.record = task->record,
		.event = task->event.type == NULL ? NULL : &task->event,
		.group = t->conf->group,
		.version = t->conf->version,
		.why = call->why,
		.blocks = blocks(task),
	};

	if (task->entry.again)
		return deadletter_again(pg, t->arena, &letter);
	return deadletter_write(pg, t->arena, &letter, call->outbox);
}

/* It has a letter already, of another epoch: that one is redriven, this reading changes nothing. */
static struct err leave_held(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	const struct replay_counts held = { .held = 1 };
	struct task *task = call->tasks;

	task->fate = TASK_HELD;
	TRY(transact_remove_rows(t, pg, call));
	TRY(replay_count(pg, task->entry.epoch, &held));
	TRY(inbox_add(pg, t->arena, t->conf->group, &task->entry, 1));
	return pg_commit(pg);
}

static struct err run_bury(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct task *task = call->tasks;
	const struct claim claim = transact_claim_of(t, task);
	const struct replay_counts failed = { .failed = 1 };

	TRY(transact_begin_fenced(t, pg, task, 1));
	/* also that of a process that died of it */
	TRY(claim_end(pg, &claim));
	TRY(inbox_look(pg, t->arena, t->conf->group, &task->entry, 1));
	if (task->entry.foreign) { /* its name is taken, and it is none of that tenant's business */
		transact_name_by_place(task);
		TRY(inbox_look(pg, t->arena, t->conf->group, &task->entry, 1));
	}
	task->entry.skipped = false; /* its letter is of this epoch alone */
	TRY(transact_end_notes(t, pg, task, 1));
	task->fate = task->entry.seen ? TASK_DUPLICATE : TASK_DONE;
	if (task->entry.seen) {
		TRY(transact_remove_rows(t, pg, call));
		return pg_commit(pg);
	}
	bool open = false;
	if (task->entry.epoch > 0 && !task->entry.again)
		TRY(deadletter_is_open(pg, t->arena, t->conf->group, task->record, &open));
	if (open)
		return leave_held(t, pg, call);
	TRY(write_letter(t, pg, call));
	TRY(leave_tombstone(t, pg, call));
	if (task->entry.epoch > 0)
		TRY(replay_count(pg, task->entry.epoch, &failed));
	TRY(inbox_add(pg, t->arena, t->conf->group, &task->entry, 1));
	TRY(outbox_flush(call->outbox, pg));
	return pg_commit(pg);
}

struct err transact_end_bury(const struct transact *t, struct task *task, struct err why)
{
	struct transact_call call = { .run = run_bury, .tasks = task, .count = 1, .why = why };

	return transact_run(t, &call);
}
