#include "webhook/store.h"

#include "model/codec.h"
#include "port/pg.h"

#define COLUMNS                                                                                    \
	"endpoint_id, url, description, to_json(filters)::text, state, disabled_reason, ordered,"  \
	" CASE WHEN old_until > statement_timestamp() THEN old_until END, created_at, updated_at"
#define OF_ONE	 " WHERE tenant_id = $1 AND endpoint_id = $2"
#define ANSWERED OF_ONE " RETURNING " COLUMNS

static const struct pg_statement lock = { "webhook_lock",
	"SELECT pg_advisory_xact_lock(hashtextextended('webhooks ' || $1::uuid::text, 0))" };
static const struct pg_statement look = { "webhook_look",
	"SELECT is_test, (SELECT count(*) FROM webhook_endpoints WHERE tenant_id = $1)"
	" FROM tenants WHERE tenant_id = $1" };
static const struct pg_statement select_key = { "webhook_key",
	"SELECT 'uk_' || key_id FROM api_keys"
	" WHERE tenant_id = $1 AND key_hash = decode($2::text, 'hex')" };
static const struct pg_statement insert = { "webhook_insert",
	"INSERT INTO webhook_endpoints"
	" (tenant_id, endpoint_id, url, filters, ordered, description, key_version, secret, state,"
	" disabled_reason) VALUES ($1, $2, $3, $4, $5, nullif($6::text, ''), $7, $8, $9::text,"
	" CASE WHEN $9::text = 'disabled' THEN 'by-hand' END) RETURNING " COLUMNS };
static const struct pg_statement select_all = { "webhook_list",
	"SELECT " COLUMNS " FROM webhook_endpoints WHERE tenant_id = $1"
	" ORDER BY created_at, endpoint_id" };
static const struct pg_statement select_one = { "webhook_get",
	"SELECT " COLUMNS " FROM webhook_endpoints" OF_ONE };
static const struct pg_statement change = { "webhook_change",
	"UPDATE webhook_endpoints SET url = coalesce($3::text, url),"
	" filters = coalesce($4::text[], filters), ordered = coalesce($5::boolean, ordered),"
	" description = CASE WHEN $6::text IS NULL THEN description"
	" ELSE nullif($6::text, '') END, state = coalesce($7::text, state),"
	" disabled_reason = CASE WHEN coalesce($7::text, state) = 'disabled'"
	" THEN coalesce(disabled_reason, 'by-hand') END,"
	" updated_at = clock_timestamp()" ANSWERED };
static const struct pg_statement rotate = { "webhook_rotate",
	"UPDATE webhook_endpoints SET old_secret = secret, old_key_version = key_version,"
	" old_until = statement_timestamp() + interval '24 hours', key_version = $3, secret = $4,"
	" updated_at = clock_timestamp()" ANSWERED };
static const struct pg_statement delete_one = { "webhook_delete",
	"DELETE FROM webhook_endpoints" OF_ONE " RETURNING 1" };
static const struct pg_statement disable = { "webhook_disable",
	"UPDATE webhook_endpoints SET state = 'disabled', disabled_reason = 'gone',"
	" updated_at = clock_timestamp()" OF_ONE
	" AND state = 'active' AND updated_at <= $3 RETURNING 1" };

/* --- a tenant --- */

struct err webhook_store_lock(struct pg *pg, struct tenant tenant)
{
	const struct pg_arg arg = pg_id(tenant.id);

	return pg_push(pg, &lock, &arg, 1);
}

struct err webhook_store_look(
	struct pg *pg, struct arena *arena, struct tenant tenant, struct webhook_look *ret_look)
{
	const struct pg_arg arg = pg_id(tenant.id);
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &look, &arg, 1, &rows));
	if (pg_count(rows) == 0)
		return err_fatal(ERR_CODE_INTERNAL, "a tenant without a row");
	*ret_look = (struct webhook_look){ pg_get_int(rows, 0, 0) != 0, pg_get_int(rows, 0, 1) };
	return err_ok();
}

struct err webhook_store_actor(struct pg *pg, struct arena *arena, struct tenant tenant,
	const char *key_hash, const char **ret_actor)
{
	const struct pg_arg args[] = { pg_id(tenant.id), pg_text(key_hash) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_key, args, 2, &rows));
	*ret_actor = pg_count(rows) == 0 ? "api" : pg_get_text(rows, 0, 0);
	return err_ok();
}

/* --- reading --- */

static struct webhook_endpoint endpoint_of(const struct pg_rows *rows, size_t row)
{
	return (struct webhook_endpoint){
		.id = pg_get_id(rows, row, 0),
		.url = pg_get_text(rows, row, 1),
		.description = pg_get_text(rows, row, 2),
		.filters = pg_get_text(rows, row, 3),
		.state = pg_get_text(rows, row, 4),
		.disabled_reason = pg_get_text(rows, row, 5),
		.ordered = pg_get_int(rows, row, 6) != 0,
		.old_secret_until =
			pg_is_null(rows, row, 7) ? CODEC_NO_INT : pg_get_time(rows, row, 7),
		.created_at = pg_get_time(rows, row, 8),
		.updated_at = pg_get_time(rows, row, 9),
	};
}

/* What every statement about one row answers. */
static struct err take_one(const struct pg_rows *rows, struct webhook_endpoint *ret_endpoint)
{
	if (pg_count(rows) == 0)
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such webhook");
	*ret_endpoint = endpoint_of(rows, 0);
	return err_ok();
}

struct err webhook_store_list(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct webhook_endpoints *ret_endpoints)
{
	const struct pg_arg arg = pg_id(tenant.id);
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_all, &arg, 1, &rows));
	size_t count = pg_count(rows);
	struct webhook_endpoint *items = arena_alloc(arena, (count + 1) * sizeof *items);
	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		items[i] = endpoint_of(rows, i);
	*ret_endpoints = (struct webhook_endpoints){ items, count };
	return err_ok();
}

struct err webhook_store_get(struct pg *pg, struct arena *arena, const struct webhook_ref *ref,
	struct webhook_endpoint *ret_endpoint)
{
	const struct pg_arg args[] = { pg_id(ref->tenant.id), pg_id(ref->id) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_one, args, 2, &rows));
	return take_one(rows, ret_endpoint);
}

/* --- writing --- */

static struct err filters_of(struct arena *arena, uint32_t bits, struct pg_arg *ret_filters)
{
	struct pg_array *names = pg_array_new(arena, PG_KIND_TEXT, WISH_FILTERS_MAX);

	if (names == NULL)
		return arena_overflow();
	for (size_t bit = 0; wish_filter_name(bit) != NULL; bit++)
		if ((bits & 1U << bit) != 0)
			TRY(pg_array_add(names, pg_text(wish_filter_name(bit))));
	*ret_filters = pg_list(names);
	return err_ok();
}

struct err webhook_store_add(struct pg *pg, struct arena *arena, const struct webhook_new *row,
	struct webhook_endpoint *ret_endpoint)
{
	const struct wish *wish = row->wish;
	struct pg_arg args[] = { pg_id(row->ref.tenant.id), pg_id(row->ref.id), pg_text(wish->url),
		pg_null(), pg_bool(wish->ordered), pg_text(wish->description),
		pg_int(row->secret.key_version), pg_bytes(row->secret.wrapped),
		pg_text(wish->active ? "active" : "disabled") };
	const struct pg_rows *rows;

	TRY(filters_of(arena, wish->filters, &args[3]));
	TRY(pg_query(pg, arena, &insert, args, 9, &rows));
	return take_one(rows, ret_endpoint);
}

struct err webhook_store_change(struct pg *pg, struct arena *arena, const struct webhook_ref *ref,
	const struct wish *wish, struct webhook_endpoint *ret_endpoint)
{
	struct pg_arg args[] = { pg_id(ref->tenant.id), pg_id(ref->id),
		pg_text(wish->has_url ? wish->url : NULL), pg_null(),
		wish->has_ordered ? pg_bool(wish->ordered) : pg_null(),
		pg_text(wish->has_description ? wish->description : NULL),
		pg_text(!wish->has_state ? NULL
			: wish->active	 ? "active"
					 : "disabled") };
	const struct pg_rows *rows;

	if (wish->has_filters)
		TRY(filters_of(arena, wish->filters, &args[3]));
	TRY(pg_query(pg, arena, &change, args, 7, &rows));
	return take_one(rows, ret_endpoint);
}

struct err webhook_store_rotate(struct pg *pg, struct arena *arena, const struct webhook_ref *ref,
	const struct webhook_secret *secret, struct webhook_endpoint *ret_endpoint)
{
	const struct pg_arg args[] = { pg_id(ref->tenant.id), pg_id(ref->id),
		pg_int(secret->key_version), pg_bytes(secret->wrapped) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &rotate, args, 4, &rows));
	return take_one(rows, ret_endpoint);
}

struct err webhook_store_remove(struct pg *pg, struct arena *arena, const struct webhook_ref *ref)
{
	const struct pg_arg args[] = { pg_id(ref->tenant.id), pg_id(ref->id) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &delete_one, args, 2, &rows));
	return pg_count(rows) > 0 ? err_ok()
				  : err_reject(ERR_CODE_NOT_FOUND, "there is no such webhook");
}

struct err webhook_store_disable(struct pg *pg, struct arena *arena, const struct webhook_ref *ref,
	int64_t at_ms, bool *ret_done)
{
	const struct pg_arg args[] = { pg_id(ref->tenant.id), pg_id(ref->id), pg_time(at_ms) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &disable, args, 3, &rows));
	*ret_done = pg_count(rows) > 0;
	return err_ok();
}
