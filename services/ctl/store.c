#include "store.h"

#include "port/pg.h"

static const struct pg_statement may_see_all = { "store_may_see_all",
	"SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user" };
static const struct pg_statement enter_schema = { "store_enter_schema",
	"SELECT set_config('search_path', quote_ident($1::text), true)" };
static const struct pg_statement find_plan = { "store_tenant_plan",
	"SELECT 1 FROM intake.plans WHERE name = $1 FOR SHARE" };
static const struct pg_statement insert_tenant = { "store_insert_tenant",
	"INSERT INTO intake.tenants (tenant_id, slug, name, deadline_s, is_test, plan) "
	"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (slug) DO NOTHING RETURNING tenant_id" };
static const struct pg_statement insert_tenant_key = { "store_insert_tenant_key",
	"INSERT INTO intake.tenant_keys (tenant_id, version, wrapped) VALUES ($1, 1, $2)" };
static const struct pg_statement select_tenants = { "store_select_tenants",
	"SELECT slug, name, state, deadline_s, is_test, created_at, plan FROM intake.tenants "
	"ORDER BY slug" };
static const struct pg_statement find_tenant = { "store_find_tenant",
	"SELECT tenant_id, state, state IN ('erasing', 'erased') FROM intake.tenants "
	"WHERE slug = $1" };

/* --- the connection --- */

static void close_later(void *arg)
{
	pg_free(arg);
}

struct err store_open(const char *url, struct arena *arena, struct pg **ret_pg)
{
	const struct pg_conf conf = { url, "estctl", 0 };
	const struct pg_rows *rows;
	struct pg *pg = pg_new(&conf);

	if (pg == NULL || !arena_defer(arena, close_later, pg)) {
		pg_free(pg);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a connection");
	}
	TRY(pg_query(pg, arena, &may_see_all, NULL, 0, &rows));
	if (pg_get_int(rows, 0, 0) == 0)
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_PG_OWNER_URL: the role is under row-level security and would see "
			"nothing");
	*ret_pg = pg;
	return err_ok();
}

struct err store_undo(struct pg *pg, struct err e)
{
	if (e.kind != ERR_OK)
		pg_rollback(pg);
	return e;
}

struct err store_begin_in(struct pg *pg, const char *service)
{
	const struct pg_arg arg = pg_text(service);

	TRY(pg_begin(pg));
	return pg_push(pg, &enter_schema, &arg, 1);
}

static struct err begin_for(struct pg *pg, struct tenant tenant)
{
	TRY(pg_begin(pg));
	return pg_set_tenant(pg, tenant);
}

static struct err not_found(struct arena *arena, const char *what, const char *name)
{
	const char *msg = arena_printf(arena, "there is no %s %s", what, name);

	return err_reject(ERR_CODE_NOT_FOUND, msg == NULL ? what : msg);
}

const char *store_copy_text(struct arena *arena, const struct pg_rows *rows, size_t row, int column)
{
	const char *text = pg_get_text(rows, row, column);

	return text == NULL ? NULL : arena_strdup(arena, str_of(text));
}

/* --- tenants --- */

static struct err create_tenant(struct pg *pg, struct arena *arena,
	const struct store_new_tenant *tenant, bool *ret_created)
{
	const struct pg_rows *rows;
	const struct pg_arg row[] = { pg_id(tenant->tenant.id), pg_text(tenant->slug),
		pg_text(tenant->name), pg_int(tenant->deadline_s), pg_bool(tenant->is_test),
		pg_text(tenant->plan) };
	const struct pg_arg key[] = { pg_id(tenant->tenant.id), pg_bytes(tenant->wrapped) };
	const struct pg_arg plan = pg_text(tenant->plan);

	TRY(begin_for(pg, tenant->tenant));
	TRY(pg_query(pg, arena, &find_plan, &plan, 1, &rows));
	if (pg_count(rows) == 0)
		return not_found(arena, "plan", tenant->plan);
	TRY(pg_query(pg, arena, &insert_tenant, row, 6, &rows));
	bool created = pg_count(rows) == 1;
	if (created)
		TRY(pg_push(pg, &insert_tenant_key, key, 2));
	TRY(pg_commit(pg));
	*ret_created = created;
	return err_ok();
}

struct err store_create_tenant(struct pg *pg, struct arena *arena,
	const struct store_new_tenant *tenant, bool *ret_created)
{
	return store_undo(pg, create_tenant(pg, arena, tenant, ret_created));
}

#define TENANT(member, kind) CODEC_FIELD(struct store_tenant, member, kind, CODEC_PLAIN, true, 0)

static const struct codec_field tenant_fields[] = {
	TENANT(slug, CODEC_TEXT),
	TENANT(name, CODEC_TEXT),
	TENANT(state, CODEC_TEXT),
	TENANT(deadline_s, CODEC_INT),
	TENANT(plan, CODEC_TEXT),
	TENANT(is_test, CODEC_BOOL),
	TENANT(created_at, CODEC_TIME),
	CODEC_END,
};

const struct codec_type store_tenants = { "estctl.tenant", sizeof(struct store_tenant),
	tenant_fields };

struct err store_list_tenants(struct pg *pg, struct arena *arena, struct codec_list *ret_rows)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_tenants, NULL, 0, &rows));
	struct store_tenant *tenants = arena_alloc(arena, pg_count(rows) * sizeof *tenants + 1);
	if (tenants == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		tenants[i] = (struct store_tenant){
			.slug = store_copy_text(arena, rows, i, 0),
			.name = store_copy_text(arena, rows, i, 1),
			.state = store_copy_text(arena, rows, i, 2),
			.deadline_s = pg_get_int(rows, i, 3),
			.is_test = pg_get_int(rows, i, 4) != 0,
			.created_at = pg_get_time(rows, i, 5),
			.plan = store_copy_text(arena, rows, i, 6),
		};
	*ret_rows = (struct codec_list){ tenants, pg_count(rows) };
	return err_ok();
}

struct err store_find_tenant(
	struct pg *pg, struct arena *arena, const char *slug, struct tenant *ret_tenant)
{
	const struct pg_rows *rows;
	const struct pg_arg arg = pg_text(slug);

	TRY(pg_query(pg, arena, &find_tenant, &arg, 1, &rows));
	if (pg_count(rows) == 0)
		return not_found(arena, "tenant", slug);
	if (pg_get_int(rows, 0, 2) != 0) {
		const char *msg = arena_printf(arena,
			"tenant %s is %s: nothing is made for it, and its slug is not given again",
			slug, pg_get_text(rows, 0, 1));
		return err_reject(ERR_CODE_BAD_TRANSITION, msg == NULL ? slug : msg);
	}
	ret_tenant->id = pg_get_id(rows, 0, 0);
	return err_ok();
}
