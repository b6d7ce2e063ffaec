#include "frame/inbox.h"

#include "port/pg.h"

/* A probe of the key per event id: as `= ANY` the planner filters all rows of the group by it when
 * it has no statistics. OFFSET 0 keeps it from turning the probes into a join of its own choice. */
static const struct pg_statement look = { "inbox_look",
	"SELECT i.event_id, i.epoch, i.outputs, i.tenant_id FROM unnest($2::uuid[]) AS u (id) "
	"CROSS JOIN LATERAL (SELECT event_id, epoch, outputs, tenant_id FROM inbox "
	"WHERE grp = $1 AND event_id = u.id OFFSET 0) AS i" };
static const struct pg_statement insert = { "inbox_insert",
	"INSERT INTO inbox (grp, event_id, epoch, tenant_id, outputs) "
	"SELECT $1, * FROM unnest($2::uuid[], $3::bigint[], $4::uuid[], $5::bytea[])" };
static const struct pg_statement update = { "inbox_update",
	"UPDATE inbox SET outputs = $4 WHERE grp = $1 AND event_id = $2 AND epoch = $3" };
static const struct pg_statement maintain = { "inbox_maintain", "SELECT inbox_maintain()" };

static void note(struct inbox_entry *entry, const struct pg_rows *rows, size_t row)
{
	int64_t epoch = pg_get_int(rows, row, 1);

	if (epoch == 0 && entry->epoch > 0) {
		entry->old = true;
		entry->before = pg_get_bytes(rows, row, 2);
	}
	if (epoch != entry->epoch)
		return;
	entry->known = true;
	entry->seen = !entry->again;
	entry->foreign = !id_eq(entry->tenant.id, pg_get_id(rows, row, 3));
}

static struct err update_outputs(struct pg *pg, const char *group, const struct inbox_entry *entry)
{
	const struct pg_arg args[] = { pg_text(group), pg_id(entry->event_id), pg_int(entry->epoch),
		pg_bytes(entry->outputs) };

	return pg_push(pg, &update, args, 4);
}

struct err inbox_look(struct pg *pg, struct arena *arena, const char *group,
	struct inbox_entry *entries, size_t count)
{
	const struct pg_rows *rows;
	struct pg_array *ids = pg_array_new(arena, PG_KIND_ID, count);

	if (ids == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++) {
		entries[i].known = entries[i].seen = entries[i].foreign = entries[i].old = false;
		entries[i].before = (struct str){ 0 }; /* an earlier look's is in its own arena */
		TRY(pg_array_add(ids, pg_id(entries[i].event_id)));
	}
	const struct pg_arg args[] = { pg_text(group), pg_list(ids) };
	TRY(pg_query(pg, arena, &look, args, 2, &rows));
	for (size_t r = 0; r < pg_count(rows); r++)
		for (size_t i = 0; i < count; i++)
			if (id_eq(entries[i].event_id, pg_get_id(rows, r, 0)))
				note(&entries[i], rows, r);
	return err_ok();
}

/* The same event more than once in a transaction, of two replays or sent twice: one row says that
 * it was handled live. */
static bool is_first(const struct inbox_entry *entries, size_t count, size_t at)
{
	for (size_t i = 0; i < count && entries[at].skipped; i++)
		if (id_eq(entries[i].event_id, entries[at].event_id) &&
			(entries[i].epoch == 0 || (entries[i].skipped && i < at)))
			return false;
	return entries[at].skipped;
}

static struct err add_row(
	struct pg_array **columns, const struct inbox_entry *entry, int64_t epoch, size_t *added)
{
	TRY(pg_array_add(columns[0], pg_id(entry->event_id)));
	TRY(pg_array_add(columns[1], pg_int(epoch)));
	TRY(pg_array_add(columns[2], pg_id(entry->tenant.id)));
	TRY(pg_array_add(columns[3], pg_bytes(entry->outputs)));
	(*added)++;
	return err_ok();
}

struct err inbox_add(struct pg *pg, struct arena *arena, const char *group,
	const struct inbox_entry *entries, size_t count)
{
	static const enum pg_kind kinds[] = { PG_KIND_ID, PG_KIND_INT, PG_KIND_ID, PG_KIND_BYTES };
	struct pg_array *columns[4];
	size_t added = 0;

	for (size_t i = 0; i < 4; i++) {
		columns[i] = pg_array_new(arena, kinds[i], 2 * count);
		if (columns[i] == NULL)
			return arena_overflow();
	}
	for (size_t i = 0; i < count; i++) {
		if (entries[i].seen)
			continue;
		if (is_first(entries, count, i))
			TRY(add_row(columns, &entries[i], 0, &added));
		TRY(entries[i].known ? update_outputs(pg, group, &entries[i])
				     : add_row(columns, &entries[i], entries[i].epoch, &added));
	}
	if (added == 0)
		return err_ok();
	const struct pg_arg args[] = { pg_text(group), pg_list(columns[0]), pg_list(columns[1]),
		pg_list(columns[2]), pg_list(columns[3]) };
	return pg_push_sound(pg, &insert, args, 5);
}

struct err inbox_maintain(struct pg *pg)
{
	TRY(pg_push(pg, &maintain, NULL, 0));
	return pg_sync(pg);
}
