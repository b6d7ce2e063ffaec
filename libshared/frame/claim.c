#include "frame/claim.h"

#include "port/pg.h"

/* 15 s = CLAIM_LEASE_MS; the clock is Postgres's. */
static const struct pg_statement take = { "claim_take",
	"INSERT INTO claim AS c (grp, event_id, epoch, tenant_id, owner, lease_until) "
	"VALUES ($1, $2, $3, $4, $5, clock_timestamp() + interval '15 s') "
	"ON CONFLICT (grp, event_id, epoch) DO UPDATE SET owner = CASE WHEN c.owner = "
	"excluded.owner"
	" OR c.lease_until <= clock_timestamp() THEN excluded.owner ELSE c.owner END,"
	" lease_until = CASE WHEN c.owner = excluded.owner OR c.lease_until <= clock_timestamp()"
	" THEN excluded.lease_until ELSE c.lease_until END "
	"RETURNING owner = $5, greatest(1, (extract(epoch FROM lease_until - clock_timestamp()) *"
	" 1000)::bigint)" };
static const struct pg_statement spend = { "claim_spend",
	"DELETE FROM claim WHERE grp = $1 AND event_id = $2 AND epoch = $3 AND owner = $4 "
	"RETURNING 1" };
static const struct pg_statement hold = { "claim_hold",
	"SELECT 1 FROM claim WHERE grp = $1 AND event_id = $2 AND epoch = $3 AND owner = $4 "
	"FOR UPDATE" };
static const struct pg_statement end = { "claim_end",
	"DELETE FROM claim WHERE grp = $1 AND event_id = $2 AND epoch = $3" };
static const struct pg_statement forget = { "claim_forget",
	"DELETE FROM claim WHERE lease_until < clock_timestamp() - interval '1 day'" };
static const struct pg_statement release_all = { "claim_release_all",
	"DELETE FROM claim WHERE owner = $1" };

struct err claim_take(
	struct pg *pg, struct arena *arena, const struct claim *claim, int64_t *ret_wait_ms)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(claim->group), pg_id(claim->event_id),
		pg_int(claim->epoch), pg_id(claim->tenant.id), pg_text(claim->owner) };

	TRY(pg_query(pg, arena, &take, args, 5, &rows));
	*ret_wait_ms = pg_get_int(rows, 0, 0) != 0 ? 0 : pg_get_int(rows, 0, 1);
	return err_ok();
}

/* Runs a statement that finds the claim if it is ours. */
static struct err find_ours(struct pg *pg, struct arena *arena,
	const struct pg_statement *statement, const struct claim *claim, bool *ret_ours)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(claim->group), pg_id(claim->event_id),
		pg_int(claim->epoch), pg_text(claim->owner) };

	TRY(pg_query(pg, arena, statement, args, 4, &rows));
	*ret_ours = pg_count(rows) == 1;
	return err_ok();
}

struct err claim_hold(struct pg *pg, struct arena *arena, const struct claim *claim, bool *ret_ours)
{
	return find_ours(pg, arena, &hold, claim, ret_ours);
}

struct err claim_spend(
	struct pg *pg, struct arena *arena, const struct claim *claim, bool *ret_ours)
{
	return find_ours(pg, arena, &spend, claim, ret_ours);
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
