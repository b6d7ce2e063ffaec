#include "store_replay.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "port/pg.h"
#include "frame/operation.h"
#include "store.h"

static const struct pg_statement select_services = { "store_replay_services",
	"SELECT table_schema::text FROM information_schema.columns "
	"WHERE table_name = 'replay' AND column_name = 'plan_id' ORDER BY 1" };
static const struct pg_statement select_progress = { "store_replay_progress",
	"SELECT part, next_offset FROM progress WHERE grp = $1 AND topic = $2" };
static const struct pg_statement insert_part = { "store_replay_insert",
	"INSERT INTO replay (grp, topic, part, from_offset, to_offset, next_offset, kind, state,"
	" plan_id, tenant_id, rate, who) "
	"VALUES ($1, $2, $3, $4, $5, $4, 'side', 'open', $6, $7, $8, $9)" };

#define FILTER                                                                                     \
	"($1::uuid IS NULL OR plan_id = $1) AND ($2::bigint IS NULL OR id = $2) "                  \
	"AND ($3::text IS NULL OR grp = $3) AND ($4::text IS NULL OR topic = $4) "

static const struct pg_statement update_state = { "store_replay_change",
	"UPDATE replay SET state = coalesce($7::text, state), updated_at = now(), who = CASE "
	"WHEN $7 IS NULL THEN $8::text ELSE who END, "
	"reason = coalesce($9::text, reason), closed_at = CASE WHEN $7 IN ('aborted', 'refused') "
	"THEN now() ELSE closed_at END "
	"WHERE " FILTER "AND state = ANY (string_to_array($5::text, ',')) "
	"AND ($6::text IS NULL OR kind = ANY (string_to_array($6, ','))) "
	/* a note without an id is about the moves of which nobody has said anything yet */
	"AND ($7::text IS NOT NULL OR $1::uuid IS NOT NULL OR $2::bigint IS NOT NULL OR "
	"(kind <> 'side' AND who IS NULL)) "
	"RETURNING id, tenant_id" };
static const struct pg_statement select_states = { "store_replay_list",
	"SELECT coalesce(plan_id::text, min(id)::text), kind, grp, topic, "
	"string_agg(DISTINCT state, ',' ORDER BY state), sum(to_offset - from_offset)::bigint, "
	"sum(CASE state WHEN 'done' THEN to_offset - from_offset ELSE "
	"coalesce(next_offset, from_offset) - from_offset END)::bigint, sum(n_done)::bigint, "
	"sum(n_same)::bigint, sum(n_different)::bigint, sum(n_gone)::bigint, "
	"sum(n_failed)::bigint, sum(n_held)::bigint, min(who) FROM replay WHERE " FILTER
	"GROUP BY coalesce(plan_id::text, id::text), plan_id, kind, grp, topic "
	"ORDER BY min(id) DESC LIMIT 200" };

enum { FILTERS = 4 };

struct err store_replay_services(
	struct pg *pg, struct arena *arena, const char ***ret_names, size_t *ret_count)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_services, NULL, 0, &rows));
	const char **names = arena_alloc(arena, pg_count(rows) * sizeof *names + 1);
	if (names == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		names[i] = store_copy_text(arena, rows, i, 0);
	*ret_names = names;
	*ret_count = pg_count(rows);
	return err_ok();
}

/* --- progress --- */

static struct err read_progress(struct pg *pg, struct arena *arena,
	const struct store_replay_group *group, int64_t *offsets, size_t count)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(group->group), pg_text(group->topic) };

	TRY(store_begin_in(pg, group->service));
	TRY(pg_query(pg, arena, &select_progress, args, 2, &rows));
	for (size_t p = 0; p < count; p++)
		offsets[p] = -1;
	for (size_t i = 0; i < pg_count(rows); i++) {
		int64_t part = pg_get_int(rows, i, 0);
		if (part >= 0 && (size_t)part < count && !pg_is_null(rows, i, 1))
			offsets[part] = pg_get_int(rows, i, 1);
	}
	return pg_commit(pg);
}

struct err store_replay_progress(struct pg *pg, struct arena *arena,
	const struct store_replay_group *group, int64_t *offsets, size_t count)
{
	return store_undo(pg, read_progress(pg, arena, group, offsets, count));
}

/* --- the audit entry --- */

/* Told in the transaction of the change, which happens once: the id may be a fresh one. */
static struct err tell(struct pg *pg, struct arena *arena, const struct outbox_conf *conf,
	const struct operation *operation)
{
	struct outbox *outbox = outbox_new(arena, conf);
	struct operation full = *operation;

	if (outbox == NULL)
		return arena_overflow();
	full.id = id_v7();
	full.occurred_at = clock_wall_ms();
	TRY(operation_emit(outbox, &full));
	return outbox_flush(outbox, pg);
}

/* --- start --- */

#define PART(member, kind, required)                                                               \
	CODEC_FIELD(struct store_replay_part, member, kind, CODEC_PLAIN, required, 0)

static const struct codec_field part_fields[] = {
	PART(plan, CODEC_TEXT, false),
	PART(partition, CODEC_INT, true),
	PART(from_offset, CODEC_INT, true),
	PART(to_offset, CODEC_INT, true),
	PART(records, CODEC_INT, true),
	CODEC_END,
};
const struct codec_type store_replay_parts = { "estctl.replay.part",
	sizeof(struct store_replay_part), part_fields };

static struct err insert_parts(struct pg *pg, const struct store_replay_plan *plan,
	const struct codec_list *parts, int64_t *ret_records)
{
	const struct store_replay_part *part = parts->items;
	int64_t records = 0;

	for (size_t i = 0; i < parts->count; i++) {
		const struct pg_arg args[] = { pg_text(plan->of.group), pg_text(plan->of.topic),
			pg_int(part[i].partition), pg_int(part[i].from_offset),
			pg_int(part[i].to_offset), pg_id(plan->plan),
			plan->has_tenant ? pg_id(plan->tenant.id) : pg_null(),
			plan->rate > 0 ? pg_int(plan->rate) : pg_null(), pg_text(plan->who) };
		if (part[i].records == 0)
			continue;
		records += part[i].records;
		TRY(pg_push(pg, &insert_part, args, 9));
	}
	*ret_records = records;
	return records > 0 ? err_ok()
			   : err_reject(ERR_CODE_NOT_FOUND,
				     "there is nothing in that range that the group has handled");
}

static struct err start(struct pg *pg, struct arena *arena, const struct store_replay_plan *plan,
	const struct codec_list *parts, const struct outbox_conf *outbox)
{
	char object[OPERATION_TEXT_MAX + 1], id[ID_TEXT_BYTES];
	int64_t records = 0;

	id_format(plan->plan, id);
	snprintf(object, sizeof object, "side of %s %s, plan %s", plan->of.group, plan->of.topic,
		id);
	TRY(store_begin_in(pg, plan->of.service));
	TRY(insert_parts(pg, plan, parts, &records));
	const struct operation operation = { .tenant = plan->tenant,
		.actor = plan->who,
		.action = "replay.started",
		.object = object,
		.reason = "estctl replay start",
		.count = records };
	TRY(tell(pg, arena, outbox, &operation));
	return pg_commit(pg);
}

struct err store_replay_start(struct pg *pg, struct arena *arena,
	const struct store_replay_plan *plan, const struct codec_list *parts,
	const struct outbox_conf *outbox)
{
	return store_undo(pg, start(pg, arena, plan, parts, outbox));
}

/* --- changes --- */

static void filter_args(const struct store_replay_filter *filter, struct pg_arg *ret_args)
{
	ret_args[0] = id_is_nil(filter->plan) ? pg_null() : pg_id(filter->plan);
	ret_args[1] = filter->id == 0 ? pg_null() : pg_int(filter->id);
	ret_args[2] = pg_text(filter->group);
	ret_args[3] = pg_text(filter->topic);
}

static bool is_same_tenant(const struct pg_rows *rows, size_t a, size_t b)
{
	return id_eq(pg_get_id(rows, a, 1), pg_get_id(rows, b, 1));
}

/* Those of the tenant of row `of`; how many. */
static int64_t name_rows(
	const struct pg_rows *rows, size_t of, const char *service, char *ret_text, size_t max)
{
	int len = snprintf(ret_text, max, "replays of %s:", service);
	int64_t count = 0;

	for (size_t i = 0; i < pg_count(rows); i++) {
		if (!is_same_tenant(rows, i, of))
			continue;
		count++;
		if (len > 0 && (size_t)len < max)
			len += snprintf(ret_text + len, max - (size_t)len, " %lld",
				(long long)pg_get_int(rows, i, 0));
	}
	return count;
}

static struct err change_rows(struct pg *pg, struct arena *arena,
	const struct store_replay_filter *filter, const struct store_replay_change *change,
	const struct pg_rows **ret_rows)
{
	struct pg_arg args[FILTERS + 5];

	filter_args(filter, args);
	args[4] = pg_text(change->from);
	args[5] = pg_text(change->kinds);
	args[6] = pg_text(change->to);
	args[7] = pg_text(change->who);
	args[8] = pg_text(change->reason);
	TRY(store_begin_in(pg, filter->service));
	return pg_query(pg, arena, &update_state, args, FILTERS + 5, ret_rows);
}

/* One entry for each tenant; replays of all tenants are the nil tenant's. */
static struct err tell_change(struct pg *pg, struct arena *arena, const struct pg_rows *rows,
	const char *service, const struct store_replay_change *change)
{
	for (size_t i = 0; i < pg_count(rows); i++) {
		char object[OPERATION_TEXT_MAX + 1];
		size_t first = 0;
		while (!is_same_tenant(rows, first, i))
			first++;
		if (first < i)
			continue;
		const struct operation operation = { .tenant = { pg_get_id(rows, i, 1) },
			.actor = change->who,
			.action = change->action,
			.object = object,
			.reason = change->reason == NULL ? "estctl replay" : change->reason,
			.count = name_rows(rows, i, service, object, sizeof object) };
		TRY(tell(pg, arena, change->outbox, &operation));
	}
	return err_ok();
}

struct err store_replay_change(struct pg *pg, struct arena *arena,
	const struct store_replay_filter *filter, const struct store_replay_change *change,
	int64_t *ret_count)
{
	const struct pg_rows *rows;

	TRY(store_undo(pg, change_rows(pg, arena, filter, change, &rows)));
	*ret_count = (int64_t)pg_count(rows);
	TRY(store_undo(pg, tell_change(pg, arena, rows, filter->service, change)));
	return store_undo(pg, pg_commit(pg));
}

/* --- the list --- */

#define STATE(member, kind, required)                                                              \
	CODEC_FIELD(struct store_replay_state, member, kind, CODEC_PLAIN, required, 0)

static const struct codec_field state_fields[] = {
	STATE(id, CODEC_TEXT, true),
	STATE(kind, CODEC_TEXT, true),
	STATE(group, CODEC_TEXT, true),
	STATE(topic, CODEC_TEXT, true),
	STATE(state, CODEC_TEXT, true),
	STATE(records, CODEC_INT, true),
	STATE(read, CODEC_INT, true),
	STATE(done, CODEC_INT, true),
	STATE(same, CODEC_INT, true),
	STATE(different, CODEC_INT, true),
	STATE(gone, CODEC_INT, true),
	STATE(failed, CODEC_INT, true),
	STATE(held, CODEC_INT, true),
	STATE(who, CODEC_TEXT, false),
	CODEC_END,
};
const struct codec_type store_replay_states = { "estctl.replay", sizeof(struct store_replay_state),
	state_fields };

static struct err read_states(struct pg *pg, struct arena *arena,
	const struct store_replay_filter *filter, struct codec_list *ret_rows)
{
	const struct pg_rows *rows;
	struct pg_arg args[FILTERS];

	filter_args(filter, args);
	TRY(store_begin_in(pg, filter->service));
	TRY(pg_query(pg, arena, &select_states, args, FILTERS, &rows));
	struct store_replay_state *states = arena_alloc(arena, pg_count(rows) * sizeof *states + 1);
	if (states == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		states[i] = (struct store_replay_state){
			.id = store_copy_text(arena, rows, i, 0),
			.kind = store_copy_text(arena, rows, i, 1),
			.group = store_copy_text(arena, rows, i, 2),
			.topic = store_copy_text(arena, rows, i, 3),
			.state = store_copy_text(arena, rows, i, 4),
			.records = pg_get_int(rows, i, 5),
			.read = pg_get_int(rows, i, 6),
			.done = pg_get_int(rows, i, 7),
			.same = pg_get_int(rows, i, 8),
			.different = pg_get_int(rows, i, 9),
			.gone = pg_get_int(rows, i, 10),
			.failed = pg_get_int(rows, i, 11),
			.held = pg_get_int(rows, i, 12),
			.who = store_copy_text(arena, rows, i, 13),
		};
	*ret_rows = (struct codec_list){ states, pg_count(rows) };
	return pg_commit(pg);
}

struct err store_replay_list(struct pg *pg, struct arena *arena,
	const struct store_replay_filter *filter, struct codec_list *ret_rows)
{
	return store_undo(pg, read_states(pg, arena, filter, ret_rows));
}
