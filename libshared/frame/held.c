#include "frame/held.h"

#include "port/pg.h"

static const struct pg_statement look = { "held_look",
	"SELECT 1 FROM claim WHERE grp = $1 AND event_id = $2 AND epoch <> $3 UNION ALL "
	"SELECT 1 FROM dead_letter WHERE grp = $1 AND event_id = $2 AND epoch <> $3 "
	"AND state IN ('open', 'redriving') UNION ALL "
	"SELECT 1 FROM parked WHERE grp = $1 AND event_id = $2 AND epoch <> $3 LIMIT 1" };

struct err held_look(struct pg *pg, struct arena *arena, const char *group,
	const struct inbox_entry *entry, bool *ret_held)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(group), pg_id(entry->event_id),
		pg_int(entry->epoch) };

	TRY(pg_query(pg, arena, &look, args, 3, &rows));
	*ret_held = pg_count(rows) > 0;
	return err_ok();
}
