#include "store_groups.h"

#include "port/pg.h"
#include "store.h"

static const struct pg_statement select_parts = { "store_groups_look",
	"SELECT coalesce(k.due, 0), coalesce(k.blocked, 0), coalesce(k.overflow, 0), "
	"coalesce(k.held, 0), coalesce(d.dead, 0), coalesce(e.epoch, 0), h.kind, h.from_offset, "
	"h.to_offset, h.created_at "
	"FROM unnest($2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS u (t, p, o, n) "
	"LEFT JOIN (SELECT topic, part, "
	" count(*) FILTER (WHERE own AND due_at < 'infinity') AS due, "
	" count(*) FILTER (WHERE reason = 'blocked') AS blocked, "
	" count(*) FILTER (WHERE reason = 'overflow') AS overflow, "
	" count(*) FILTER (WHERE own AND due_at = 'infinity') AS held "
	" FROM (SELECT *, reason NOT IN ('blocked', 'overflow') AS own FROM parked "
	"  WHERE grp = $1) AS all_rows GROUP BY topic, part) AS k "
	" ON k.topic = u.t AND k.part = u.p "
	"LEFT JOIN (SELECT topic, part, count(*) AS dead FROM dead_letter "
	" WHERE grp = $1 AND state = 'open' GROUP BY topic, part) AS d "
	" ON d.topic = u.t AND d.part = u.p "
	"LEFT JOIN LATERAL (SELECT max(id) AS epoch FROM replay "
	" WHERE grp = $1 AND topic = u.t AND part = u.p AND kind <> 'skip' "
	" AND state NOT IN ('held', 'refused') AND tenant_id IS NULL "
	" AND from_offset <= u.o AND to_offset > u.o) AS e ON true "
	"LEFT JOIN LATERAL (SELECT kind, from_offset, to_offset, created_at FROM replay "
	" WHERE grp = $1 AND topic = u.t AND part = u.p AND state = 'held' "
	" ORDER BY id DESC LIMIT 1) AS h ON true ORDER BY u.n" };

static struct err fill_arrays(struct arena *arena, const struct store_groups_part *parts,
	size_t count, struct pg_arg *args)
{
	struct pg_array *topics = pg_array_new(arena, PG_KIND_TEXT, count);
	struct pg_array *partitions = pg_array_new(arena, PG_KIND_INT, count);
	struct pg_array *offsets = pg_array_new(arena, PG_KIND_INT, count);

	if (topics == NULL || partitions == NULL || offsets == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++) {
		TRY(pg_array_add(topics, pg_text(parts[i].topic)));
		TRY(pg_array_add(partitions, pg_int(parts[i].partition)));
		TRY(pg_array_add(offsets, pg_int(parts[i].offset)));
	}
	args[0] = pg_list(topics);
	args[1] = pg_list(partitions);
	args[2] = pg_list(offsets);
	return err_ok();
}

static void read_part(const struct pg_rows *rows, size_t row, struct store_groups_part *part)
{
	part->due = pg_get_int(rows, row, 0);
	part->blocked = pg_get_int(rows, row, 1);
	part->overflow = pg_get_int(rows, row, 2);
	part->held = pg_get_int(rows, row, 3);
	part->dead = pg_get_int(rows, row, 4);
	part->epoch = pg_get_int(rows, row, 5);
	part->hold.kind = pg_get_text(rows, row, 6);
	if (part->hold.kind == NULL)
		return;
	part->hold.from = pg_get_int(rows, row, 7);
	part->hold.to = pg_get_int(rows, row, 8);
	part->hold.since = pg_get_time(rows, row, 9);
}

static struct err look(struct pg *pg, struct arena *arena, const struct store_groups_of *of,
	struct store_groups_part *parts, size_t count)
{
	const struct pg_rows *rows;
	struct pg_arg args[4] = { pg_text(of->group) };

	TRY(fill_arrays(arena, parts, count, args + 1));
	TRY(store_begin_in(pg, of->service));
	TRY(pg_query(pg, arena, &select_parts, args, 4, &rows));
	for (size_t i = 0; i < pg_count(rows) && i < count; i++)
		read_part(rows, i, &parts[i]);
	return pg_commit(pg);
}

struct err store_groups_look(struct pg *pg, struct arena *arena, const struct store_groups_of *of,
	struct store_groups_part *parts, size_t count)
{
	return store_undo(pg, look(pg, arena, of, parts, count));
}
