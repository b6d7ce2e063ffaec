#include "frame/transact.h"

#include <stdio.h>

#include "base/clock.h"
#include "frame/deadletter.h"
#include "frame/fence.h"
#include "frame/relay.h"
#include "port/pg.h"

/* What one transaction is about. */
struct call {
	struct err (*run)(const struct transact *t, struct pg *pg, struct call *call);
	struct task *tasks;
	size_t count;
	struct err why;	 /* bury */
	int64_t wait_ms; /* claim */
	bool ours;	 /* spend */
};

static const struct pg_statement set_tenant = { "transact_set_tenant",
	"SELECT set_config('app.current_tenant', $1, true)" };

/* --- reading --- */

static struct err read_event(const struct transact *t, struct task *task)
{
	struct record *record = task->record;
	struct headers headers;

	TRY(envelope_unpack(record->headers, t->arena, &headers));
	TRY(envelope_read(&headers, record->key, record->value, t->arena, &task->event));
	task->entry.event_id = task->event.id;
	task->entry.tenant = task->event.tenant;
	return err_ok();
}

/* Without an event there is still one inbox row, named by the record's place. */
static void name_by_place(struct task *task)
{
	char place[64];
	const struct partition *partition = task->record->partition;

	snprintf(place, sizeof place, "%d|%lld", (int)partition->number,
		(long long)task->record->offset);
	const struct str parts[] = { str_of(partition->topic), str_of(place) };
	task->entry.event_id = outbox_id(parts, 2);
}

struct err transact_read(const struct transact *t, struct record *record, struct task *ret_task)
{
	struct task *task = ret_task;

	*task = (struct task){ .record = record };
	struct err e = read_event(t, task);
	if (e.kind != ERR_OK) {
		name_by_place(task);
		return e;
	}
	if (record->route == NULL)
		return record->why;
	task->payload = arena_alloc(t->arena, record->route->type->size);
	if (task->payload == NULL)
		return arena_overflow();
	task->scope =
		(struct scope){ .arena = t->arena, .state = t->conf->state, .event = &task->event };
	return codec_read(record->route->type, record->value, t->arena, task->payload);
}

/* --- pieces --- */

/* Runs the call on a connection of the pool; what a failure left open is rolled back. */
static struct err run(const struct transact *t, struct call *call)
{
	struct pg *pg = pg_pool_take(t->conf->pool);
	int64_t from_us = clock_mono_us();
	struct err e = call->run(t, pg, call);

	if (e.kind != ERR_OK)
		pg_rollback(pg);
	pg_pool_give(t->conf->pool, pg);
	if (e.kind == ERR_OK || health_part_of(e) == HEALTH_POSTGRES)
		health_report(t->conf->health, HEALTH_POSTGRES, e, clock_mono_us() - from_us);
	if (e.kind == ERR_OK)
		relay_wake(t->conf->relay);
	return e;
}

static struct err begin_fenced(const struct transact *t, struct pg *pg, const struct task *task)
{
	const struct partition *partition = task->record->partition;
	const struct fence fence = { .topic = partition->topic,
		.partition = partition->number,
		.number = partition->fence };
	bool ours = false;

	TRY(pg_begin(pg));
	TRY(fence_hold(pg, t->arena, t->conf->group, &fence, &ours));
	return ours ? err_ok()
		    : err_retry(ERR_CODE_BAD_TRANSITION, "the partition has another owner");
}

static struct err run_step(
	struct task *task, struct pg *pg, struct outbox *outbox, route_step *step)
{
	char tenant[ID_TEXT_BYTES];

	id_format(task->event.tenant.id, tenant);
	const struct pg_arg arg = pg_text(tenant);
	TRY(pg_push(pg, &set_tenant, &arg, 1));
	outbox_set_origin(outbox, task->event.traceparent, task->event.slug);
	task->scope.pg = pg;
	task->scope.outbox = outbox;
	struct err e = step(&task->scope, task->payload);
	task->scope.pg = NULL;
	task->scope.outbox = NULL;
	return e;
}

struct err transact_step(struct task *task, route_step *step)
{
	return step(&task->scope, task->payload);
}

struct claim transact_claim_of(const struct transact *t, const struct task *task)
{
	return (struct claim){ .group = t->conf->group,
		.event_id = task->entry.event_id,
		.epoch = task->entry.epoch,
		.tenant = task->entry.tenant,
		.owner = t->conf->owner };
}

static struct err look_for(const struct transact *t, struct pg *pg, struct task *task)
{
	return inbox_look(pg, t->arena, t->conf->group, &task->entry, 1);
}

static struct err finish(const struct transact *t, struct pg *pg, struct outbox *outbox,
	const struct inbox_entry *entries, size_t count)
{
	TRY(inbox_add(pg, t->arena, t->conf->group, entries, count));
	TRY(outbox_flush(outbox, pg));
	return pg_commit(pg);
}

static struct err new_outbox(const struct transact *t, struct outbox **ret_outbox)
{
	*ret_outbox = outbox_new(t->arena, &t->conf->outbox);
	return *ret_outbox == NULL ? arena_overflow() : err_ok();
}

/* --- ROUTE_TXN --- */

/* The entries of the batch against the inbox and against each other. */
static struct err find_seen(const struct transact *t, struct pg *pg, const struct call *call,
	struct inbox_entry **ret_entries)
{
	struct inbox_entry *entries = arena_alloc(t->arena, call->count * sizeof *entries);

	if (entries == NULL)
		return arena_overflow();
	for (size_t i = 0; i < call->count; i++)
		entries[i] = call->tasks[i].entry;
	TRY(inbox_look(pg, t->arena, t->conf->group, entries, call->count));
	for (size_t i = 1; i < call->count; i++)
		for (size_t k = 0; k < i && !entries[i].seen; k++)
			entries[i].seen = id_eq(entries[i].event_id, entries[k].event_id) &&
					  entries[i].epoch == entries[k].epoch;
	*ret_entries = entries;
	return err_ok();
}

static struct err handle_one(const struct transact *t, struct pg *pg, struct outbox *outbox,
	struct task *task, struct inbox_entry *entry)
{
	size_t before = outbox_count(outbox);

	task->entry.seen = entry->seen;
	if (entry->seen)
		return err_ok();
	TRY(run_step(task, pg, outbox, task->record->route->handle));
	return outbox_hashes(outbox, before, t->arena, &entry->outputs);
}

static struct err run_handle(const struct transact *t, struct pg *pg, struct call *call)
{
	struct outbox *outbox;
	struct inbox_entry *entries = NULL;

	TRY(new_outbox(t, &outbox));
	TRY(begin_fenced(t, pg, call->tasks));
	TRY(find_seen(t, pg, call, &entries));
	for (size_t i = 0; i < call->count; i++)
		TRY(handle_one(t, pg, outbox, &call->tasks[i], &entries[i]));
	return finish(t, pg, outbox, entries, call->count);
}

struct err transact_handle(const struct transact *t, struct task *tasks, size_t count)
{
	struct call call = { .run = run_handle, .tasks = tasks, .count = count };

	return run(t, &call);
}

/* --- dead letters --- */

static struct err run_bury(const struct transact *t, struct pg *pg, struct call *call)
{
	struct task *task = call->tasks;
	const struct deadletter letter = {
		.record = task->record,
		.event = task->event.type == NULL ? NULL : &task->event,
		.group = t->conf->group,
		.version = t->conf->version,
		.why = call->why,
	};
	const struct claim claim = transact_claim_of(t, task);
	struct outbox *outbox;

	TRY(new_outbox(t, &outbox));
	TRY(begin_fenced(t, pg, task));
	TRY(claim_spend(pg, t->arena, &claim, &call->ours));
	TRY(look_for(t, pg, task));
	if (task->entry.seen)
		return pg_commit(pg);
	TRY(deadletter_write(pg, t->arena, &letter, outbox));
	return finish(t, pg, outbox, &task->entry, 1);
}

struct err transact_bury(const struct transact *t, struct task *task, struct err why)
{
	struct call call = { .run = run_bury, .tasks = task, .count = 1, .why = why };

	return run(t, &call);
}

/* --- ROUTE_WORK --- */

/* The claim comes before the look into the inbox: whoever spends a claim writes the inbox row in
 * the same transaction, so a claim that can be taken means that the look sees the row. */
static struct err run_claim(const struct transact *t, struct pg *pg, struct call *call)
{
	struct task *task = call->tasks;
	const struct claim claim = transact_claim_of(t, task);
	struct outbox *outbox;

	TRY(new_outbox(t, &outbox));
	TRY(begin_fenced(t, pg, task));
	TRY(claim_take(pg, t->arena, &claim, &call->wait_ms));
	TRY(look_for(t, pg, task));
	if (call->wait_ms > 0 || task->entry.seen) {
		pg_rollback(pg);
		return err_ok();
	}
	if (task->record->route->claimed != NULL)
		TRY(run_step(task, pg, outbox, task->record->route->claimed));
	TRY(outbox_flush(outbox, pg));
	return pg_commit(pg);
}

struct err transact_claim(const struct transact *t, struct task *task, int64_t *ret_wait_ms)
{
	struct call call = { .run = run_claim, .tasks = task, .count = 1 };

	TRY(run(t, &call));
	*ret_wait_ms = call.wait_ms;
	return err_ok();
}

static struct err run_spend(const struct transact *t, struct pg *pg, struct call *call)
{
	struct task *task = call->tasks;
	const struct claim claim = transact_claim_of(t, task);
	struct outbox *outbox;

	TRY(new_outbox(t, &outbox));
	TRY(pg_begin(pg));
	TRY(claim_spend(pg, t->arena, &claim, &call->ours));
	TRY(look_for(t, pg, task));
	if (!call->ours || task->entry.seen) {
		pg_rollback(pg);
		return err_ok();
	}
	TRY(run_step(task, pg, outbox, task->record->route->handle));
	TRY(outbox_hashes(outbox, 0, t->arena, &task->entry.outputs));
	return finish(t, pg, outbox, &task->entry, 1);
}

struct err transact_spend(const struct transact *t, struct task *task, bool *ret_ours)
{
	struct call call = { .run = run_spend, .tasks = task, .count = 1 };

	TRY(run(t, &call));
	*ret_ours = call.ours;
	return err_ok();
}

static struct err run_settle(const struct transact *t, struct pg *pg, struct call *call)
{
	struct outbox *outbox;

	TRY(new_outbox(t, &outbox));
	TRY(pg_begin(pg));
	TRY(run_step(call->tasks, pg, outbox, call->tasks->record->route->settle));
	TRY(outbox_flush(outbox, pg));
	return pg_commit(pg);
}

struct err transact_settle(const struct transact *t, struct task *task)
{
	struct call call = { .run = run_settle, .tasks = task, .count = 1 };

	return run(t, &call);
}
