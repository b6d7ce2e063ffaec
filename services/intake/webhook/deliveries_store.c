#include "webhook/deliveries_store.h"

#include "port/pg.h"

#define COLUMNS                                                                                    \
	"delivery_id, event_id, event_type, state, attempts, last_status, last_error, created_at," \
	" updated_at, delivered_at, (extract(epoch FROM created_at) * 1000000)::bigint"
#define OF_ENDPOINT                                                                                \
	"SELECT " COLUMNS " FROM outreach.v1_deliveries WHERE tenant_id = $1 AND endpoint_id = $2"
#define PAGE                                                                                       \
	" AND (created_at, delivery_id) < ('epoch'::timestamptz + $3::bigint"                      \
	" * interval '1 microsecond', $4::uuid) ORDER BY created_at DESC, delivery_id DESC"        \
	" LIMIT $5::int"
enum { CREATED_US = 10 };

/* A delivery that arrived is the rule and the others are few, so those have an index of their own,
 * which a statement has to ask for. */
static const struct pg_statement select_list = { "deliveries_list", OF_ENDPOINT PAGE };
static const struct pg_statement select_delivered = { "deliveries_delivered",
	OF_ENDPOINT " AND state = 'delivered'" PAGE };
static const struct pg_statement select_others = { "deliveries_others",
	OF_ENDPOINT " AND state <> 'delivered' AND state = $6::text" PAGE };
static const struct pg_statement select_one = { "deliveries_get",
	OF_ENDPOINT " AND delivery_id = $3" };
static const struct pg_statement select_attempts = { "deliveries_attempts",
	"SELECT number, at, status, error_code, took_ms FROM outreach.v1_attempts"
	" WHERE tenant_id = $1 AND delivery_id = $2 ORDER BY number DESC LIMIT $3::int" };

/* Each part reads an index of outreach that has nothing else in it. */
static const struct pg_statement select_health = { "deliveries_health",
	"WITH failed AS (SELECT d.endpoint_id, count(*) AS n, max(a.at) AS last"
	" FROM outreach.v1_attempts a JOIN outreach.v1_deliveries d"
	" ON d.tenant_id = a.tenant_id AND d.delivery_id = a.delivery_id WHERE a.tenant_id = $1"
	" AND a.at > statement_timestamp() - interval '24 hours'"
	" AND (a.status IS NULL OR a.status NOT BETWEEN 200 AND 299) GROUP BY d.endpoint_id)"
	" SELECT e.endpoint_id, e.url, e.state, e.disabled_reason, waiting.n,"
	" extract(epoch FROM statement_timestamp() - waiting.oldest)::bigint,"
	" (SELECT count(*) FROM outreach.v1_deliveries d WHERE d.tenant_id = $1"
	" AND d.endpoint_id = e.endpoint_id"
	" AND d.delivered_at > statement_timestamp() - interval '24 hours'),"
	" coalesce(failed.n, 0),"
	" (SELECT max(d.delivered_at) FROM outreach.v1_deliveries d WHERE d.tenant_id = $1"
	" AND d.endpoint_id = e.endpoint_id AND d.delivered_at IS NOT NULL), failed.last"
	" FROM webhook_endpoints e LEFT JOIN failed ON failed.endpoint_id = e.endpoint_id"
	" CROSS JOIN LATERAL (SELECT count(*) AS n, min(d.created_at) AS oldest"
	" FROM outreach.v1_deliveries d WHERE d.tenant_id = $1"
	" AND d.endpoint_id = e.endpoint_id AND d.state <> 'delivered'"
	" AND d.state = 'pending') AS waiting WHERE e.tenant_id = $1"
	" ORDER BY e.created_at, e.endpoint_id" };

static int64_t int_or_none(const struct pg_rows *rows, size_t row, int column)
{
	return pg_is_null(rows, row, column) ? CODEC_NO_INT : pg_get_int(rows, row, column);
}

static int64_t time_or_none(const struct pg_rows *rows, size_t row, int column)
{
	return pg_is_null(rows, row, column) ? CODEC_NO_INT : pg_get_time(rows, row, column);
}

static struct webhook_delivery delivery_of(const struct pg_rows *rows, size_t row)
{
	return (struct webhook_delivery){
		.delivery_id = pg_get_id(rows, row, 0),
		.event_id = pg_get_id(rows, row, 1),
		.event_type = pg_get_text(rows, row, 2),
		.state = pg_get_text(rows, row, 3),
		.attempts = pg_get_int(rows, row, 4),
		.last_status = int_or_none(rows, row, 5),
		.last_error = pg_get_text(rows, row, 6),
		.created_at = pg_get_time(rows, row, 7),
		.updated_at = pg_get_time(rows, row, 8),
		.delivered_at = time_or_none(rows, row, 9),
	};
}

static struct err query_page(struct pg *pg, struct arena *arena,
	const struct deliveries_store_page *page, const struct pg_rows **ret_rows)
{
	const struct pg_arg args[] = { pg_id(page->endpoint.tenant.id), pg_id(page->endpoint.id),
		pg_int(page->after.created_us), pg_id(page->after.job_id), pg_int(page->limit),
		pg_text(page->state) };

	if (page->state == NULL)
		return pg_query(pg, arena, &select_list, args, 5, ret_rows);
	if (str_eq(str_of(page->state), STR("delivered")))
		return pg_query(pg, arena, &select_delivered, args, 5, ret_rows);
	return pg_query(pg, arena, &select_others, args, 6, ret_rows);
}

struct err deliveries_store_list(struct pg *pg, struct arena *arena,
	const struct deliveries_store_page *page, struct deliveries_store_list *ret_list)
{
	const struct pg_rows *rows;

	TRY(query_page(pg, arena, page, &rows));
	struct deliveries_store_list list = { .count = pg_count(rows) };
	list.items = arena_alloc(arena, (list.count + 1) * sizeof *list.items);
	list.created_us = arena_alloc(arena, (list.count + 1) * sizeof *list.created_us);
	if (list.items == NULL || list.created_us == NULL)
		return arena_overflow();
	for (size_t i = 0; i < list.count; i++) {
		list.items[i] = delivery_of(rows, i);
		list.created_us[i] = pg_get_int(rows, i, CREATED_US);
	}
	*ret_list = list;
	return err_ok();
}

struct err deliveries_store_get(struct pg *pg, struct arena *arena,
	const struct webhook_ref *endpoint, struct id delivery_id,
	struct webhook_delivery *ret_delivery)
{
	const struct pg_arg args[] = { pg_id(endpoint->tenant.id), pg_id(endpoint->id),
		pg_id(delivery_id) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_one, args, 3, &rows));
	if (pg_count(rows) == 0)
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such delivery");
	*ret_delivery = delivery_of(rows, 0);
	return err_ok();
}

struct err deliveries_store_attempts(
	struct pg *pg, struct arena *arena, struct tenant tenant, struct webhook_delivery *delivery)
{
	const struct pg_arg args[] = { pg_id(tenant.id), pg_id(delivery->delivery_id),
		pg_int(DELIVERIES_STORE_ATTEMPTS_MAX) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_attempts, args, 3, &rows));
	size_t count = pg_count(rows);
	struct webhook_attempt *items = arena_alloc(arena, (count + 1) * sizeof *items);
	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		items[i] = (struct webhook_attempt){ pg_get_int(rows, i, 0),
			pg_get_time(rows, i, 1), int_or_none(rows, i, 2), pg_get_text(rows, i, 3),
			pg_get_int(rows, i, 4) };
	delivery->attempt_list = (struct codec_list){ items, count };
	return err_ok();
}

struct err deliveries_store_health(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct webhook_healths *ret_healths)
{
	const struct pg_arg arg = pg_id(tenant.id);
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_health, &arg, 1, &rows));
	size_t count = pg_count(rows);
	struct webhook_health *items = arena_alloc(arena, (count + 1) * sizeof *items);
	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		items[i] = (struct webhook_health){
			.id = pg_get_id(rows, i, 0),
			.url = pg_get_text(rows, i, 1),
			.state = pg_get_text(rows, i, 2),
			.disabled_reason = pg_get_text(rows, i, 3),
			.pending = pg_get_int(rows, i, 4),
			.oldest_pending_s = int_or_none(rows, i, 5),
			.delivered_24h = pg_get_int(rows, i, 6),
			.failed_attempts_24h = pg_get_int(rows, i, 7),
			.last_delivered_at = time_or_none(rows, i, 8),
			.last_failed_at = time_or_none(rows, i, 9),
		};
	*ret_healths = (struct webhook_healths){ items, count };
	return err_ok();
}
