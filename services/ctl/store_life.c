#include "store_life.h"

#include "base/clock.h"
#include "frame/operation.h"
#include "port/pg.h"
#include "store.h"

static const struct pg_statement lock_tenant = { "store_life_lock",
	"SELECT tenant_id, state FROM tenants WHERE slug = $1 FOR UPDATE" };
static const struct pg_statement set_state = { "store_life_set",
	"UPDATE tenants SET state = $2, state_at = clock_timestamp() WHERE tenant_id = $1" };
static const struct pg_statement select_tenant = { "store_life_show",
	"SELECT t.slug, t.name, t.state, t.state_at, t.created_at, t.deadline_s, t.is_test, "
	"(SELECT count(*) FROM intake.api_keys k WHERE k.tenant_id = t.tenant_id "
	" AND k.revoked_at IS NULL AND coalesce(k.expires_at > now(), true)), "
	"(SELECT count(*) FROM intake.jobs j WHERE j.tenant_id = t.tenant_id "
	" AND j.status IN ('pending', 'processing')), "
	"(SELECT count(*) FROM intake.parked p WHERE p.tenant_id = t.tenant_id)"
	" + (SELECT count(*) FROM ocr.parked p WHERE p.tenant_id = t.tenant_id)"
	" + (SELECT count(*) FROM audit.parked p WHERE p.tenant_id = t.tenant_id)"
	" + (SELECT count(*) FROM outreach.parked p WHERE p.tenant_id = t.tenant_id), "
	"(SELECT count(*) FROM intake.dead_letter d WHERE d.tenant_id = t.tenant_id"
	" AND d.state = 'open')"
	" + (SELECT count(*) FROM ocr.dead_letter d WHERE d.tenant_id = t.tenant_id"
	" AND d.state = 'open')"
	" + (SELECT count(*) FROM audit.dead_letter d WHERE d.tenant_id = t.tenant_id"
	" AND d.state = 'open')"
	" + (SELECT count(*) FROM outreach.dead_letter d WHERE d.tenant_id = t.tenant_id"
	" AND d.state = 'open'), "
	"(SELECT count(*) FROM outreach.deliveries d WHERE d.tenant_id = t.tenant_id"
	" AND d.state = 'pending') "
	"FROM intake.tenants t WHERE t.slug = $1" };

/* query_to_xml runs a query made of a name: so a table that is new is counted too. */
static const struct pg_statement count_rows = { "store_life_count",
	"SELECT tbl, fate, n FROM (SELECT c.oid::regclass::text AS tbl, CASE WHEN c.relname IN "
	"('audit_logs', 'operations', 'erasures', 'inbox', 'replay', 'tenants') "
	"THEN 'stays' ELSE 'goes' END AS fate, (xpath('/row/n/text()', query_to_xml(format("
	"'SELECT count(*) AS n FROM %s WHERE tenant_id = %L', c.oid::regclass, t.tenant_id), "
	"false, true, '')))[1]::text::bigint AS n FROM intake.tenants t, pg_class c "
	"JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' "
	"WHERE t.slug = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
	"AND c.relnamespace IN (SELECT oid FROM pg_namespace "
	"WHERE nspname IN ('intake', 'ocr', 'audit', 'outreach'))) AS counted "
	"WHERE n > 0 ORDER BY fate, tbl" };
static const struct pg_statement progress = { "store_life_progress",
	"SELECT s.name, CASE WHEN e.done_at IS NOT NULL THEN 'done' WHEN e.tenant_id IS NOT NULL "
	"THEN 'running' ELSE 'waiting' END, e.done_at, coalesce(e.counts, '{}')::text "
	"FROM intake.tenants t CROSS JOIN (VALUES ('audit'), ('intake'), ('ocr'), ('outreach')) "
	"AS s (name) LEFT JOIN (SELECT 'audit' AS service, * FROM audit.erasures "
	"UNION ALL SELECT 'intake', * FROM intake.erasures "
	"UNION ALL SELECT 'ocr', * FROM ocr.erasures "
	"UNION ALL SELECT 'outreach', * FROM outreach.erasures) AS e "
	"ON e.service = s.name AND e.tenant_id = t.tenant_id "
	"WHERE t.slug = $1 AND t.state IN ('erasing', 'erased') ORDER BY s.name" };

static struct err not_found(struct arena *arena, const char *slug)
{
	const char *msg = arena_printf(arena, "there is no tenant %s", slug);

	return err_reject(ERR_CODE_NOT_FOUND, msg == NULL ? slug : msg);
}

/* --- changes --- */

/* Told in the transaction of the change, which happens once: the id may be a fresh one. */
static struct err tell(struct pg *pg, struct arena *arena, const struct store_life_change *change,
	struct tenant tenant)
{
	struct outbox *outbox = outbox_new(arena, change->outbox);
	const struct operation operation = { .id = id_v7(),
		.tenant = tenant,
		.actor = change->who,
		.action = change->action,
		.object = arena_printf(arena, "tenant %s", change->slug),
		.reason = change->reason,
		.occurred_at = clock_wall_ms(),
		.count = CODEC_NO_INT };

	if (outbox == NULL || operation.object == NULL)
		return arena_overflow();
	TRY(operation_emit(outbox, &operation));
	return outbox_flush(outbox, pg);
}

static struct err set(struct pg *pg, struct arena *arena, const struct store_life_change *change,
	struct tenant tenant)
{
	const struct pg_arg args[] = { pg_id(tenant.id), pg_text(tenant_state_name(change->to)) };

	TRY(pg_set_tenant(pg, tenant));
	TRY(pg_push(pg, &set_state, args, 2));
	return tell(pg, arena, change, tenant);
}

static struct err make_change(struct pg *pg, struct arena *arena,
	const struct store_life_change *change, enum tenant_state *ret_from)
{
	const struct pg_arg slug = pg_text(change->slug);
	const struct pg_rows *rows;

	TRY(store_begin_in(pg, "intake"));
	TRY(pg_query(pg, arena, &lock_tenant, &slug, 1, &rows));
	if (pg_count(rows) == 0)
		return not_found(arena, change->slug);
	if (!tenant_state_parse(str_of(pg_get_text(rows, 0, 1)), ret_from))
		return err_fatal(
			ERR_CODE_INTERNAL, "the tenant has a state this program does not know");
	if (tenant_state_may_become(*ret_from, change->to))
		TRY(set(pg, arena, change, (struct tenant){ pg_get_id(rows, 0, 0) }));
	return pg_commit(pg);
}

struct err store_life_change(struct pg *pg, struct arena *arena,
	const struct store_life_change *change, enum tenant_state *ret_from)
{
	enum tenant_state from = TENANT_ACTIVE;

	TRY(store_undo(pg, make_change(pg, arena, change, &from)));
	*ret_from = from;
	return err_ok();
}

/* --- show --- */

#define TENANT(member, kind)                                                                       \
	CODEC_FIELD(struct store_life_tenant, member, kind, CODEC_PLAIN, true, 0)

static const struct codec_field tenant_fields[] = {
	TENANT(slug, CODEC_TEXT),
	TENANT(name, CODEC_TEXT),
	TENANT(state, CODEC_TEXT),
	TENANT(since, CODEC_TIME),
	TENANT(created_at, CODEC_TIME),
	TENANT(deadline_s, CODEC_INT),
	TENANT(is_test, CODEC_BOOL),
	TENANT(api_keys, CODEC_INT),
	TENANT(open_jobs, CODEC_INT),
	TENANT(waiting, CODEC_INT),
	TENANT(dead, CODEC_INT),
	TENANT(deliveries, CODEC_INT),
	CODEC_END,
};
const struct codec_type store_life_tenants = { "estctl.tenant.life",
	sizeof(struct store_life_tenant), tenant_fields };

struct err store_life_show(
	struct pg *pg, struct arena *arena, const char *slug, struct store_life_tenant *ret_tenant)
{
	const struct pg_arg arg = pg_text(slug);
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_tenant, &arg, 1, &rows));
	if (pg_count(rows) == 0)
		return not_found(arena, slug);
	*ret_tenant = (struct store_life_tenant){
		.slug = pg_get_text(rows, 0, 0),
		.name = pg_get_text(rows, 0, 1),
		.state = pg_get_text(rows, 0, 2),
		.since = pg_get_time(rows, 0, 3),
		.created_at = pg_get_time(rows, 0, 4),
		.deadline_s = pg_get_int(rows, 0, 5),
		.is_test = pg_get_int(rows, 0, 6) != 0,
		.api_keys = pg_get_int(rows, 0, 7),
		.open_jobs = pg_get_int(rows, 0, 8),
		.waiting = pg_get_int(rows, 0, 9),
		.dead = pg_get_int(rows, 0, 10),
		.deliveries = pg_get_int(rows, 0, 11),
	};
	return err_ok();
}

#define ROW(member, kind) CODEC_FIELD(struct store_life_row, member, kind, CODEC_PLAIN, true, 0)

static const struct codec_field row_fields[] = {
	ROW(table, CODEC_TEXT),
	ROW(fate, CODEC_TEXT),
	ROW(rows, CODEC_INT),
	CODEC_END,
};
const struct codec_type store_life_rows = { "estctl.tenant.rows", sizeof(struct store_life_row),
	row_fields };

struct err store_life_count(
	struct pg *pg, struct arena *arena, const char *slug, struct codec_list *ret_rows)
{
	const struct pg_arg arg = pg_text(slug);
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &count_rows, &arg, 1, &rows));
	if (pg_count(rows) == 0) /* his own row is one */
		return not_found(arena, slug);
	struct store_life_row *items = arena_alloc(arena, pg_count(rows) * sizeof *items);
	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		items[i] = (struct store_life_row){ .table = pg_get_text(rows, i, 0),
			.fate = pg_get_text(rows, i, 1),
			.rows = pg_get_int(rows, i, 2) };
	*ret_rows = (struct codec_list){ items, pg_count(rows) };
	return err_ok();
}

#define ERASURE(member, kind, required)                                                            \
	CODEC_FIELD(struct store_life_erasure, member, kind, CODEC_PLAIN, required, 0)

static const struct codec_field erasure_fields[] = {
	ERASURE(service, CODEC_TEXT, true),
	ERASURE(state, CODEC_TEXT, true),
	ERASURE(done_at, CODEC_TIME, false),
	ERASURE(counts, CODEC_TEXT, true),
	CODEC_END,
};
const struct codec_type store_life_erasures = { "estctl.tenant.erasure",
	sizeof(struct store_life_erasure), erasure_fields };

struct err store_life_progress(
	struct pg *pg, struct arena *arena, const char *slug, struct codec_list *ret_rows)
{
	const struct pg_arg arg = pg_text(slug);
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &progress, &arg, 1, &rows));
	struct store_life_erasure *items = arena_alloc(arena, pg_count(rows) * sizeof *items + 1);
	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		items[i] = (struct store_life_erasure){ .service = pg_get_text(rows, i, 0),
			.state = pg_get_text(rows, i, 1),
			.done_at = pg_is_null(rows, i, 2) ? CODEC_NO_INT : pg_get_time(rows, i, 2),
			.counts = pg_get_text(rows, i, 3) };
	*ret_rows = (struct codec_list){ items, pg_count(rows) };
	return err_ok();
}
