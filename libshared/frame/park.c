/*
 * The verdicts, and the statements of whoever is in the fenced transaction. What a process
 * remembers is in park_memory.c, the way back into the schedule in park_load.c.
 */
#include "frame/park.h"

#include <stdio.h>
#include <string.h>

#include "frame/park_memory.h"
#include "port/pg.h"

enum { MESSAGE_MAX = 1024 };

/* ORDER BY .. LIMIT 1 takes parked_key_idx in its order. */
static const struct pg_statement heads = { "park_heads",
	"SELECT u.n, h.off, h.id FROM unnest($4::uuid[], $5::text[]) WITH ORDINALITY "
	"AS u (tenant, key, n) CROSS JOIN LATERAL (SELECT off, id FROM parked "
	"WHERE grp = $1 AND topic = $2 AND part = $3 AND tenant_id = u.tenant "
	"AND ordering_key = u.key ORDER BY off, epoch LIMIT 1) AS h" };
static const struct pg_statement insert = { "park_insert",
	"INSERT INTO parked (grp, topic, part, off, epoch, event_id, tenant_id, ordering_key, "
	"due_at, attempts, reason, headers, key, payload, error_code, error_message, "
	"first_failed_at, dead_letter_id) "
	"SELECT $1, $2, $3, off, epoch, event, tenant, ordering, CASE WHEN due_in < 0 "
	"THEN 'infinity' ELSE now() + due_in * interval '1 ms' END, attempts, reason, headers, "
	"key, payload, code, message, first, dead FROM unnest($4::bigint[], $5::bigint[], "
	"$6::uuid[], $7::uuid[], $8::text[], $9::bigint[], $10::bigint[], $11::text[], "
	"$12::bytea[], $13::bytea[], $14::bytea[], $15::text[], $16::text[], "
	"$17::timestamptz[], $18::uuid[]) AS u (off, epoch, event, tenant, ordering, due_in, "
	"attempts, reason, headers, key, payload, code, message, first, dead) "
	"ON CONFLICT (grp, topic, part, tenant_id, ordering_key, off, epoch) DO NOTHING" };
static const struct pg_statement delete_rows = { "park_delete",
	"WITH gone AS (DELETE FROM parked WHERE id = ANY ($1::bigint[]) RETURNING 1) "
	"SELECT count(*) FROM gone" };
static const struct pg_statement update = { "park_update",
	"UPDATE parked SET attempts = $2, first_failed_at = $3, reason = $4::text, due_at = CASE "
	"WHEN $5::bigint < 0 THEN 'infinity' ELSE now() + $5::bigint * interval '1 ms' END, "
	"error_code = $6, error_message = $7, headers = CASE WHEN $4::text <> 'hold' THEN headers "
	"END, key = CASE WHEN $4::text <> 'hold' THEN key END, payload = CASE WHEN $4::text <> "
	"'hold' THEN payload END WHERE id = $1" };
static const struct pg_statement discover = { "park_discover",
	"SELECT u.n FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS u (t, p, n) "
	"CROSS JOIN LATERAL (SELECT 1 FROM parked WHERE grp = $1 AND topic = u.t "
	"AND part = u.p "
	"ORDER BY tenant_id, ordering_key LIMIT 1) AS found" };
/* 10,000 = PARK_COUNT_MAX */
static const struct pg_statement count_rows = { "park_count",
	"SELECT count(*) FILTER (WHERE r.reason = 'due'), "
	"count(*) FILTER (WHERE r.reason = 'blocked'), "
	"count(*) FILTER (WHERE r.reason = 'overflow'), "
	"count(*) FILTER (WHERE r.reason = 'suspended'), "
	"count(*) FILTER (WHERE r.reason = 'held') "
	"FROM unnest($2::text[], $3::bigint[]) AS u (t, p) CROSS JOIN LATERAL ("
	"(SELECT 'due' AS reason FROM parked WHERE grp = $1 AND topic = u.t AND part = u.p "
	"AND reason NOT IN ('blocked', 'overflow') AND due_at < 'infinity' "
	"ORDER BY due_at LIMIT 10000) UNION ALL "
	"(SELECT CASE reason WHEN 'suspended' THEN 'suspended' ELSE 'held' END FROM parked WHERE "
	"grp = $1 AND topic = u.t AND part = u.p "
	"AND reason NOT IN ('blocked', 'overflow') AND due_at >= 'infinity' "
	"ORDER BY due_at LIMIT 10000) UNION ALL "
	"SELECT reason FROM (SELECT reason FROM parked "
	"WHERE grp = $1 AND topic = u.t AND part = u.p "
	"ORDER BY tenant_id, ordering_key, off, epoch LIMIT 10000) AS all_rows "
	"WHERE reason IN ('blocked', 'overflow')) AS r" };

const char *park_reason_name(enum park_reason reason)
{
	static const char *const names[] = {
		[PARK_RETRY] = "retry",
		[PARK_BLOCKED] = "blocked",
		[PARK_OVERFLOW] = "overflow",
		[PARK_HOLD] = "hold",
		[PARK_BREAKER] = "breaker",
		[PARK_REDRIVE] = "redrive",
		[PARK_SUSPENDED] = "suspended",
	};

	return names[reason];
}

struct park *park_new(const char *group)
{
	return park_memory_new(group);
}

void park_free(struct park *park)
{
	park_memory_free(park);
}

bool park_may_have(struct park *park, const char *topic, int32_t partition)
{
	return park_memory_may_have(park, topic, partition);
}

/* --- verdicts --- */

/* What is known of a key while a batch is judged. */
struct lane {
	const struct park_entry *first; /* of the key, in the batch */
	bool has_head;			/* it has a parked row, */
	int64_t off, id;		/* the first of which is this; later: the last that runs */
	bool running, behind, stale;
};

static bool same_key(const struct park_entry *a, const struct park_entry *b)
{
	return tenant_eq(a->event->tenant, b->event->tenant) &&
	       str_eq(str_of(a->event->ordering_key), str_of(b->event->ordering_key));
}

static struct lane *find_lane(struct lane *lanes, size_t *count, const struct park_entry *entry)
{
	for (size_t i = *count; i > 0; i--)
		if (same_key(lanes[i - 1].first, entry))
			return &lanes[i - 1];
	lanes[*count] = (struct lane){ .first = entry };
	return &lanes[(*count)++];
}

static struct err read_heads(const struct park *park, struct pg *pg, struct arena *arena,
	struct lane *lanes, size_t count)
{
	const struct partition *partition = lanes[0].first->record->partition;
	struct pg_array *tenants = pg_array_new(arena, PG_KIND_ID, count);
	struct pg_array *keys = pg_array_new(arena, PG_KIND_TEXT, count);
	const struct pg_rows *rows;

	if (tenants == NULL || keys == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++) {
		TRY(pg_array_add(tenants, pg_id(lanes[i].first->event->tenant.id)));
		TRY(pg_array_add(keys, pg_text(lanes[i].first->event->ordering_key)));
	}
	const struct pg_arg args[] = { pg_text(park_memory_group(park)), pg_text(partition->topic),
		pg_int(partition->number), pg_list(tenants), pg_list(keys) };
	TRY(pg_query(pg, arena, &heads, args, 5, &rows));
	for (size_t r = 0; r < pg_count(rows); r++) {
		struct lane *lane = &lanes[pg_get_int(rows, r, 0) - 1];
		lane->has_head = true;
		lane->off = pg_get_int(rows, r, 1);
		lane->id = pg_get_int(rows, r, 2);
	}
	return err_ok();
}

/* A row runs as the head of its key, or after one of this batch that runs. */
static enum park_verdict judge_loaded(struct lane *lane, const struct record *record)
{
	int64_t id = record->past.parked_id;
	bool next = lane->running ? record->offset > lane->off ||
					    (record->offset == lane->off && id > lane->id)
				  : lane->has_head && id == lane->id;

	lane->stale = lane->stale || !next;
	if (lane->stale)
		return PARK_STALE;
	lane->running = true;
	lane->off = record->offset;
	lane->id = id;
	return PARK_RUN;
}

static enum park_verdict judge_fresh(struct lane *lane, const struct record *record)
{
	lane->behind = lane->behind || (lane->has_head && lane->off <= record->offset);
	return lane->behind ? PARK_BEHIND : PARK_RUN;
}

static bool must_ask(struct park *park, const struct park_entry *entries, size_t count)
{
	const struct partition *partition = entries[0].record->partition;

	if (park_memory_is_asked(park, partition))
		return true;
	for (size_t i = 0; i < count; i++)
		if (entries[i].record->past.parked_id != 0)
			return true;
	return false;
}

struct err park_judge(struct park *park, struct pg *pg, struct arena *arena,
	struct park_entry *entries, size_t count)
{
	size_t lane_count = 0;

	for (size_t i = 0; i < count; i++)
		entries[i].verdict = PARK_RUN;
	if (count == 0 || !must_ask(park, entries, count))
		return err_ok();
	struct lane *lanes = arena_alloc(arena, count * sizeof *lanes);
	struct lane **lane_of = arena_alloc(arena, count * sizeof(struct lane *));
	if (lanes == NULL || lane_of == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		lane_of[i] = find_lane(lanes, &lane_count, &entries[i]);
	TRY(read_heads(park, pg, arena, lanes, lane_count));
	for (size_t i = 0; i < count; i++)
		entries[i].verdict = entries[i].record->past.parked_id != 0
					     ? judge_loaded(lane_of[i], entries[i].record)
					     : judge_fresh(lane_of[i], entries[i].record);
	return err_ok();
}

/* --- rows --- */

/* error_code and error_message; a message that was cut inside a letter loses the rest of it. */
static void reasons_of(struct err why, char *message, struct pg_arg *ret_args)
{
	ret_args[0] = pg_null();
	ret_args[1] = pg_null();
	if (why.kind == ERR_OK)
		return;
	size_t len = strnlen(why.msg, MESSAGE_MAX);
	while (len > 0 && !str_is_utf8((struct str){ why.msg, len }))
		len--;
	memcpy(message, why.msg, len);
	message[len] = '\0';
	ret_args[0] = pg_text(err_code_name(why.code));
	ret_args[1] = pg_text(message);
}

static struct pg_arg first_failed(const struct record *record)
{
	return record->past.first_ms == 0 ? pg_null() : pg_time(record->past.first_ms);
}

/* $4 and on of the insert. */
static const enum pg_kind columns[] = {
	PG_KIND_INT,   /* off */
	PG_KIND_INT,   /* epoch */
	PG_KIND_ID,    /* event_id */
	PG_KIND_ID,    /* tenant_id */
	PG_KIND_TEXT,  /* ordering_key */
	PG_KIND_INT,   /* due in ms */
	PG_KIND_INT,   /* attempts */
	PG_KIND_TEXT,  /* reason */
	PG_KIND_BYTES, /* headers */
	PG_KIND_BYTES, /* key */
	PG_KIND_BYTES, /* payload */
	PG_KIND_TEXT,  /* error_code */
	PG_KIND_TEXT,  /* error_message */
	PG_KIND_TIME,  /* first_failed_at */
	PG_KIND_ID,    /* dead_letter_id */
};
enum { PLACE = 3, COLUMNS = sizeof columns / sizeof *columns };

static struct err add_row(struct pg_array **arrays, const struct park_entry *entry)
{
	char message[MESSAGE_MAX + 1];
	const struct record *record = entry->record;
	bool hold = entry->reason == PARK_HOLD;
	struct pg_arg values[COLUMNS] = {
		pg_int(record->offset),
		pg_int(record->past.epoch),
		pg_id(entry->event->id),
		pg_id(entry->event->tenant.id),
		pg_text(entry->event->ordering_key),
		pg_int(entry->due_in_ms),
		pg_int(record->past.attempts),
		pg_text(park_reason_name(entry->reason)),
		hold ? pg_null() : pg_bytes(record->headers),
		hold ? pg_null() : pg_bytes(record->key),
		hold ? pg_null() : pg_bytes(record->value),
		pg_null(),
		pg_null(),
		first_failed(record),
		id_is_nil(record->past.dead_id) ? pg_null() : pg_id(record->past.dead_id),
	};

	reasons_of(entry->why, message, values + 11);
	for (size_t i = 0; i < COLUMNS; i++)
		TRY(pg_array_add(arrays[i], values[i]));
	return err_ok();
}

struct err park_add(struct park *park, struct pg *pg, struct arena *arena,
	const struct park_entry *entries, size_t count)
{
	struct pg_array *arrays[COLUMNS];
	struct pg_arg args[PLACE + COLUMNS];

	if (count == 0)
		return err_ok();
	const struct partition *partition = entries[0].record->partition;
	args[0] = pg_text(park_memory_group(park));
	args[1] = pg_text(partition->topic);
	args[2] = pg_int(partition->number);
	for (size_t i = 0; i < COLUMNS; i++) {
		arrays[i] = pg_array_new(arena, columns[i], count);
		if (arrays[i] == NULL)
			return arena_overflow();
		args[PLACE + i] = pg_list(arrays[i]);
	}
	for (size_t i = 0; i < count; i++)
		TRY(add_row(arrays, &entries[i]));
	park_memory_mark(park, partition->topic, partition->number, true);
	return pg_push_sound(pg, &insert, args, PLACE + COLUMNS);
}

struct err park_remove(
	struct park *park, struct pg *pg, struct arena *arena, const int64_t *ids, size_t count)
{
	struct pg_array *array = pg_array_new(arena, PG_KIND_INT, count);
	const struct pg_rows *rows;

	(void)park;
	if (array == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		TRY(pg_array_add(array, pg_int(ids[i])));
	const struct pg_arg args[] = { pg_list(array) };
	TRY(pg_query(pg, arena, &delete_rows, args, 1, &rows));
	if (pg_get_int(rows, 0, 0) != (int64_t)count)
		return err_retry(ERR_CODE_TRY_AGAIN, "a parked record was discarded meanwhile");
	return err_ok();
}

struct err park_again(struct park *park, struct pg *pg, const struct park_entry *entry)
{
	const struct record *record = entry->record;
	char message[MESSAGE_MAX + 1];
	struct pg_arg args[] = { pg_int(record->past.parked_id), pg_int(record->past.attempts),
		first_failed(record), pg_text(park_reason_name(entry->reason)),
		pg_int(entry->due_in_ms), pg_null(), pg_null() };

	(void)park;
	reasons_of(entry->why, message, args + 5);
	return pg_push_sound(pg, &update, args, 7);
}

/* --- what there is --- */

struct err park_discover(
	struct park *park, struct pg *pg, struct arena *arena, const struct places *places)
{
	const struct pg_rows *rows;
	struct pg_arg args[3] = { pg_text(park_memory_group(park)) };

	TRY(places_args(arena, places, args + 1));
	TRY(pg_query(pg, arena, &discover, args, 3, &rows));
	for (size_t r = 0; r < pg_count(rows); r++) {
		size_t i = (size_t)pg_get_int(rows, r, 0) - 1;
		park_memory_mark(park, places->topics[i], places->partitions[i], false);
	}
	return err_ok();
}

struct err park_count(
	struct park *park, struct pg *pg, struct arena *arena, const struct places *places)
{
	const struct pg_rows *rows;
	struct pg_arg args[3] = { pg_text(park_memory_group(park)) };

	TRY(places_args(arena, places, args + 1));
	TRY(pg_query(pg, arena, &count_rows, args, 3, &rows));
	const struct park_view view = { .due = pg_get_int(rows, 0, 0),
		.blocked = pg_get_int(rows, 0, 1),
		.overflow = pg_get_int(rows, 0, 2),
		.suspended = pg_get_int(rows, 0, 3),
		.held = pg_get_int(rows, 0, 4) };
	park_memory_set_view(park, &view);
	return err_ok();
}

void park_look(struct park *park, struct park_view *ret_view)
{
	park_memory_look(park, ret_view);
}
