#include "frame/transact_work.h"

#include "base/failpoint.h"
#include "frame/deadletter.h"
#include "port/pg.h"

/* Parks it behind what waits, or forgets a stale copy. */
static struct err step_aside(const struct transact *t, struct pg *pg, const struct task *task,
	const struct park_entry *entry)
{
	TRY(transact_end_notes(t, pg, task, 1));
	if (task->fate == TASK_PARKED)
		TRY(park_add(t->conf->park, pg, t->arena, entry, 1));
	return pg_commit(pg);
}

/* Nothing to work on: a duplicate, or a replay of what is gone or held. */
static struct err conclude(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct task *task = call->tasks;
	const struct claim claim = transact_claim_of(t, task);

	TRY(claim_spend(pg, t->arena, &claim, &call->ours));
	TRY(transact_remove_rows(t, pg, call));
	if (task->entry.again)
		TRY(deadletter_redriven(pg, task->record->past.dead_id));
	return transact_finish(t, pg, call);
}

/* The claim comes before the look into the inbox: whoever spends a claim writes the inbox row in
 * the same transaction, so a claim that can be taken means that the look sees the row. */
static struct err run_claim(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct task *task = call->tasks;
	const struct claim claim = transact_claim_of(t, task);
	struct park_entry *behind;
	size_t behind_count;

	TRY(transact_begin_fenced(t, pg, task));
	TRY(transact_find_held(t, pg, call));
	TRY(transact_judge(t, pg, call, &behind, &behind_count));
	if (task->fate == TASK_PARKED || task->fate == TASK_STALE)
		return step_aside(t, pg, task, behind);
	TRY(claim_take(pg, t->arena, &claim, &call->wait_ms));
	TRY(transact_find_seen(t, pg, call));
	if (call->wait_ms > 0) {
		pg_rollback(pg);
		return err_ok();
	}
	if (task->fate != TASK_OPEN)
		return conclude(t, pg, call);
	if (task->record->route->claimed != NULL)
		TRY(transact_step_in(pg, call->outbox, task, task->record->route->claimed));
	if (task->scope.gone && task->entry.epoch > 0) {
		task->fate = TASK_GONE;
		return conclude(t, pg, call);
	}
	TRY(outbox_flush(call->outbox, pg));
	TRY(pg_commit(pg));
	failpoint_reach("effect_sending");
	return err_ok();
}

struct err transact_work_claim(const struct transact *t, struct task *task, int64_t *ret_wait_ms)
{
	struct transact_call call = { .run = run_claim, .tasks = task, .count = 1 };

	TRY(transact_run(t, &call));
	*ret_wait_ms = call.wait_ms;
	return err_ok();
}

static struct err run_spend(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct task *task = call->tasks;
	const struct claim claim = transact_claim_of(t, task);

	TRY(pg_begin(pg));
	TRY(claim_spend(pg, t->arena, &claim, &call->ours));
	TRY(transact_find_seen(t, pg, call));
	if (!call->ours || task->fate != TASK_OPEN) {
		pg_rollback(pg);
		return err_ok();
	}
	TRY(transact_step_in(pg, call->outbox, task, task->record->route->handle));
	TRY(transact_close(t, pg, call->outbox, task, 0));
	TRY(transact_remove_rows(t, pg, call));
	return transact_finish(t, pg, call);
}

struct err transact_work_spend(const struct transact *t, struct task *task, bool *ret_ours)
{
	struct transact_call call = { .run = run_spend, .tasks = task, .count = 1 };

	TRY(transact_run(t, &call));
	*ret_ours = call.ours;
	return err_ok();
}

/* --- steps of their own --- */

static struct err step_and_commit(struct pg *pg, struct transact_call *call, route_step *step)
{
	TRY(transact_step_in(pg, call->outbox, call->tasks, step));
	TRY(outbox_flush(call->outbox, pg));
	return pg_commit(pg);
}

static struct err run_settle(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	(void)t;
	TRY(pg_begin(pg));
	return step_and_commit(pg, call, call->tasks->record->route->settle);
}

/* Who lost the claim has nothing to say: somebody else works on it, or is through. */
static struct err run_failed(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	const struct claim claim = transact_claim_of(t, call->tasks);

	TRY(pg_begin(pg));
	TRY(claim_hold(pg, t->arena, &claim, &call->ours));
	if (!call->ours)
		return pg_commit(pg);
	return step_and_commit(pg, call, call->tasks->record->route->failed);
}

struct err transact_work_settle(const struct transact *t, struct task *task)
{
	struct transact_call call = { .run = run_settle, .tasks = task, .count = 1 };

	return transact_run(t, &call);
}

struct err transact_work_failed(const struct transact *t, struct task *task)
{
	struct transact_call call = { .run = run_failed, .tasks = task, .count = 1 };

	return transact_run(t, &call);
}
