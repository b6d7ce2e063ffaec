/*
 * The way of parked rows back into the schedule: two ways to find keys, one to read their rows.
 * Nothing here decides what may run: park_judge does, when the row's turn has come.
 */
#include "frame/park.h"

#include "frame/park_memory.h"
#include "port/pg.h"

/* RING_MAX, PARK_LOAD_MAX and PARK_KEY_MAX also stand in the SQL; BYTES_MAX is what a partition may
 * hold in the schedule. */
enum { RING_MAX = 200, BYTES_MAX = 4 << 20 };

/*
 * $1-$3 partition, $4-$5 cursor, $6 the cursor is a key that had its turn, $7 due heads first,
 * $8 bytes.
 *
 *   ring   up to 200 keys from the cursor on, one probe a key, which finds its first row
 *   due    up to 200 due rows, oldest first
 *   head   of these the ones that are the first of their key; the others wait for it
 *   keys   head and ring, no key twice, in turn
 *   loaded of each key the rows until the first not due, until there are 500
 *
 * Everything walks an index row by row, LIMIT 1: with a larger limit the planner reads and sorts a
 * whole key as soon as its statistics believe it smaller. (Statistics of an empty table make it
 * sort even so, until autovacuum has seen the rows.) OFFSET 0 keeps the last join a probe a row.
 * That a LATERAL gives its rows key by key is relied on for speed, never for order.
 *
 * The answer is one row a parked row, at least one.
 */
static const struct pg_statement load = { "park_load",
	"WITH RECURSIVE ring AS ("
	"(SELECT tenant_id, ordering_key, due_at, 0 AS n FROM parked "
	"WHERE grp = $1 AND topic = $2 AND part = $3 AND (tenant_id, ordering_key) >= ($4, $5) "
	"ORDER BY tenant_id, ordering_key, off, epoch LIMIT 1) "
	"UNION ALL "
	"SELECT p.tenant_id, p.ordering_key, p.due_at, r.n + 1 FROM ring AS r CROSS JOIN LATERAL "
	"(SELECT tenant_id, ordering_key, due_at FROM parked "
	"WHERE grp = $1 AND topic = $2 AND part = $3 "
	"AND (tenant_id, ordering_key) > (r.tenant_id, r.ordering_key) "
	"ORDER BY tenant_id, ordering_key, off, epoch LIMIT 1) AS p "
	"WHERE r.n < 200), "
	"last AS (SELECT tenant_id, ordering_key, n FROM ring ORDER BY n DESC LIMIT 1), "
	"due AS ((SELECT id, due_at, tenant_id, ordering_key, 1 AS n FROM parked "
	"WHERE grp = $1 AND topic = $2 AND part = $3 AND due_at <= now() "
	"AND reason NOT IN ('blocked', 'overflow') ORDER BY due_at, id LIMIT 1) UNION ALL "
	"SELECT p.id, p.due_at, p.tenant_id, p.ordering_key, d.n + 1 FROM due AS d "
	"CROSS JOIN LATERAL (SELECT id, due_at, tenant_id, ordering_key FROM parked "
	"WHERE grp = $1 AND topic = $2 AND part = $3 AND due_at <= now() "
	"AND reason NOT IN ('blocked', 'overflow') AND (due_at, id) > (d.due_at, d.id) "
	"ORDER BY due_at, id LIMIT 1) AS p WHERE d.n < 200), "
	"head AS MATERIALIZED (SELECT d.tenant_id, d.ordering_key, d.n FROM due AS d "
	"CROSS JOIN LATERAL (SELECT id FROM parked "
	"WHERE grp = $1 AND topic = $2 AND part = $3 AND tenant_id = d.tenant_id "
	"AND ordering_key = d.ordering_key ORDER BY off, epoch LIMIT 1) AS h WHERE h.id = "
	"d.id), "
	"keys AS MATERIALIZED (SELECT * FROM (SELECT tenant_id, ordering_key, n - 1000 AS n "
	"FROM head UNION ALL SELECT tenant_id, ordering_key, n FROM ring WHERE due_at <= now() "
	"AND NOT ($6 AND tenant_id = $4 AND ordering_key = $5) "
	"AND (tenant_id, ordering_key) NOT IN (SELECT tenant_id, ordering_key FROM head)) AS k "
	"ORDER BY (n < 0) = $7 DESC, n), "
	"loaded AS (SELECT *, count(*) OVER () AS taken, row_number() OVER () AS place, "
	"sum(coalesce(octet_length(payload), 0) + coalesce(octet_length(headers), 0)) "
	"OVER (ROWS UNBOUNDED PRECEDING) AS bytes FROM (SELECT k.n, r.* FROM keys AS k "
	"CROSS JOIN LATERAL (WITH RECURSIVE walk AS ("
	"(SELECT off, epoch, id, due_at, 1 AS n FROM parked "
	"WHERE grp = $1 AND topic = $2 AND part = $3 AND tenant_id = k.tenant_id "
	"AND ordering_key = k.ordering_key ORDER BY off, epoch LIMIT 1) UNION ALL "
	"SELECT p.off, p.epoch, p.id, p.due_at, w.n + 1 FROM walk AS w CROSS JOIN LATERAL "
	"(SELECT off, epoch, id, due_at FROM parked "
	"WHERE grp = $1 AND topic = $2 AND part = $3 AND tenant_id = k.tenant_id "
	"AND ordering_key = k.ordering_key AND (off, epoch) > (w.off, w.epoch) "
	"ORDER BY off, epoch LIMIT 1) AS p WHERE w.n < 100 AND "
	"w.due_at <= now()) "
	"SELECT id FROM walk WHERE due_at <= now()) AS w "
	"CROSS JOIN LATERAL (SELECT id, off, epoch, attempts, first_failed_at, dead_letter_id, "
	"tenant_id, ordering_key, key, payload, headers FROM parked WHERE id = w.id OFFSET 0) "
	"AS r LIMIT 500) AS l) "
	"SELECT e.n, e.tenant_id, e.ordering_key, s.has_any, coalesce(l.taken, 0), l.n, l.id, "
	"l.off, l.epoch, l.attempts, l.first_failed_at, l.dead_letter_id, l.tenant_id, "
	"l.ordering_key, l.key, l.payload, l.headers FROM (SELECT (SELECT true FROM parked "
	"WHERE grp = $1 AND topic = $2 AND part = $3 ORDER BY tenant_id, ordering_key LIMIT 1) "
	"IS TRUE AS has_any) AS s LEFT JOIN last AS e ON true "
	"LEFT JOIN loaded AS l ON l.bytes <= $8::bigint OR l.place = 1 ORDER BY l.place" };

static const struct pg_statement is_due = { "park_load_is_due",
	"SELECT EXISTS (SELECT FROM parked WHERE grp = $1 AND topic = $2 AND part = $3 "
	"AND due_at <= now() AND reason NOT IN ('blocked', 'overflow'))" };

/* Columns of the answer. */
enum {
	RING_N,
	RING_TENANT,
	RING_KEY,
	ANY,
	TAKEN,
	KEY_N,
	ID,
	OFF,
	EPOCH,
	ATTEMPTS,
	FIRST_FAILED,
	DEAD_ID,
	TENANT,
	ORDERING_KEY,
	KEY,
	PAYLOAD,
	HEADERS,
};

/* The texts of a result live as long as the arena. */
static struct park_row row_of(const struct pg_rows *rows, size_t r)
{
	return (struct park_row){
		.id = pg_get_int(rows, r, ID),
		.offset = pg_get_int(rows, r, OFF),
		.epoch = pg_get_int(rows, r, EPOCH),
		.attempts = (int)pg_get_int(rows, r, ATTEMPTS),
		.first_ms =
			pg_is_null(rows, r, FIRST_FAILED) ? 0 : pg_get_time(rows, r, FIRST_FAILED),
		.dead_id = pg_get_id(rows, r, DEAD_ID),
		.tenant = { pg_get_id(rows, r, TENANT) },
		.ordering_key = pg_get_text(rows, r, ORDERING_KEY),
		.key = pg_get_bytes(rows, r, KEY),
		.value = pg_get_bytes(rows, r, PAYLOAD),
		.headers = pg_get_bytes(rows, r, HEADERS),
	};
}

/* The next look goes on behind the last key of the ring that had its turn: all of them, or where a
 * limit cut. At the end of the ring it begins again. */
static void move_on(const struct pg_rows *rows, size_t count, struct park_memory_turn *turn)
{
	bool cut = count > 0 &&
		   (count == PARK_LOAD_MAX || (int64_t)count < pg_get_int(rows, 0, TAKEN));

	if (cut) {
		for (size_t r = count; r > 0; r--) {
			if (pg_get_int(rows, r - 1, KEY_N) < 0)
				continue;
			turn->tenant.id = pg_get_id(rows, r - 1, TENANT);
			turn->key = pg_get_text(rows, r - 1, ORDERING_KEY);
			return;
		}
		return;
	}
	bool more = !pg_is_null(rows, 0, RING_N) && pg_get_int(rows, 0, RING_N) >= RING_MAX;
	turn->tenant.id = pg_get_id(rows, 0, RING_TENANT);
	turn->key = more ? pg_get_text(rows, 0, RING_KEY) : NULL;
}

struct err park_load_is_due(struct park *park, struct pg *pg, struct arena *arena,
	const struct partition *of, bool *ret_due)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(park_memory_group(park)), pg_text(of->topic),
		pg_int(of->number) };

	TRY(pg_query(pg, arena, &is_due, args, 3, &rows));
	*ret_due = pg_get_int(rows, 0, 0) != 0;
	return err_ok();
}

struct err park_load(struct park *park, struct pg *pg, struct arena *arena,
	const struct partition *of, struct park_rows *ret_rows)
{
	const struct pg_rows *rows;
	struct park_memory_turn turn;

	if (!park_memory_begin(park, arena, of->topic, of->number, &turn))
		return arena_overflow();
	const struct pg_arg args[] = { pg_text(park_memory_group(park)), pg_text(of->topic),
		pg_int(of->number), pg_id(turn.tenant.id),
		pg_text(turn.key == NULL ? "" : turn.key), pg_bool(turn.key != NULL),
		pg_bool(turn.due_first), pg_int(BYTES_MAX) };
	TRY(pg_query(pg, arena, &load, args, 8, &rows));
	size_t count = pg_is_null(rows, 0, ID) ? 0 : pg_count(rows);
	struct park_row *found = arena_alloc(arena, (count + 1) * sizeof *found);
	if (found == NULL)
		return arena_overflow();
	for (size_t r = 0; r < count; r++)
		found[r] = row_of(rows, r);
	move_on(rows, count, &turn);
	park_memory_end(park, of->topic, of->number, &turn, pg_get_int(rows, 0, ANY) != 0);
	*ret_rows = (struct park_rows){ found, count };
	return err_ok();
}
