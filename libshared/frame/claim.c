#include "frame/claim.h"

#include "port/pg.h"

/* 15 s = CLAIM_LEASE_MS; the clock is Postgres's. */
static const struct pg_statement take = { "claim_take",
	"INSERT INTO claim AS c (grp, event_id, epoch, tenant_id, owner, lease_until) "
	"SELECT $1, u.id, u.n, u.tenant, $5, clock_timestamp() + interval '15 s' "
	"FROM unnest($2::uuid[], $3::bigint[], $4::uuid[]) AS u (id, n, tenant) "
	"ORDER BY u.id, u.n "
	"ON CONFLICT (grp, event_id, epoch) DO UPDATE SET owner = CASE WHEN c.owner = "
	"excluded.owner"
	" OR c.lease_until <= clock_timestamp() THEN excluded.owner ELSE c.owner END,"
	" lease_until = CASE WHEN c.owner = excluded.owner OR c.lease_until <= clock_timestamp()"
	" THEN excluded.lease_until ELSE c.lease_until END "
	"RETURNING owner = $5, greatest(1, (extract(epoch FROM lease_until - clock_timestamp()) *"
	" 1000)::bigint), event_id, epoch" };
/* Probed one by one, whatever the planner thinks of the table: a join read all of it, with what is
 * dead there. Where each is can be said only once it is locked, and counts only in the statement
 * after that: a renewal moves it. */
static const struct pg_statement lock = { "claim_lock",
	"SELECT u.id, u.n, c.at FROM (SELECT * FROM unnest($2::uuid[], $3::bigint[]) AS v (id, n) "
	"ORDER BY id, n) AS u CROSS JOIN LATERAL (SELECT ctid::text AS at FROM claim WHERE grp = "
	"$1 "
	"AND event_id = u.id AND epoch = u.n AND owner = $4 OFFSET 0 FOR UPDATE) AS c" };
static const struct pg_statement spend = { "claim_spend",
	"DELETE FROM claim WHERE ctid = ANY ($1::text[]::tid[])" };
static const struct pg_statement hold = { "claim_hold",
	"SELECT 1 FROM claim WHERE grp = $1 AND event_id = $2 AND epoch = $3 AND owner = $4 "
	"FOR UPDATE" };
static const struct pg_statement end = { "claim_end",
	"DELETE FROM claim WHERE grp = $1 AND event_id = $2 AND epoch = $3" };
static const struct pg_statement forget = { "claim_forget",
	"DELETE FROM claim WHERE lease_until < clock_timestamp() - interval '1 day'" };
static const struct pg_statement release_all = { "claim_release_all",
	"DELETE FROM claim WHERE owner = $1" };

struct columns {
	struct pg_array *ids, *epochs, *tenants;
};

static struct err columns_of(
	struct arena *arena, const struct claim_list *claims, struct columns *ret_columns)
{
	struct columns columns = { pg_array_new(arena, PG_KIND_ID, claims->count),
		pg_array_new(arena, PG_KIND_INT, claims->count),
		pg_array_new(arena, PG_KIND_ID, claims->count) };

	if (columns.ids == NULL || columns.epochs == NULL || columns.tenants == NULL)
		return arena_overflow();
	for (size_t i = 0; i < claims->count; i++) {
		TRY(pg_array_add(columns.ids, pg_id(claims->items[i].event_id)));
		TRY(pg_array_add(columns.epochs, pg_int(claims->items[i].epoch)));
		TRY(pg_array_add(columns.tenants, pg_id(claims->items[i].tenant.id)));
	}
	*ret_columns = columns;
	return err_ok();
}

/* Which claim a row that a statement over the list returned is about. */
static size_t claim_of(const struct claim_list *claims, struct id event_id, int64_t epoch)
{
	size_t i = 0;

	while (i + 1 < claims->count &&
		!(id_eq(claims->items[i].event_id, event_id) && claims->items[i].epoch == epoch))
		i++;
	return i;
}

struct err claim_take(
	struct pg *pg, struct arena *arena, const struct claim_list *claims, int64_t *wait_ms)
{
	const struct pg_rows *rows;
	struct columns columns;

	if (claims->count == 0)
		return err_ok();
	TRY(columns_of(arena, claims, &columns));
	const struct pg_arg args[] = { pg_text(claims->items->group), pg_list(columns.ids),
		pg_list(columns.epochs), pg_list(columns.tenants), pg_text(claims->items->owner) };
	TRY(pg_query(pg, arena, &take, args, 5, &rows));
	for (size_t r = 0; r < pg_count(rows); r++)
		wait_ms[claim_of(claims, pg_get_id(rows, r, 2), pg_get_int(rows, r, 3))] =
			pg_get_int(rows, r, 0) != 0 ? 0 : pg_get_int(rows, r, 1);
	return err_ok();
}

struct err claim_hold(struct pg *pg, struct arena *arena, const struct claim *claim, bool *ret_ours)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(claim->group), pg_id(claim->event_id),
		pg_int(claim->epoch), pg_text(claim->owner) };

	TRY(pg_query(pg, arena, &hold, args, 4, &rows));
	*ret_ours = pg_count(rows) == 1;
	return err_ok();
}

struct err claim_spend(
	struct pg *pg, struct arena *arena, const struct claim_list *claims, bool *ours)
{
	const struct pg_rows *rows;
	struct columns columns;

	if (claims->count == 0)
		return err_ok();
	struct pg_array *places = pg_array_new(arena, PG_KIND_TEXT, claims->count);
	if (places == NULL)
		return arena_overflow();
	TRY(columns_of(arena, claims, &columns));
	const struct pg_arg args[] = { pg_text(claims->items->group), pg_list(columns.ids),
		pg_list(columns.epochs), pg_text(claims->items->owner) };
	TRY(pg_query(pg, arena, &lock, args, 4, &rows));
	for (size_t i = 0; i < claims->count; i++)
		ours[i] = false;
	for (size_t r = 0; r < pg_count(rows); r++) {
		ours[claim_of(claims, pg_get_id(rows, r, 0), pg_get_int(rows, r, 1))] = true;
		TRY(pg_array_add(places, pg_text(pg_get_text(rows, r, 2))));
	}
	if (pg_count(rows) == 0)
		return err_ok();
	const struct pg_arg at = pg_list(places);
	return pg_push(pg, &spend, &at, 1);
}

struct err claim_end(struct pg *pg, const struct claim *claim)
{
	const struct pg_arg args[] = { pg_text(claim->group), pg_id(claim->event_id),
		pg_int(claim->epoch) };

	return pg_push(pg, &end, args, 3);
}

struct err claim_forget(struct pg *pg)
{
	TRY(pg_push(pg, &forget, NULL, 0));
	return pg_sync(pg);
}

struct err claim_release_all(struct pg *pg, const char *owner)
{
	const struct pg_arg args[] = { pg_text(owner) };

	TRY(pg_push(pg, &release_all, args, 1));
	return pg_sync(pg);
}
