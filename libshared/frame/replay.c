#include "frame/replay.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "frame/operation.h"
#include "port/pg.h"

#define COLUMNS                                                                                    \
	"r.id, r.topic, r.part, r.from_offset, r.to_offset, r.tenant_id, r.next_offset, r.rate, "  \
	"r.kind, r.state"

/* A closed rewind counts as long as a group that lost its last commit may read its records again.
 */
static const struct pg_statement load = { "replay_load",
	"SELECT " COLUMNS " FROM replay r "
	"JOIN unnest($2::text[], $3::bigint[]) AS u (t, n) ON r.topic = u.t AND r.part = u.n "
	"LEFT JOIN progress AS p ON p.grp = r.grp AND p.topic = r.topic AND p.part = r.part "
	"WHERE r.grp = $1 AND r.state <> 'refused' AND NOT r.log_gone AND (r.closed_at IS NULL "
	"OR (r.kind = 'rewind' AND r.to_offset > coalesce(p.next_offset, 0) - $4::bigint)) "
	"ORDER BY r.id" };
static const struct pg_statement forget = { "replay_forget",
	"UPDATE replay SET log_gone = true, updated_at = now(), "
	"closed_at = coalesce(closed_at, now()), "
	"reason = CASE WHEN closed_at IS NULL THEN 'the log is another one now' ELSE reason END, "
	"state = CASE WHEN closed_at IS NULL THEN 'aborted' ELSE state END "
	"WHERE grp = $1 AND topic = $2 AND part = $3 AND NOT log_gone" };

/* One process of the group at a time decides about a partition's move. */
static const struct pg_statement lock_progress = { "replay_lock_progress",
	"SELECT updated_at FROM progress WHERE grp = $1 AND topic = $2 AND part = $3 FOR UPDATE" };

/* What was refused counts until the group has gone on: after that the same move is another one. */
static const struct pg_statement find = { "replay_find",
	"SELECT " COLUMNS ", r.next_offset IS NOT NULL FROM replay r "
	"LEFT JOIN progress p ON p.grp = r.grp AND p.topic = r.topic AND p.part = r.part "
	"WHERE r.grp = $1 AND r.topic = $2 AND r.part = $3 AND r.kind = $4 "
	"AND r.from_offset = $5 AND (r.state IN ('held', 'open') OR (r.state = 'refused' "
	"AND r.to_offset = $6 AND r.closed_at >= p.updated_at AND NOT EXISTS (SELECT FROM "
	"replay l WHERE l.grp = r.grp AND l.topic = r.topic AND l.part = r.part "
	"AND l.kind <> 'side' AND l.id > r.id))) "
	"ORDER BY r.state = 'refused', r.id DESC LIMIT 1 FOR UPDATE OF r" };
static const struct pg_statement insert = { "replay_insert",
	"INSERT INTO replay AS r (grp, topic, part, kind, from_offset, to_offset, cluster_id, "
	"state)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING " COLUMNS };
static const struct pg_statement move_end = { "replay_move_end",
	"UPDATE replay AS r SET to_offset = $2, updated_at = now() WHERE id = $1 "
	"RETURNING " COLUMNS };
static const struct pg_statement abort_row = { "replay_abort",
	"UPDATE replay SET state = 'aborted', closed_at = now(), updated_at = now(), "
	"reason = coalesce(reason, 'the group was moved again') WHERE id = $1" };
static const struct pg_statement refuse_others = { "replay_refuse_others",
	"UPDATE replay SET state = 'refused', closed_at = now(), updated_at = now(), "
	"reason = coalesce(reason, 'the group was moved again') "
	"WHERE grp = $1 AND topic = $2 AND part = $3 AND state = 'held' AND kind <> 'side' "
	"AND id <> $4" };
static const struct pg_statement apply = { "replay_apply",
	"UPDATE replay AS r SET next_offset = $2, updated_at = now(), "
	"state = CASE WHEN kind = 'skip' THEN 'done' ELSE 'open' END, "
	"closed_at = CASE WHEN kind = 'skip' THEN now() END "
	"WHERE id = $1 RETURNING " COLUMNS };
static const struct pg_statement set_progress = { "replay_set_progress",
	"UPDATE progress SET next_offset = $4, updated_at = now() "
	"WHERE grp = $1 AND topic = $2 AND part = $3" };

static const struct pg_statement count_row = { "replay_count",
	"UPDATE replay SET n_done = n_done + $2, n_same = n_same + $3, "
	"n_different = n_different + $4, n_gone = n_gone + $5, n_failed = n_failed + $6, "
	"n_held = n_held + $7, updated_at = now() WHERE id = $1" };
static const struct pg_statement finish = { "replay_finish",
	"UPDATE replay AS r SET state = 'done', closed_at = now(), updated_at = now() "
	"WHERE id = $1 AND state = 'open' AND NOT EXISTS (SELECT FROM parked AS p "
	"WHERE p.epoch = $1 AND p.part = r.part AND p.topic = r.topic AND p.grp = r.grp "
	"AND p.reason <> 'hold') RETURNING " COLUMNS
	", grp, coalesce(who, 'unknown'), n_done, n_same, n_different, "
	"n_gone, n_failed, n_held" };
static const struct pg_statement look_skipped = { "replay_look_skipped",
	"SELECT u.i FROM unnest($2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY "
	"AS u (topic, part, off, i) WHERE EXISTS (SELECT FROM replay AS r WHERE r.grp = $1 "
	"AND r.topic = u.topic AND r.part = u.part AND r.kind = 'skip' AND r.state = 'done' "
	"AND NOT r.log_gone AND u.off >= r.from_offset AND u.off < r.to_offset)" };
static const struct pg_statement advance = { "replay_advance",
	"UPDATE replay SET next_offset = greatest(next_offset, $2::bigint), updated_at = now() "
	"WHERE id = $1 AND kind = 'side'" };

enum { COLUMN_COUNT = 10 };

/* --- names --- */

static const char *const kinds[] = {
	[REPLAY_REWIND] = "rewind",
	[REPLAY_SKIP] = "skip",
	[REPLAY_SIDE] = "side",
};
static const char *const states[] = {
	[REPLAY_HELD] = "held",
	[REPLAY_OPEN] = "open",
	[REPLAY_PAUSED] = "paused",
	[REPLAY_DONE] = "done",
	[REPLAY_ABORTED] = "aborted",
	[REPLAY_REFUSED] = "refused",
};

const char *replay_kind_name(enum replay_kind kind)
{
	return kinds[kind];
}

const char *replay_state_name(enum replay_state state)
{
	return states[state];
}

/* --- epochs --- */

/* A skip handles nothing again, and what waits or was refused never began. */
static bool counts_for_epochs(const struct replay *replay)
{
	return replay->kind != REPLAY_SKIP && replay->state != REPLAY_HELD &&
	       replay->state != REPLAY_REFUSED;
}

static bool contains(const struct replay *replay, const char *topic, int32_t partition,
	int64_t offset, struct tenant tenant)
{
	return replay->partition == partition && offset >= replay->from && offset < replay->to &&
	       (!replay->has_tenant || tenant_eq(replay->tenant, tenant)) &&
	       (replay->topic == topic || strcmp(replay->topic, topic) == 0);
}

int64_t replay_epoch(const struct replay_list *list, const char *topic, int32_t partition,
	int64_t offset, struct tenant tenant)
{
	int64_t epoch = 0;

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].id > epoch && counts_for_epochs(&list->items[i]) &&
			contains(&list->items[i], topic, partition, offset, tenant))
			epoch = list->items[i].id;
	return epoch;
}

/* --- rows --- */

/* The place of a name; the CHECK of the table allows no other. */
static int find_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; name != NULL && i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return 0;
}

static struct replay read_row(const struct pg_rows *rows, size_t row, const char *topic)
{
	return (struct replay){
		.id = pg_get_int(rows, row, 0),
		.topic = topic,
		.partition = (int32_t)pg_get_int(rows, row, 2),
		.from = pg_get_int(rows, row, 3),
		.to = pg_get_int(rows, row, 4),
		.has_tenant = !pg_is_null(rows, row, 5),
		.tenant = { pg_get_id(rows, row, 5) },
		.next = pg_is_null(rows, row, 6) ? pg_get_int(rows, row, 3)
						 : pg_get_int(rows, row, 6),
		.rate = pg_is_null(rows, row, 7) ? 0 : (int)pg_get_int(rows, row, 7),
		.kind = (enum replay_kind)find_name(
			kinds, sizeof kinds / sizeof *kinds, pg_get_text(rows, row, 8)),
		.state = (enum replay_state)find_name(
			states, sizeof states / sizeof *states, pg_get_text(rows, row, 9)),
	};
}

static const char *same_topic(const char *const *topics, size_t count, const char *topic)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(topics[i], topic) == 0)
			return topics[i];
	return NULL;
}

struct err replay_load(struct pg *pg, struct arena *arena, const char *group,
	const struct places *places, struct replay_list *ret_list)
{
	const struct pg_rows *rows;
	struct pg_arg args[4] = { pg_text(group), [3] = pg_int(REPLAY_AHEAD_MAX) };

	TRY(places_args(arena, places, args + 1));
	TRY(pg_query(pg, arena, &load, args, 4, &rows));
	struct replay *items = arena_alloc(arena, pg_count(rows) * sizeof *items + 1);
	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		items[i] = read_row(rows, i,
			same_topic(places->topics, places->count, pg_get_text(rows, i, 1)));
	*ret_list = (struct replay_list){ items, pg_count(rows) };
	return err_ok();
}

/* --- the audit entry --- */

/* What is told about a replay. */
struct news {
	const char *group, *who, *action, *reason;
	const struct replay_counts *counts; /* NULL = none */
};

/* Replays of all tenants are told about the nil tenant, as everything that is about none. */
static struct err tell(struct pg *pg, struct arena *arena, const struct outbox_conf *conf,
	const struct replay *replay, const struct news *news)
{
	struct outbox *outbox = outbox_new(arena, conf);
	char number[24], object[OPERATION_TEXT_MAX + 1];

	if (outbox == NULL)
		return arena_overflow();
	snprintf(number, sizeof number, "%lld", (long long)replay->id);
	snprintf(object, sizeof object, "%s of %s %s/%d [%lld, %lld), epoch %lld",
		replay_kind_name(replay->kind), news->group, replay->topic, (int)replay->partition,
		(long long)replay->from, (long long)replay->to, (long long)replay->id);
	const struct str parts[] = { STR("replay"), str_of(news->group), str_of(number),
		str_of(news->action) };
	const struct operation operation = {
		.id = outbox_id(parts, 4),
		.tenant = replay->tenant,
		.actor = news->who,
		.action = news->action,
		.object = object,
		.reason = news->reason,
		.occurred_at = clock_wall_ms(),
		.count = replay->to - replay->from,
		.replay = news->counts,
	};
	TRY(operation_emit(outbox, &operation));
	return outbox_flush(outbox, pg);
}

/* --- moves --- */

/* The transaction of a move. */
struct moving {
	struct pg *pg;
	struct arena *arena;
	const struct replay_move *move;
	const struct outbox_conf *outbox;
	bool found, applied;
	struct replay row;
};

static struct err tell_move(const struct moving *m, const char *action, const char *reason)
{
	const struct news news = { m->move->group, "unknown", action, reason, NULL };

	return tell(m->pg, m->arena, m->outbox, &m->row, &news);
}

static struct err look(struct moving *m)
{
	const struct replay_move *move = m->move;
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(move->group), pg_text(move->topic),
		pg_int(move->partition), pg_text(replay_kind_name(move->kind)), pg_int(move->from),
		pg_int(move->to) };

	TRY(pg_query(m->pg, m->arena, &lock_progress, args, 3, &rows));
	TRY(pg_query(m->pg, m->arena, &find, args, 6, &rows));
	m->found = pg_count(rows) == 1;
	if (!m->found)
		return err_ok();
	m->row = read_row(rows, 0, move->topic);
	m->applied = pg_get_int(rows, 0, COLUMN_COUNT) != 0;
	return err_ok();
}

static struct err add(struct moving *m)
{
	const struct replay_move *move = m->move;
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(move->group), pg_text(move->topic),
		pg_int(move->partition), pg_text(replay_kind_name(move->kind)), pg_int(move->from),
		pg_int(move->to), pg_text(move->cluster), pg_text(move->hold ? "held" : "open") };

	TRY(pg_query(m->pg, m->arena, &insert, args, 8, &rows));
	m->row = read_row(rows, 0, move->topic);
	return move->hold ? tell_move(m, "replay.held",
				    "Kafka's commit was moved from outside; "
				    "it waits for a person's decision")
			  : err_ok();
}

/* A held row follows the operator who moved the group once more. */
static struct err follow(struct moving *m)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_int(m->row.id), pg_int(m->move->to) };

	if (m->row.to == m->move->to)
		return err_ok();
	TRY(pg_query(m->pg, m->arena, &move_end, args, 2, &rows));
	m->row = read_row(rows, 0, m->move->topic);
	return err_ok();
}

static struct err apply_move(struct moving *m)
{
	bool skip = m->row.kind == REPLAY_SKIP;
	int64_t start = skip ? m->row.to : m->row.from;
	const struct pg_rows *rows;
	const struct pg_arg row[] = { pg_int(m->row.id), pg_int(start) };
	const struct pg_arg place[] = { pg_text(m->move->group), pg_text(m->move->topic),
		pg_int(m->move->partition), pg_int(start) };

	TRY(pg_push(m->pg, &set_progress, place, 4));
	TRY(pg_query(m->pg, m->arena, &apply, row, 2, &rows));
	m->row = read_row(rows, 0, m->move->topic);
	return tell_move(m, skip ? "replay.skipped" : "replay.opened",
		"Kafka's commit was moved from outside");
}

static struct err settle_move(struct moving *m)
{
	if (m->found && m->row.state == REPLAY_OPEN && m->applied) {
		const struct pg_arg id = pg_int(m->row.id);
		TRY(pg_push(m->pg, &abort_row, &id, 1));
		m->found = false;
	}
	if (!m->found)
		TRY(add(m));
	else if (m->row.state == REPLAY_HELD)
		TRY(follow(m));
	const struct pg_arg others[] = { pg_text(m->move->group), pg_text(m->move->topic),
		pg_int(m->move->partition), pg_int(m->row.id) };
	TRY(pg_push(m->pg, &refuse_others, others, 4));
	return m->row.state == REPLAY_OPEN ? apply_move(m) : err_ok();
}

static struct err run_move(struct moving *m)
{
	TRY(pg_begin(m->pg));
	TRY(look(m));
	TRY(settle_move(m));
	failpoint_reach("in_replay_open");
	return pg_commit(m->pg);
}

struct err replay_open(struct pg *pg, struct arena *arena, const struct replay_move *move,
	const struct outbox_conf *outbox, struct replay *ret_replay)
{
	struct moving m = { .pg = pg, .arena = arena, .move = move, .outbox = outbox };
	struct err e = run_move(&m);

	if (e.kind == ERR_OK)
		*ret_replay = m.row;
	else
		pg_rollback(pg);
	return e;
}

/* --- progress --- */

struct err replay_count(struct pg *pg, int64_t id, const struct replay_counts *counts)
{
	const struct pg_arg args[] = { pg_int(id), pg_int(counts->done), pg_int(counts->same),
		pg_int(counts->different), pg_int(counts->gone), pg_int(counts->failed),
		pg_int(counts->held) };

	return pg_push(pg, &count_row, args, 7);
}

static struct err run_finish(struct pg *pg, struct arena *arena, int64_t id,
	const struct outbox_conf *outbox, bool *ret_done)
{
	const struct pg_rows *rows;
	const struct pg_arg arg = pg_int(id);

	TRY(pg_begin(pg));
	TRY(pg_query(pg, arena, &finish, &arg, 1, &rows));
	*ret_done = pg_count(rows) > 0;
	if (!*ret_done)
		return pg_commit(pg);
	const struct replay replay = read_row(rows, 0, pg_get_text(rows, 0, 1));
	const struct replay_counts counts = {
		.done = pg_get_int(rows, 0, COLUMN_COUNT + 2),
		.same = pg_get_int(rows, 0, COLUMN_COUNT + 3),
		.different = pg_get_int(rows, 0, COLUMN_COUNT + 4),
		.gone = pg_get_int(rows, 0, COLUMN_COUNT + 5),
		.failed = pg_get_int(rows, 0, COLUMN_COUNT + 6),
		.held = pg_get_int(rows, 0, COLUMN_COUNT + 7),
	};
	const struct news news = { pg_get_text(rows, 0, COLUMN_COUNT),
		pg_get_text(rows, 0, COLUMN_COUNT + 1), "replay.done", "the range was handled",
		&counts };
	TRY(tell(pg, arena, outbox, &replay, &news));
	return pg_commit(pg);
}

struct err replay_finish(struct pg *pg, struct arena *arena, int64_t id,
	const struct outbox_conf *outbox, bool *ret_done)
{
	bool done = false;
	struct err e = run_finish(pg, arena, id, outbox, &done);

	if (e.kind == ERR_OK)
		*ret_done = done;
	else
		pg_rollback(pg);
	return e;
}

struct err replay_forget(struct pg *pg, const struct journal_place *place)
{
	const struct pg_arg args[] = { pg_text(place->group), pg_text(place->topic),
		pg_int(place->partition) };

	TRY(pg_push(pg, &forget, args, 3));
	TRY(journal_clear(pg, place));
	return pg_sync(pg);
}

struct err replay_look_skipped(struct pg *pg, struct arena *arena, const char *group,
	struct replay_place *items, size_t count)
{
	struct pg_array *topics = pg_array_new(arena, PG_KIND_TEXT, count);
	struct pg_array *partitions = pg_array_new(arena, PG_KIND_INT, count);
	struct pg_array *offsets = pg_array_new(arena, PG_KIND_INT, count);
	const struct pg_rows *rows;

	if (topics == NULL || partitions == NULL || offsets == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++) {
		TRY(pg_array_add(topics, pg_text(items[i].topic)));
		TRY(pg_array_add(partitions, pg_int(items[i].partition)));
		TRY(pg_array_add(offsets, pg_int(items[i].offset)));
		items[i].skipped = false;
	}
	const struct pg_arg args[] = { pg_text(group), pg_list(topics), pg_list(partitions),
		pg_list(offsets) };
	TRY(pg_query(pg, arena, &look_skipped, args, 4, &rows));
	for (size_t r = 0; r < pg_count(rows); r++)
		items[pg_get_int(rows, r, 0) - 1].skipped = true;
	return err_ok();
}

struct err replay_advance(struct pg *pg, int64_t id, int64_t next)
{
	const struct pg_arg args[] = { pg_int(id), pg_int(next) };

	TRY(pg_push(pg, &advance, args, 2));
	return pg_sync(pg);
}
