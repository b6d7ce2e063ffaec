#include "api/events_store.h"

#include "port/pg.h"

/* Each view shows the transaction's tenant alone. The group leads the inbox's key, so each service
 * is asked under its own; the first time of an event counts, replays come later. */
#define HANDLED(service, group)                                                                    \
	"SELECT '" service "', min(handled_at) AS at FROM " service                                \
	".v1_handled WHERE grp = " group " AND event_id = $1 HAVING count(*) > 0"
#define DEAD(service)                                                                              \
	"SELECT id, created_at FROM " service                                                      \
	".v1_dead_letters WHERE tenant_id = $2 AND event_id = $1 AND state <> 'redriven'"

static const struct pg_statement select_handled = { "events_handled",
	"SELECT service, at FROM (" HANDLED("intake", "$2::text") " UNION ALL " HANDLED(
		"ocr", "$3::text") " UNION ALL " HANDLED("audit",
		"$4::text") " UNION ALL " HANDLED("outreach",
		"$5::text") ") AS h (service, at) ORDER BY at, service" };
static const struct pg_statement select_dead = { "events_dead",
	"SELECT id FROM (" DEAD("intake") " UNION ALL " DEAD("ocr") " UNION ALL " DEAD(
		"audit") " UNION ALL " DEAD("outreach") ") AS d ORDER BY created_at DESC, id DESC "
							"LIMIT 1" };

static struct err load_handled(struct pg *pg, struct arena *arena, const struct topic_space *space,
	struct id event, struct events_store_state *state)
{
	const char *const groups[] = { topic_group(space, "intake", arena),
		topic_group(space, "ocr", arena), topic_group(space, "audit", arena),
		topic_group(space, "outreach", arena) };
	const struct pg_arg args[] = { pg_id(event), pg_text(groups[0]), pg_text(groups[1]),
		pg_text(groups[2]), pg_text(groups[3]) };
	const struct pg_rows *rows;

	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (groups[i] == NULL)
			return arena_overflow();
	TRY(pg_query(pg, arena, &select_handled, args, 5, &rows));
	state->count = pg_count(rows);
	state->handled = arena_alloc(arena, (state->count + 1) * sizeof *state->handled);
	if (state->handled == NULL)
		return arena_overflow();
	for (size_t i = 0; i < state->count; i++)
		state->handled[i] = (struct events_store_handled){ pg_get_text(rows, i, 0),
			pg_get_time(rows, i, 1) };
	return err_ok();
}

struct err events_store_load(struct pg *pg, struct arena *arena, const struct topic_space *space,
	const struct events_store_which *which, struct events_store_state *ret_state)
{
	struct events_store_state state = { .count = 0 };
	const struct pg_arg args[] = { pg_id(which->event), pg_id(which->tenant.id) };
	const struct pg_rows *rows;

	TRY(load_handled(pg, arena, space, which->event, &state));
	TRY(pg_query(pg, arena, &select_dead, args, 2, &rows));
	if (pg_count(rows) > 0)
		state.dead_letter = pg_get_id(rows, 0, 0);
	*ret_state = state;
	return err_ok();
}
