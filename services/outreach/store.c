#include "store.h"

#include "port/pg.h"

static const struct pg_statement find_endpoints = { "store_find_endpoints",
	"SELECT endpoint_id, ordered FROM intake.v1_webhook_endpoints WHERE tenant_id = $1 "
	"AND (cardinality(filters) = 0 OR $2 = ANY (filters)) ORDER BY endpoint_id LIMIT 64" };
static const struct pg_statement find_endpoint = { "store_find_endpoint",
	"SELECT endpoint_id, ordered FROM intake.v1_webhook_endpoints WHERE tenant_id = $1 "
	"AND endpoint_id = $2" };
static const struct pg_statement add_delivery = { "store_add_delivery",
	"INSERT INTO deliveries (tenant_id, delivery_id, endpoint_id, event_id, event_type, body) "
	"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, delivery_id) DO NOTHING" };
static const struct pg_statement load_call = { "store_load_call",
	"SELECT d.state = 'pending' AND d.round = $3 AND e.endpoint_id IS NOT NULL, d.event_id, "
	"d.attempts, d.body, e.url, e.is_test, e.key_version, e.secret, "
	"(SELECT wrapped FROM intake.v1_tenant_keys k WHERE k.tenant_id = $1 "
	"AND k.version = e.key_version), e.old_key_version, e.old_secret, "
	"(SELECT wrapped FROM intake.v1_tenant_keys k WHERE k.tenant_id = $1 "
	"AND k.version = e.old_key_version) "
	"FROM deliveries d LEFT JOIN intake.v1_webhook_endpoints e "
	"ON e.tenant_id = d.tenant_id AND e.endpoint_id = d.endpoint_id "
	"WHERE d.tenant_id = $1 AND d.delivery_id = $2" };
static const struct pg_statement add_attempt = { "store_add_attempt",
	"WITH made AS (INSERT INTO attempts (tenant_id, delivery_id, number, status, error_code, "
	"took_ms) SELECT $1, $2, $3::int, nullif($4::int, 0), $5::text, $6::int "
	"ON CONFLICT (tenant_id, delivery_id, number) DO NOTHING) "
	"UPDATE deliveries SET attempts = $3::int, last_status = nullif($4::int, 0), "
	"last_error = $5::text, state = $7::text, updated_at = now(), "
	"delivered_at = CASE WHEN $7::text = 'delivered' THEN now() ELSE delivered_at END "
	"WHERE tenant_id = $1 AND delivery_id = $2" };
static const struct pg_statement cancel = { "store_cancel",
	"UPDATE deliveries SET state = 'cancelled', updated_at = now() "
	"WHERE tenant_id = $1 AND delivery_id = $2 AND state = 'pending' AND round = $3" };
static const struct pg_statement resend = { "store_resend",
	"WITH chosen AS (SELECT delivery_id FROM deliveries WHERE tenant_id = $1 AND endpoint_id = "
	"$2 "
	"AND state <> 'pending' AND updated_at < $7 "
	"AND ($3::uuid IS NULL OR delivery_id = $3::uuid) AND ($4::text IS NULL OR state = "
	"$4::text) "
	"AND ($5::timestamptz IS NULL OR created_at >= $5) "
	"AND ($6::timestamptz IS NULL OR created_at < $6) "
	"AND EXISTS (SELECT FROM intake.v1_webhook_endpoints e WHERE e.tenant_id = $1 "
	"AND e.endpoint_id = $2) "
	"ORDER BY created_at, delivery_id LIMIT 500 FOR UPDATE), "
	"again AS (UPDATE deliveries d SET state = 'pending', round = d.round + 1, "
	"updated_at = now() FROM chosen c WHERE d.tenant_id = $1 AND d.delivery_id = c.delivery_id "
	"RETURNING d.delivery_id, d.round, d.created_at) "
	"SELECT a.delivery_id, a.round, e.ordered FROM again a "
	"JOIN intake.v1_webhook_endpoints e ON e.tenant_id = $1 AND e.endpoint_id = $2 "
	"ORDER BY a.created_at, a.delivery_id" };

/* The ledger's key of a delivery: "endpoint:event:round". */
static const struct pg_statement forget = { "store_forget",
	"WITH old AS (SELECT tenant_id, delivery_id FROM deliveries "
	"WHERE created_at < now() - interval '30 days' ORDER BY created_at LIMIT 2000), "
	"gone AS (DELETE FROM deliveries d USING old o WHERE d.tenant_id = o.tenant_id "
	"AND d.delivery_id = o.delivery_id "
	"RETURNING d.tenant_id, d.endpoint_id, d.event_id, d.round), "
	"ledger AS (DELETE FROM effect e USING (SELECT tenant_id, endpoint_id || ':' || event_id "
	"|| "
	"':' || generate_series(0, round) AS key FROM gone) AS g WHERE e.tenant_id = g.tenant_id "
	"AND e.kind = 'webhook' AND e.effect_key = g.key) "
	"SELECT count(*) FROM gone" };

static const struct pg_statement erase_deliveries = { "store_erase_deliveries",
	ERASE_ROWS("deliveries") };
const struct erase_step store_erase_steps[] = {
	{ "deliveries", &erase_deliveries },
	{ NULL, NULL },
};

static struct err take_endpoints(
	struct arena *arena, const struct pg_rows *rows, struct store_endpoints *ret_endpoints)
{
	size_t count = pg_count(rows);
	struct store_endpoint *items = arena_alloc(arena, (count + 1) * sizeof *items);

	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		items[i] = (struct store_endpoint){ pg_get_id(rows, i, 0),
			pg_get_int(rows, i, 1) != 0 };
	*ret_endpoints = (struct store_endpoints){ items, count };
	return err_ok();
}

struct err store_find_endpoints(struct pg *pg, struct arena *arena, struct tenant tenant,
	const char *filter, struct store_endpoints *ret_endpoints)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(tenant.id), pg_text(filter) };

	TRY(pg_query(pg, arena, &find_endpoints, args, 2, &rows));
	return take_endpoints(arena, rows, ret_endpoints);
}

struct err store_find_endpoint(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct id endpoint_id, struct store_endpoints *ret_endpoints)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(tenant.id), pg_id(endpoint_id) };

	TRY(pg_query(pg, arena, &find_endpoint, args, 2, &rows));
	return take_endpoints(arena, rows, ret_endpoints);
}

struct err store_add_delivery(struct pg *pg, const struct store_delivery *delivery)
{
	const struct pg_arg args[] = { pg_id(delivery->tenant.id), pg_id(delivery->delivery_id),
		pg_id(delivery->endpoint_id), pg_id(delivery->event_id), pg_text(delivery->filter),
		{ .kind = PG_KIND_TEXT, .bytes = delivery->body } };

	return pg_push(pg, &add_delivery, args, 6);
}

/* Version, secret and key stand together. */
static struct store_secret secret_of(const struct pg_rows *rows, int version)
{
	struct store_secret secret = { 0 };

	if (pg_is_null(rows, 0, version))
		return secret;
	secret.key_version = (uint32_t)pg_get_int(rows, 0, version);
	secret.wrapped = pg_get_bytes(rows, 0, version + 1);
	if (!pg_is_null(rows, 0, version + 2))
		secret.key = pg_get_bytes(rows, 0, version + 2);
	return secret;
}

struct err store_load_call(struct pg *pg, struct arena *arena, const struct store_round *of,
	struct store_call *ret_call)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(of->tenant.id), pg_id(of->delivery_id),
		pg_int(of->round) };
	struct store_call call = { .is_there = false };

	TRY(pg_query(pg, arena, &load_call, args, 3, &rows));
	if (pg_count(rows) == 1) {
		call = (struct store_call){ .is_there = true,
			.is_due = pg_get_int(rows, 0, 0) != 0,
			.event_id = pg_get_id(rows, 0, 1),
			.attempts = (int)pg_get_int(rows, 0, 2),
			.body = pg_get_bytes(rows, 0, 3),
			.url = pg_get_text(rows, 0, 4),
			.is_test = !pg_is_null(rows, 0, 5) && pg_get_int(rows, 0, 5) != 0,
			.secret = secret_of(rows, 6),
			.old_secret = secret_of(rows, 9) };
	}
	*ret_call = call;
	return err_ok();
}

struct err store_add_attempt(struct pg *pg, const struct store_attempt *attempt)
{
	const struct pg_arg args[] = { pg_id(attempt->tenant.id), pg_id(attempt->delivery_id),
		pg_int(attempt->number), pg_int(attempt->status), pg_text(attempt->error_code),
		pg_int(attempt->took_ms), pg_text(attempt->state) };

	return pg_push(pg, &add_attempt, args, 7);
}

struct err store_cancel(struct pg *pg, const struct store_round *of)
{
	const struct pg_arg args[] = { pg_id(of->tenant.id), pg_id(of->delivery_id),
		pg_int(of->round) };

	return pg_push(pg, &cancel, args, 3);
}

struct err store_forget(struct pg *pg, struct arena *arena, size_t *ret_count)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &forget, NULL, 0, &rows));
	*ret_count = (size_t)pg_get_int(rows, 0, 0);
	return err_ok();
}

struct err store_resend(struct pg *pg, struct arena *arena, const struct store_resend *which,
	struct store_agains *ret_agains)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(which->tenant.id), pg_id(which->endpoint_id),
		id_is_nil(which->delivery_id) ? pg_null() : pg_id(which->delivery_id),
		pg_text(which->state), pg_time_or_null(which->from_ms),
		pg_time_or_null(which->to_ms), pg_time(which->before_ms) };

	TRY(pg_query(pg, arena, &resend, args, 7, &rows));
	size_t count = pg_count(rows);
	struct store_again *items = arena_alloc(arena, (count + 1) * sizeof *items);
	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		items[i] = (struct store_again){ pg_get_id(rows, i, 0), pg_get_int(rows, i, 1),
			pg_get_int(rows, i, 2) != 0 };
	*ret_agains = (struct store_agains){ items, count };
	return err_ok();
}
