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
