#include "store_partner.h"

#include <string.h>

#include "base/clock.h"
#include "port/pg.h"
#include "frame/operation.h"
#include "store.h"

static const struct pg_statement insert_partner = { "store_insert_partner",
	"INSERT INTO intake.partners (slug, name) VALUES ($1, $2) "
	"ON CONFLICT (slug) DO UPDATE SET name = excluded.name, revoked_at = NULL "
	"WHERE partners.revoked_at IS NOT NULL RETURNING 1" };
static const struct pg_statement lock_partner = { "store_lock_partner",
	"SELECT 1 FROM intake.partners WHERE slug = $1 FOR UPDATE" };
static const struct pg_statement look_at_partner = { "store_look_at_partner",
	"SELECT p.revoked_at IS NULL, (SELECT count(*) FROM intake.partner_tenants g "
	" WHERE g.partner = p.slug AND g.revoked_at IS NULL) "
	"FROM intake.partners p WHERE p.slug = $1" };
static const struct pg_statement insert_grant = { "store_insert_grant",
	"INSERT INTO intake.partner_tenants (partner, tenant_id) VALUES ($1, $2) "
	"ON CONFLICT (tenant_id, partner) DO UPDATE SET granted_at = now(), revoked_at = NULL "
	"WHERE partner_tenants.revoked_at IS NOT NULL RETURNING 1" };
static const struct pg_statement end_partner = { "store_end_partner",
	"UPDATE intake.partners SET revoked_at = now() WHERE slug = $1 AND revoked_at IS NULL "
	"RETURNING 1" };
/* $2 NULL: of all tenants */
static const struct pg_statement end_grants = { "store_end_grants",
	"UPDATE intake.partner_tenants SET revoked_at = now() WHERE partner = $1 "
	"AND tenant_id = coalesce($2::uuid, tenant_id) AND revoked_at IS NULL RETURNING 1" };
static const struct pg_statement end_keys = { "store_end_keys",
	"UPDATE intake.api_keys SET revoked_at = now() WHERE partner = $1 "
	"AND tenant_id = coalesce($2::uuid, tenant_id) AND revoked_at IS NULL RETURNING 1" };
static const struct pg_statement hold_grant = { "store_hold_grant",
	"SELECT 1 FROM intake.partner_tenants g JOIN intake.partners p ON p.slug = g.partner "
	"WHERE g.partner = $1 AND g.tenant_id = $2 AND g.revoked_at IS NULL "
	"AND p.revoked_at IS NULL FOR SHARE OF g" };
static const struct pg_statement select_partners = { "store_select_partners",
	"SELECT p.slug, p.name, CASE WHEN p.revoked_at IS NULL THEN 'active' ELSE 'revoked' END, "
	"(SELECT string_agg(t.slug, ',' ORDER BY t.slug) FROM intake.partner_tenants g "
	" JOIN intake.tenants t ON t.tenant_id = g.tenant_id "
	" WHERE g.partner = p.slug AND g.revoked_at IS NULL), p.created_at "
	"FROM intake.partners p ORDER BY p.slug" };

static struct err count_of(struct pg *pg, struct arena *arena, const struct pg_statement *statement,
	const struct pg_arg *args, size_t *ret_count)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, statement, args, statement == &end_partner ? 1 : 2, &rows));
	*ret_count = pg_count(rows);
	return err_ok();
}

/* Told in the transaction of the change, which happens once: the id may be a fresh one. */
static struct err tell(struct pg *pg, struct arena *arena,
	const struct store_partner_change *change, const char *action)
{
	struct outbox *outbox = outbox_new(arena, change->outbox);
	bool whole = change->tenant_slug == NULL;
	const struct operation operation = { .id = id_v7(),
		.tenant = change->tenant,
		.actor = change->who,
		.action = action,
		.object = arena_printf(arena, "partner %s%s%s", change->slug, whole ? "" : " for ",
			whole ? "" : change->tenant_slug),
		.reason = "estctl partner",
		.occurred_at = clock_wall_ms(),
		.count = CODEC_NO_INT };

	if (outbox == NULL || operation.object == NULL)
		return arena_overflow();
	TRY(operation_emit(outbox, &operation));
	return outbox_flush(outbox, pg);
}

static struct err look(
	struct pg *pg, struct arena *arena, const char *slug, struct store_partner_now *now)
{
	const struct pg_rows *rows;
	const struct pg_arg arg = pg_text(slug);

	TRY(pg_query(pg, arena, &look_at_partner, &arg, 1, &rows));
	now->active = pg_get_int(rows, 0, 0) != 0;
	now->tenants = pg_get_int(rows, 0, 1);
	return err_ok();
}

/* The end of a change: tells it if it was one. */
static struct err finish(struct pg *pg, struct arena *arena,
	const struct store_partner_change *change, const char *action,
	struct store_partner_now *now)
{
	if (now->changed)
		TRY(tell(pg, arena, change, action));
	TRY(look(pg, arena, change->slug, now));
	return pg_commit(pg);
}

static struct err add(struct pg *pg, struct arena *arena, const struct store_partner_change *change,
	const char *name, struct store_partner_now *ret_now)
{
	const struct pg_arg args[] = { pg_text(change->slug), pg_text(name) };
	size_t count;

	TRY(store_begin_in(pg, "intake"));
	TRY(count_of(pg, arena, &insert_partner, args, &count));
	ret_now->changed = count > 0;
	return finish(pg, arena, change, "partner.added", ret_now);
}

struct err store_partner_add(struct pg *pg, struct arena *arena,
	const struct store_partner_change *change, const char *name,
	struct store_partner_now *ret_now)
{
	struct store_partner_now now;

	TRY(store_undo(pg, add(pg, arena, change, name, &now)));
	*ret_now = now;
	return err_ok();
}

static struct err lock(struct pg *pg, struct arena *arena, const char *slug)
{
	const struct pg_rows *rows;
	const struct pg_arg arg = pg_text(slug);

	TRY(store_begin_in(pg, "intake"));
	TRY(pg_query(pg, arena, &lock_partner, &arg, 1, &rows));
	if (pg_count(rows) > 0)
		return err_ok();
	const char *msg = arena_printf(arena, "there is no partner %s", slug);
	return err_reject(ERR_CODE_NOT_FOUND, msg == NULL ? slug : msg);
}

static struct err grant(struct pg *pg, struct arena *arena,
	const struct store_partner_change *change, struct store_partner_now *ret_now)
{
	const struct pg_arg args[] = { pg_text(change->slug), pg_id(change->tenant.id) };
	size_t count;

	TRY(lock(pg, arena, change->slug));
	TRY(count_of(pg, arena, &insert_grant, args, &count));
	ret_now->changed = count > 0;
	return finish(pg, arena, change, "partner.granted", ret_now);
}

struct err store_partner_grant(struct pg *pg, struct arena *arena,
	const struct store_partner_change *change, struct store_partner_now *ret_now)
{
	struct store_partner_now now;

	TRY(store_undo(pg, grant(pg, arena, change, &now)));
	*ret_now = now;
	return err_ok();
}

/* Until there is none: what one of them made through the API while the statement waited for it is
 * seen by the next one alone. */
static struct err end_all_keys(
	struct pg *pg, struct arena *arena, const struct pg_arg *args, size_t *ret_count)
{
	size_t count = 1, sum = 0;

	for (; count > 0; sum += count)
		TRY(count_of(pg, arena, &end_keys, args, &count));
	*ret_count = sum;
	return err_ok();
}

static struct err revoke(struct pg *pg, struct arena *arena,
	const struct store_partner_change *change, struct store_partner_ended *ret_ended)
{
	bool whole = change->tenant_slug == NULL;
	const struct pg_arg args[] = { pg_text(change->slug),
		whole ? pg_null() : pg_id(change->tenant.id) };
	struct store_partner_ended ended;
	size_t count = 0;

	TRY(lock(pg, arena, change->slug));
	if (whole)
		TRY(count_of(pg, arena, &end_partner, args, &count));
	TRY(count_of(pg, arena, &end_grants, args, &ended.grants));
	TRY(end_all_keys(pg, arena, args, &ended.api_keys));
	ended.partner = (whole ? count : ended.grants) > 0;
	if (ended.partner || ended.grants + ended.api_keys > 0)
		TRY(tell(pg, arena, change, "partner.revoked"));
	TRY(pg_commit(pg));
	*ret_ended = ended;
	return err_ok();
}

struct err store_partner_revoke(struct pg *pg, struct arena *arena,
	const struct store_partner_change *change, struct store_partner_ended *ret_ended)
{
	return store_undo(pg, revoke(pg, arena, change, ret_ended));
}

struct err store_partner_check(
	struct pg *pg, struct arena *arena, const char *partner, struct tenant tenant)
{
	const struct pg_arg args[] = { pg_text(partner), pg_id(tenant.id) };
	size_t count;

	if (strcmp(partner, "self") == 0)
		return err_ok();
	TRY(count_of(pg, arena, &hold_grant, args, &count));
	if (count > 0)
		return err_ok();
	const char *msg = arena_printf(
		arena, "partner %s may not act for this tenant: estctl partner grant", partner);
	return err_reject(ERR_CODE_NOT_FOUND, msg == NULL ? partner : msg);
}

/* --- list --- */

#define PARTNER(member, kind, required)                                                            \
	CODEC_FIELD(struct store_partner, member, kind, CODEC_PLAIN, required, 0)

static const struct codec_field partner_fields[] = {
	PARTNER(slug, CODEC_TEXT, true),
	PARTNER(name, CODEC_TEXT, true),
	PARTNER(state, CODEC_TEXT, true),
	PARTNER(tenants, CODEC_TEXT, false),
	PARTNER(created_at, CODEC_TIME, true),
	CODEC_END,
};

const struct codec_type store_partner_rows = { "estctl.partner", sizeof(struct store_partner),
	partner_fields };

struct err store_partner_list(struct pg *pg, struct arena *arena, struct codec_list *ret_rows)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_partners, NULL, 0, &rows));
	struct store_partner *partners = arena_alloc(arena, pg_count(rows) * sizeof *partners + 1);
	if (partners == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		partners[i] = (struct store_partner){
			.slug = store_copy_text(arena, rows, i, 0),
			.name = store_copy_text(arena, rows, i, 1),
			.state = store_copy_text(arena, rows, i, 2),
			.tenants = store_copy_text(arena, rows, i, 3),
			.created_at = pg_get_time(rows, i, 4),
		};
	*ret_rows = (struct codec_list){ partners, pg_count(rows) };
	return err_ok();
}
