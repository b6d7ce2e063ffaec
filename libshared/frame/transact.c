#include "frame/transact.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "frame/deadletter.h"
#include "frame/fence.h"
#include "frame/held.h"
#include "frame/journal.h"
#include "frame/relay.h"
#include "frame/replay.h"
#include "frame/span_kafka.h"
#include "port/pg.h"

enum { DOUBT_MARGIN_MS = 3600000 };

/* --- reading --- */

static struct err read_event(const struct transact *t, struct task *task)
{
	struct record *record = task->record;
	struct headers headers;

	TRY(envelope_unpack(record->headers, t->arena, &headers));
	struct err e = envelope_read(&headers, record->key, record->value, t->arena, &task->event);
	if (task->event.type != NULL) { /* also of one that is too large */
		task->entry.event_id = task->event.id;
		task->entry.tenant = task->event.tenant;
	}
	return e;
}

void transact_name_by_place(struct task *task)
{
	char place[64];
	const struct partition *partition = task->record->partition;

	snprintf(place, sizeof place, "%d|%lld", (int)partition->number,
		(long long)task->record->offset);
	const struct str parts[] = { str_of(partition->topic), str_of(place) };
	task->entry.event_id = outbox_id(parts, 2);
	task->entry.seen = task->entry.known = task->entry.foreign = false;
}

struct err transact_name(const struct transact *t, struct record *record, struct task *ret_task)
{
	struct task *task = ret_task;

	*task = (struct task){ .record = record };
	task->entry.epoch = record->past.epoch;
	task->entry.again = !id_is_nil(record->past.dead_id);
	struct err e = read_event(t, task);
	if (task->event.type == NULL)
		transact_name_by_place(task);
	return e;
}

/* With room for clocks that differ: asking once too often harms nobody. A time that has not come
 * yet is a partner's word and says nothing. */
static int64_t doubt_of(const struct partition *partition, const struct event *event)
{
	if (partition->doubt_ms == 0)
		return 0;
	bool old = event->time_ms < partition->doubt_ms + DOUBT_MARGIN_MS;
	return old || event->time_ms > clock_wall_ms() ? partition->doubt_ms : 0;
}

struct err transact_read(const struct transact *t, struct record *record, struct task *ret_task)
{
	struct task *task = ret_task;

	struct err named = transact_name(t, record, task);
	if (record->route == NULL)
		return record->why;
	if (named.kind != ERR_OK)
		return named;
	span_kafka_process(t, task);
	task->payload = arena_alloc(t->arena, record->route->type->size);
	task->scope = arena_alloc(t->arena, sizeof *task->scope);
	if (task->payload == NULL || task->scope == NULL)
		return arena_overflow();
	*task->scope = (struct scope){ .arena = t->arena,
		.state = t->conf->state,
		.event = &task->event,
		.epoch = record->past.epoch,
		.attempts = record->past.attempts,
		.doubt_ms = doubt_of(record->partition, &task->event) };
	TRY(codec_read(record->route->type, record->value, t->arena, task->payload));
	task->is_read = true;
	return err_ok();
}

/* --- pieces --- */

struct err transact_run(const struct transact *t, struct transact_call *call)
{
	struct pg *pg = pg_pool_take(t->conf->pool);
	int64_t from_us = clock_mono_us();
	struct err e = arena_overflow();

	call->outbox = outbox_new(t->arena, &t->conf->outbox);
	if (call->outbox != NULL)
		e = call->run(t, pg, call);
	if (e.kind != ERR_OK)
		pg_rollback(pg);
	e = pg_pool_give(t->conf->pool, pg, t->arena, e);
	if (e.kind == ERR_OK || health_part_of(e) == HEALTH_POSTGRES)
		health_report(t->conf->health, HEALTH_POSTGRES, e, clock_mono_us() - from_us);
	if (e.kind == ERR_OK)
		relay_wake(t->conf->relay);
	return e;
}

int transact_compare_partitions(const struct task *a, const struct task *b)
{
	const struct partition *x = a->record->partition, *y = b->record->partition;
	int order = strcmp(x->topic, y->topic);

	return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

static struct err hold_fence(
	const struct transact *t, struct pg *pg, const struct partition *partition)
{
	const struct fence fence = { .topic = partition->topic,
		.partition = partition->number,
		.number = partition->fence };
	bool ours = false;

	TRY(fence_hold(pg, t->arena, t->conf->group, &fence, &ours));
	return ours ? err_ok()
		    : err_retry(ERR_CODE_BAD_TRANSITION, "the partition has another owner");
}

struct err transact_begin_fenced(
	const struct transact *t, struct pg *pg, const struct task *tasks, size_t count)
{
	TRY(pg_begin(pg));
	for (size_t i = 0; i < count; i++) {
		const struct partition *partition = tasks[i].record->partition;
		if (i == 0 || partition != tasks[i - 1].record->partition)
			TRY(hold_fence(t, pg, partition));
	}
	return err_ok();
}

/* How many from the first on are of its partition. */
static size_t in_one_partition(const struct park_entry *entries, size_t count)
{
	size_t i = 1;

	while (i < count && entries[i].record->partition == entries[0].record->partition)
		i++;
	return i;
}

struct err transact_park_behind(
	const struct transact *t, struct pg *pg, const struct transact_behind *behind)
{
	for (size_t i = 0, of_one; i < behind->count; i += of_one) {
		of_one = in_one_partition(&behind->entries[i], behind->count - i);
		TRY(park_add(t->conf->park, pg, t->arena, &behind->entries[i], of_one));
	}
	return err_ok();
}

struct err transact_judge(const struct transact *t, struct pg *pg, const struct transact_call *call,
	struct transact_behind *ret_behind)
{
	struct park_entry *entries = arena_alloc(t->arena, (call->count + 1) * sizeof *entries);
	size_t behind = 0;

	if (entries == NULL)
		return arena_overflow();
	for (size_t i = 0; i < call->count; i++)
		entries[i] = (struct park_entry){ .record = call->tasks[i].record,
			.event = &call->tasks[i].event,
			.reason = PARK_BLOCKED };
	for (size_t i = 0, of_one; i < call->count; i += of_one) {
		of_one = in_one_partition(&entries[i], call->count - i);
		TRY(park_judge(t->conf->park, pg, t->arena, &entries[i], of_one));
	}
	for (size_t i = 0; i < call->count; i++) {
		if (call->tasks[i].fate == TASK_HELD)
			continue;
		call->tasks[i].fate = entries[i].verdict == PARK_BEHIND	 ? TASK_PARKED
				      : entries[i].verdict == PARK_STALE ? TASK_STALE
									 : TASK_OPEN;
		if (entries[i].verdict == PARK_BEHIND)
			entries[behind++] = entries[i];
	}
	*ret_behind = (struct transact_behind){ entries, behind };
	return err_ok();
}

/* What a replay meets and the inbox does not know is either older than it, or was skipped. */
static struct err find_skipped(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct replay_place *places = arena_alloc(t->arena, (call->count + 1) * sizeof *places);
	struct task **tasks = arena_alloc(t->arena, (call->count + 1) * sizeof *tasks);
	size_t count = 0;

	if (places == NULL || tasks == NULL)
		return arena_overflow();
	for (size_t i = 0; i < call->count; i++) {
		const struct record *record = call->tasks[i].record;
		const struct inbox_entry *entry = &call->tasks[i].entry;
		if (entry->epoch == 0 || entry->old || call->tasks[i].fate != TASK_OPEN)
			continue;
		tasks[count] = &call->tasks[i];
		places[count++] = (struct replay_place){ .topic = record->partition->topic,
			.partition = record->partition->number,
			.offset = record->offset };
	}
	if (count == 0)
		return err_ok();
	TRY(replay_look_skipped(pg, t->arena, t->conf->group, places, count));
	for (size_t i = 0; i < count; i++)
		tasks[i]->entry.skipped = places[i].skipped;
	return err_ok();
}

struct err transact_find_seen(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct inbox_entry *entries = arena_alloc(t->arena, call->count * sizeof *entries);

	if (entries == NULL)
		return arena_overflow();
	for (size_t i = 0; i < call->count; i++)
		entries[i] = call->tasks[i].entry;
	TRY(inbox_look(pg, t->arena, t->conf->group, entries, call->count));
	for (size_t i = 0; i < call->count; i++) {
		struct task *task = &call->tasks[i];
		for (size_t k = 0; k < i && !entries[i].seen && !entries[i].again; k++) {
			entries[i].seen = call->tasks[k].fate != TASK_PARKED &&
					  id_eq(entries[i].event_id, entries[k].event_id) &&
					  entries[i].epoch == entries[k].epoch;
			entries[i].foreign =
				entries[i].seen && !tenant_eq(entries[i].tenant, entries[k].tenant);
		}
		task->entry = entries[i];
		if (task->fate == TASK_OPEN && task->entry.foreign)
			return err_reject(ERR_CODE_TENANT_MISMATCH,
				"the event's id is that of another tenant's event");
		if (task->fate == TASK_OPEN && task->entry.seen)
			task->fate = TASK_DUPLICATE;
	}
	return find_skipped(t, pg, call);
}

struct err transact_find_held(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	for (size_t i = 0; i < call->count; i++) {
		bool held = false;
		if (call->tasks[i].record->partition->source != SOURCE_SIDE)
			continue;
		TRY(held_look(pg, t->arena, t->conf->group, &call->tasks[i].entry, &held));
		if (held)
			call->tasks[i].fate = TASK_HELD;
	}
	return err_ok();
}

struct err transact_remove_rows(const struct transact *t, struct pg *pg, struct transact_call *call)
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

struct err transact_step_in(
	struct pg *pg, struct outbox *outbox, struct task *task, route_step *step)
{
	TRY(pg_set_tenant(pg, task->event.tenant));
	outbox_set_origin(outbox, task->event.traceparent, task->event.slug);
	task->scope->pg = pg;
	task->scope->outbox = outbox;
	struct err e = transact_step(task, step);
	task->scope->pg = NULL;
	task->scope->outbox = NULL;
	return e;
}

struct err transact_step(struct task *task, route_step *step)
{
	int64_t from_us = clock_mono_us();
	struct err e = step(task->scope, task->payload);

	/* rounded up: 0 is a step that never ran */
	task->handler_us += clock_mono_us() - from_us + 1;
	return e;
}

struct claim transact_claim_of(const struct transact *t, const struct task *task)
{
	return (struct claim){ .group = t->conf->group,
		.event_id = task->entry.event_id,
		.epoch = task->entry.epoch,
		.tenant = task->entry.tenant,
		.owner = t->conf->owner };
}

struct err transact_close(const struct transact *t, struct pg *pg, struct outbox *outbox,
	struct task *task, size_t from)
{
	const struct record_past *past = &task->record->past;

	if (past->epoch > 0 && !task->entry.skipped)
		TRY(outbox_reconcile(
			outbox, from, task->entry.before, past->epoch, &task->outputs));
	TRY(outbox_hashes(outbox, from, t->arena, &task->entry.outputs));
	if (task->entry.again) {
		failpoint_reach("in_redrive");
		TRY(deadletter_redriven(pg, past->dead_id));
	}
	task->fate = task->scope->gone && past->epoch > 0 ? TASK_GONE : TASK_DONE;
	return err_ok();
}

/* --- the end of a transaction --- */

struct err transact_end_notes(
	const struct transact *t, struct pg *pg, const struct task *tasks, size_t count)
{
	int64_t *offsets = arena_alloc(t->arena, count * sizeof *offsets);

	if (offsets == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count;) {
		const struct partition *partition = tasks[i].record->partition;
		struct journal_batch noted = {
			{ t->conf->group, partition->topic, partition->number }, offsets, 0
		};
		for (; i < count && tasks[i].record->partition == partition; i++)
			if (tasks[i].record->past.noted)
				offsets[noted.n++] = tasks[i].record->offset;
		if (noted.n > 0)
			TRY(journal_end(pg, t->arena, &noted));
	}
	return err_ok();
}

static void add_up(const struct task *task, struct replay_counts *counts)
{
	bool differs = task->outputs.different > 0;

	counts->done += task->fate == TASK_DONE;
	counts->same += task->fate == TASK_DONE && !differs && !task->entry.skipped;
	counts->different += task->fate == TASK_DONE && differs;
	counts->gone += task->fate == TASK_GONE;
	counts->held += task->fate == TASK_HELD;
}

/* The next higher epoch of a batch; 0 = none. */
static int64_t epoch_after(const struct transact_call *call, int64_t epoch)
{
	int64_t next = 0;

	for (size_t i = 0; i < call->count; i++) {
		int64_t found = call->tasks[i].entry.epoch;
		if (found > epoch && (next == 0 || found < next))
			next = found;
	}
	return next;
}

/* Records of a batch are mostly of one replay; each gets one statement, in the order of their ids:
 * it locks the replay's row. */
static struct err count_replays(struct pg *pg, const struct transact_call *call)
{
	for (int64_t epoch = epoch_after(call, 0); epoch > 0; epoch = epoch_after(call, epoch)) {
		struct replay_counts counts = { 0 };
		for (size_t i = 0; i < call->count; i++)
			if (call->tasks[i].entry.epoch == epoch)
				add_up(&call->tasks[i], &counts);
		if (counts.done + counts.gone + counts.held > 0)
			TRY(replay_count(pg, epoch, &counts));
	}
	return err_ok();
}

struct err transact_finish(const struct transact *t, struct pg *pg, struct transact_call *call)
{
	struct inbox_entry *entries = arena_alloc(t->arena, call->count * sizeof *entries);
	size_t count = 0;

	if (entries == NULL)
		return arena_overflow();
	for (size_t i = 0; i < call->count; i++)
		if (call->tasks[i].fate == TASK_DONE || call->tasks[i].fate == TASK_GONE)
			entries[count++] = call->tasks[i].entry;
	TRY(inbox_add(pg, t->arena, t->conf->group, entries, count));
	TRY(transact_end_notes(t, pg, call->tasks, call->count));
	TRY(count_replays(pg, call));
	TRY(outbox_flush(call->outbox, pg));
	failpoint_reach("before_pg_commit");
	TRY(pg_commit(pg));
	failpoint_reach("after_pg_commit");
	return err_ok();
}
