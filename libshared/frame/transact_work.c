#include "frame/transact_work.h"

#include "base/failpoint.h"
#include "frame/deadletter.h"
#include "port/pg.h"

/* --- of several records at once: frame/gather --- */

static struct err list_claims(const struct transact *t, const struct task *tasks, size_t count,
	struct claim_list *ret_list)
{
	struct claim *items = arena_alloc(t->arena, (count + 1) * sizeof *items);

	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		items[i] = transact_claim_of(t, &tasks[i]);
	*ret_list = (struct claim_list){ items, count };
	return err_ok();
}

/* A call about copies of some of the tasks. */
static struct err pick(const struct transact *t, const struct transact_call *call,
	bool (*wanted)(const struct task *task), struct transact_call *ret_some)
{
	struct task *tasks = arena_alloc(t->arena, (call->count + 1) * sizeof *tasks);
	size_t count = 0;

	if (tasks == NULL)
		return arena_overflow();
	for (size_t i = 0; i < call->count; i++)
		if (wanted(&call->tasks[i]))
			tasks[count++] = call->tasks[i];
	*ret_some =
		(struct transact_call){ .tasks = tasks, .count = count, .outbox = call->outbox };
	return err_ok();
}

static bool is_open(const struct task *task)
{
	return task->fate == TASK_OPEN;
}

static bool has_ended(const struct task *task)
{
	return task->fate != TASK_OPEN;
}

/* It has a claim and nothing to work on. */
static bool is_idle_claim(const struct task *task)
{
	return task->fate == TASK_DUPLICATE || task->fate == TASK_GONE;
}

/* What came to an end is written down, and the transaction is over. */
static struct err commit_ended(
	const struct transact *t, struct pg *pg, const struct transact_call *call)
{
	struct transact_call ended;

	TRY(pick(t, call, has_ended, &ended));
	if (ended.count == 0) {
		TRY(outbox_flush(call->outbox, pg));
		return pg_commit(pg);
	}
	TRY(transact_remove_rows(t, pg, &ended));
	return transact_finish(t, pg, &ended);
}

/* --- the claim --- */

static struct err take_claims(
	const struct transact *t, struct pg *pg, const struct transact_call *call)
{
	struct transact_call open;
	struct claim_list claims;
	size_t next = 0;

	TRY(pick(t, call, is_open, &open));
	TRY(list_claims(t, open.tasks, open.count, &claims));
	int64_t *wait_ms = arena_alloc(t->arena, (open.count + 1) * sizeof *wait_ms);
	if (wait_ms == NULL)
		return arena_overflow();
	TRY(claim_take(pg, t->arena, &claims, wait_ms));
	for (size_t i = 0; i < call->count; i++)
		call->tasks[i].wait_ms = is_open(&call->tasks[i]) ? wait_ms[next++] : 0;
	return err_ok();
}

static struct err begin_work(struct pg *pg, struct transact_call *call, struct task *task)
{
	if (task->wait_ms > 0)
		task->fate = TASK_OPEN; /* and whoever works on it may be about to end it */
	if (task->fate != TASK_OPEN || task->wait_ms > 0)
		return err_ok();
	if (task->record->route->claimed != NULL)
		TRY(transact_step_in(pg, call->outbox, task, task->record->route->claimed));
	if (task->scope->gone && task->entry.epoch > 0)
		task->fate = TASK_GONE;
	return err_ok();
}

/* Nothing to work on: a duplicate, or a replay of what is gone or held. */
static struct err conclude(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct transact_call idle;
	struct claim_list claims;

	TRY(pick(t, call, is_idle_claim, &idle));
	TRY(list_claims(t, idle.tasks, idle.count, &claims));
	bool *ours = arena_alloc(t->arena, (idle.count + 1) * sizeof *ours);
	if (ours == NULL)
		return arena_overflow();
	TRY(claim_spend(pg, t->arena, &claims, ours));
	for (size_t i = 0; i < call->count; i++) {
		const struct task *task = &call->tasks[i];
		if (task->entry.again && (is_idle_claim(task) || task->fate == TASK_HELD))
			TRY(deadletter_redriven(pg, task->record->past.dead_id));
	}
	return err_ok();
}

/* The claim comes before the look into the inbox: whoever spends a claim writes the inbox row in
 * the same transaction, so a claim that can be taken means that the look sees the row. */
static struct err run_claim(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct transact_behind behind;

	TRY(transact_begin_fenced(t, pg, call->tasks, call->count));
	TRY(transact_find_held(t, pg, call));
	TRY(transact_judge(t, pg, call, &behind));
	TRY(take_claims(t, pg, call));
	TRY(transact_find_seen(t, pg, call));
	for (size_t i = 0; i < call->count; i++)
		TRY(begin_work(pg, call, &call->tasks[i]));
	TRY(conclude(t, pg, call));
	TRY(transact_park_behind(t, pg, &behind));
	TRY(commit_ended(t, pg, call));
	failpoint_reach("effect_sending");
	return err_ok();
}

struct err transact_work_claim(const struct transact *t, struct task *tasks, size_t count)
{
	struct transact_call call = { .run = run_claim, .tasks = tasks, .count = count };

	return transact_run(t, &call);
}

/* --- the end of the work --- */

static struct err spend_claims(
	const struct transact *t, struct pg *pg, const struct transact_call *call)
{
	struct claim_list claims;
	bool *ours = arena_alloc(t->arena, call->count * sizeof *ours);

	if (ours == NULL)
		return arena_overflow();
	TRY(list_claims(t, call->tasks, call->count, &claims));
	TRY(claim_spend(pg, t->arena, &claims, ours));
	for (size_t i = 0; i < call->count; i++)
		call->tasks[i].ours = ours[i];
	return err_ok();
}

static struct err end_work(
	const struct transact *t, struct pg *pg, struct transact_call *call, struct task *task)
{
	size_t before = outbox_count(call->outbox);

	if (!task->ours) {
		task->fate = TASK_OPEN;
		return err_ok();
	}
	if (task->fate != TASK_OPEN)
		return err_ok();
	TRY(transact_step_in(pg, call->outbox, task, task->record->route->handle));
	return transact_close(t, pg, call->outbox, task, before);
}

static struct err run_spend(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	TRY(pg_begin(pg));
	TRY(spend_claims(t, pg, call));
	TRY(transact_find_seen(t, pg, call));
	for (size_t i = 0; i < call->count; i++)
		TRY(end_work(t, pg, call, &call->tasks[i]));
	return commit_ended(t, pg, call);
}

struct err transact_work_spend(const struct transact *t, struct task *tasks, size_t count)
{
	struct transact_call call = { .run = run_spend, .tasks = tasks, .count = count };

	return transact_run(t, &call);
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
	TRY(claim_hold(pg, t->arena, &claim, &call->tasks->ours));
	if (!call->tasks->ours)
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
