#include "frame/redrive.h"

#include "port/pg.h"

#define RIPE                                                                                       \
	"state = 'open' AND error_class = 'transient' AND grp = $1 AND redrives < 3 "              \
	"AND event_id IS NOT NULL AND updated_at < now() - interval '60 seconds' "

/* Each is one statement, hence one transaction; the function looks at each letter again when it has
 * locked it. Brakes are asked for once a tenant and versions compared once a version, not once a
 * letter; ORDER BY .. LIMIT 1 makes a question about a brake one probe of its index, whatever the
 * planner believes. */
static const struct pg_statement transient = { "redrive_transient",
	"WITH owner AS MATERIALIZED (SELECT DISTINCT tenant_id FROM dead_letter WHERE " RIPE
	"AND tenant_id IS NOT NULL), calm AS MATERIALIZED (SELECT tenant_id FROM owner "
	"WHERE tenant_id NOT IN (SELECT tenant_id FROM dead_letter WHERE state = 'open' "
	"AND error_class = 'transient' AND grp = $1 AND tenant_id IS NOT NULL "
	"AND updated_at >= now() - interval '60 seconds') AND (SELECT true FROM parked AS p "
	"WHERE p.reason = 'breaker' AND p.tenant_id = owner.tenant_id AND p.grp = $1 "
	"ORDER BY p.tenant_id, p.grp LIMIT 1) IS NULL) "
	"SELECT count(*) FROM dead_letter_redrive(ARRAY(SELECT id FROM dead_letter WHERE " RIPE
	"AND tenant_id = ANY (ARRAY(SELECT tenant_id FROM calm)) "
	"ORDER BY updated_at, id LIMIT 10), NULL, 'auto')" };

/* The numbers of a version; of another form it has none, and is older than any. */
#define NUMBERS(text)                                                                              \
	"coalesce(string_to_array(substring(" text " FROM '^\\d+(?:\\.\\d+)*'), '.')::numeric[], " \
	"'{}')"
#define UNREAD                                                                                     \
	"state = 'open' AND error_class = 'schema' AND grp = $1 AND event_id IS NOT NULL "         \
	"AND tenant_id IS NOT NULL "

static const struct pg_statement schema = { "redrive_schema",
	"WITH older AS MATERIALIZED (SELECT version FROM (SELECT DISTINCT "
	"coalesce(handler_version, '') AS version FROM dead_letter WHERE " UNREAD ") AS v "
	"WHERE " NUMBERS("version") " < " NUMBERS(
		"$2::text") ") "
			    "SELECT count(*) FROM dead_letter_redrive(ARRAY(SELECT id FROM "
			    "dead_letter WHERE " UNREAD "AND coalesce(handler_version, '') = ANY "
			    "(ARRAY(SELECT version FROM older)) "
			    "AND (decided_by IS DISTINCT FROM 'auto ' || $2::text "
			    "OR updated_at < now() - interval '10 minutes') "
			    "ORDER BY updated_at, id LIMIT 10), NULL, 'auto ' || $2::text)" };

struct err redrive_turn(struct pg *pg, struct arena *arena, const char *group, const char *version)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(group), pg_text(version) };

	TRY(pg_query(pg, arena, &transient, args, 1, &rows));
	return pg_query(pg, arena, &schema, args, 2, &rows);
}
