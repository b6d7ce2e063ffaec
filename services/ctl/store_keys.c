#include "store_keys.h"

#include "base/clock.h"
#include "port/pg.h"
#include "frame/operation.h"
#include "store.h"

static const struct pg_statement lock_tenant = { "store_keys_lock",
	"SELECT tenant_id, state, slug, (SELECT max(version) FROM intake.tenant_keys k "
	" WHERE k.tenant_id = t.tenant_id) FROM intake.tenants t WHERE slug = $1 FOR UPDATE" };
/* The counterpart of keyring_hold. */
static const struct pg_statement alone = { "store_keys_alone",
	"SELECT pg_advisory_xact_lock(hashtextextended('tenant keys ' || $1::uuid::text, 0))" };
static const struct pg_statement alone_of_all = { "store_keys_alone_of_all",
	"SELECT pg_advisory_xact_lock(hashtextextended('tenant keys', 0))" };
static const struct pg_statement select_keys = { "store_keys_of",
	"SELECT k.tenant_id, k.version, t.slug, k.wrapped FROM intake.tenant_keys k "
	"JOIN intake.tenants t ON t.tenant_id = k.tenant_id "
	"WHERE k.tenant_id = $1 AND k.destroyed_at IS NULL ORDER BY k.version" };
static const struct pg_statement insert_key = { "store_keys_add",
	"INSERT INTO intake.tenant_keys (tenant_id, version, wrapped) VALUES ($1, $2, $3)" };
static const struct pg_statement select_secrets = { "store_keys_secrets",
	"WITH e AS (SELECT * FROM intake.webhook_endpoints WHERE tenant_id = $1 FOR UPDATE) "
	"SELECT endpoint_id, false, key_version, secret FROM e WHERE key_version <> $2 "
	"UNION ALL SELECT endpoint_id, true, old_key_version, old_secret FROM e "
	"WHERE old_key_version <> $2 ORDER BY 1, 2" };
static const struct pg_statement reseal_secret = { "store_keys_reseal",
	"UPDATE intake.webhook_endpoints SET secret = $3, key_version = $4 "
	"WHERE tenant_id = $1 AND endpoint_id = $2" };
static const struct pg_statement reseal_old_secret = { "store_keys_reseal_old",
	"UPDATE intake.webhook_endpoints SET old_secret = $3, old_key_version = $4 "
	"WHERE tenant_id = $1 AND endpoint_id = $2" };
static const struct pg_statement select_needs = { "store_keys_needs",
	"SELECT (SELECT count(*) FROM intake.jobs WHERE tenant_id = $1 "
	" AND status IN ('pending', 'processing') AND coalesce(key_version, 1) <= $2::int), "
	"(SELECT count(*) FROM intake.jobs WHERE tenant_id = $1 AND status = 'completed' "
	" AND completed_at > now() - interval '1 day' AND result_expires_at > now() "
	" AND result_deleted_at IS NULL AND coalesce(key_version, 1) <= $2::int), "
	"(SELECT count(*) FROM intake.webhook_endpoints WHERE tenant_id = $1 "
	" AND (key_version = $2::int OR old_key_version = $2::int))" };
static const struct pg_statement destroy_key = { "store_keys_destroy",
	"UPDATE intake.tenant_keys SET wrapped = NULL, destroyed_at = now() "
	"WHERE tenant_id = $1 AND version = $2 AND destroyed_at IS NULL" };
static const struct pg_statement select_page = { "store_keys_page",
	"SELECT k.tenant_id, k.version, t.slug, k.wrapped FROM intake.tenant_keys k "
	"JOIN intake.tenants t ON t.tenant_id = k.tenant_id "
	"WHERE k.destroyed_at IS NULL AND (k.tenant_id, k.version) > ($1::uuid, $2::int) "
	"ORDER BY k.tenant_id, k.version LIMIT $3::int" };
static const struct pg_statement count_keys = { "store_keys_count",
	"SELECT count(*) FROM intake.tenant_keys WHERE destroyed_at IS NULL" };
static const struct pg_statement replace_keys = { "store_keys_replace",
	"UPDATE intake.tenant_keys k SET wrapped = n.fresh "
	"FROM unnest($1::uuid[], $2::int[], $3::bytea[], $4::bytea[]) n (tenant_id, version, was, "
	"fresh) WHERE k.tenant_id = n.tenant_id AND k.version = n.version AND k.wrapped = n.was "
	"AND k.destroyed_at IS NULL RETURNING 1" };

/* --- one tenant's --- */

static struct err lock(
	struct pg *pg, struct arena *arena, const char *slug, struct store_keys_tenant *ret_tenant)
{
	const struct pg_rows *rows;
	const struct pg_arg arg = pg_text(slug);

	TRY(store_begin_in(pg, "intake"));
	TRY(pg_query(pg, arena, &lock_tenant, &arg, 1, &rows));
	if (pg_count(rows) == 0) {
		const char *msg = arena_printf(arena, "there is no tenant %s", slug);
		return err_reject(ERR_CODE_NOT_FOUND, msg == NULL ? slug : msg);
	}
	*ret_tenant = (struct store_keys_tenant){ { pg_get_id(rows, 0, 0) },
		store_copy_text(arena, rows, 0, 2), store_copy_text(arena, rows, 0, 1),
		(uint32_t)pg_get_int(rows, 0, 3) };
	return ret_tenant->state == NULL || ret_tenant->slug == NULL ? arena_overflow() : err_ok();
}

struct err store_keys_begin(
	struct pg *pg, struct arena *arena, const char *slug, struct store_keys_tenant *ret_tenant)
{
	return store_undo(pg, lock(pg, arena, slug, ret_tenant));
}

struct err store_keys_alone(struct pg *pg, struct tenant tenant)
{
	const struct pg_arg arg = pg_id(tenant.id);

	TRY(pg_push(pg, &alone, &arg, 1));
	return pg_sync(pg);
}

static struct err take_rows(
	struct arena *arena, const struct pg_rows *rows, struct store_keys_rows *ret_rows)
{
	const size_t count = pg_count(rows);
	struct store_keys_row *items = arena_alloc(arena, count * sizeof *items + 1);

	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++) {
		const struct tenant tenant = { pg_get_id(rows, i, 0) };
		items[i] = (struct store_keys_row){ { tenant, (uint32_t)pg_get_int(rows, i, 1) },
			pg_get_text(rows, i, 2), pg_get_bytes(rows, i, 3) };
	}
	*ret_rows = (struct store_keys_rows){ items, count };
	return err_ok();
}

struct err store_keys_of(
	struct pg *pg, struct arena *arena, struct tenant tenant, struct store_keys_rows *ret_rows)
{
	const struct pg_rows *rows;
	const struct pg_arg arg = pg_id(tenant.id);

	TRY(pg_query(pg, arena, &select_keys, &arg, 1, &rows));
	return take_rows(arena, rows, ret_rows);
}

struct err store_keys_add(struct pg *pg, const struct seal_key_row *row, struct str wrapped)
{
	const struct pg_arg args[] = { pg_id(row->tenant.id), pg_int(row->version),
		pg_bytes(wrapped) };

	return pg_push(pg, &insert_key, args, 3);
}

struct err store_keys_secrets(struct pg *pg, struct arena *arena, const struct seal_key_row *other,
	struct store_keys_secrets *ret_secrets)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(other->tenant.id), pg_int(other->version) };

	TRY(pg_query(pg, arena, &select_secrets, args, 2, &rows));
	const size_t count = pg_count(rows);
	struct store_keys_secret *items = arena_alloc(arena, count * sizeof *items + 1);
	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		items[i] = (struct store_keys_secret){ pg_get_id(rows, i, 0),
			pg_get_int(rows, i, 1) != 0, (uint32_t)pg_get_int(rows, i, 2),
			pg_get_bytes(rows, i, 3) };
	*ret_secrets = (struct store_keys_secrets){ items, count };
	return err_ok();
}

struct err store_keys_reseal(
	struct pg *pg, const struct seal_key_row *by, const struct store_keys_secret *secret)
{
	const struct pg_arg args[] = { pg_id(by->tenant.id), pg_id(secret->endpoint_id),
		pg_bytes(secret->wrapped), pg_int(by->version) };

	return pg_push(pg, secret->is_old ? &reseal_old_secret : &reseal_secret, args, 4);
}

struct err store_keys_needs(struct pg *pg, struct arena *arena, const struct seal_key_row *row,
	struct store_keys_needs *ret_needs)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(row->tenant.id), pg_int(row->version) };

	TRY(pg_query(pg, arena, &select_needs, args, 2, &rows));
	*ret_needs = (struct store_keys_needs){ pg_get_int(rows, 0, 0), pg_get_int(rows, 0, 1),
		pg_get_int(rows, 0, 2) };
	return err_ok();
}

struct err store_keys_destroy(struct pg *pg, const struct seal_key_row *row)
{
	const struct pg_arg args[] = { pg_id(row->tenant.id), pg_int(row->version) };

	return pg_push(pg, &destroy_key, args, 2);
}

/* --- all tenants' --- */

struct err store_keys_page(struct pg *pg, struct arena *arena, const struct seal_key_row *after,
	size_t count, struct store_keys_rows *ret_rows)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(after->tenant.id), pg_int(after->version),
		pg_int((int64_t)count) };

	TRY(pg_query(pg, arena, &select_page, args, 3, &rows));
	return take_rows(arena, rows, ret_rows);
}

struct err store_keys_count(struct pg *pg, struct arena *arena, int64_t *ret_count)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &count_keys, NULL, 0, &rows));
	*ret_count = pg_get_int(rows, 0, 0);
	return err_ok();
}

struct err store_keys_begin_all(struct pg *pg)
{
	TRY(store_begin_in(pg, "intake"));
	TRY(pg_push(pg, &alone_of_all, NULL, 0));
	return pg_sync(pg);
}

struct err store_keys_replace(struct pg *pg, struct arena *arena,
	const struct store_keys_fresh *fresh, size_t count, int64_t *ret_changed)
{
	const struct pg_rows *rows;
	struct pg_array *tenants = pg_array_new(arena, PG_KIND_ID, count),
			*versions = pg_array_new(arena, PG_KIND_INT, count),
			*was = pg_array_new(arena, PG_KIND_BYTES, count),
			*now = pg_array_new(arena, PG_KIND_BYTES, count);

	if (tenants == NULL || versions == NULL || was == NULL || now == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++) {
		TRY(pg_array_add(tenants, pg_id(fresh[i].row->of.tenant.id)));
		TRY(pg_array_add(versions, pg_int(fresh[i].row->of.version)));
		TRY(pg_array_add(was, pg_bytes(fresh[i].row->wrapped)));
		TRY(pg_array_add(now, pg_bytes(fresh[i].wrapped)));
	}
	const struct pg_arg args[] = { pg_list(tenants), pg_list(versions), pg_list(was),
		pg_list(now) };
	TRY(pg_query(pg, arena, &replace_keys, args, 4, &rows));
	*ret_changed = (int64_t)pg_count(rows);
	return err_ok();
}

/* --- the end --- */

struct err store_keys_end(
	struct pg *pg, struct arena *arena, const struct store_keys_change *change)
{
	struct outbox *outbox = outbox_new(arena, change->outbox);
	const struct operation operation = { .id = id_v7(),
		.tenant = change->tenant,
		.actor = change->who,
		.action = change->action,
		.object = change->object,
		.reason = change->reason,
		.occurred_at = clock_wall_ms(),
		.count = change->count };

	if (outbox == NULL || change->object == NULL)
		return arena_overflow();
	TRY(operation_emit(outbox, &operation));
	TRY(outbox_flush(outbox, pg));
	return pg_commit(pg);
}
