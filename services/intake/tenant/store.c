#include "tenant/store.h"

#include "port/pg.h"

static const struct pg_statement grants = { "tenant_grants", "SELECT partners_erase()" };
static const struct pg_statement api_keys = { "tenant_api_keys", ERASE_ROWS("api_keys") };
static const struct pg_statement endpoints = { "tenant_endpoints",
	ERASE_ROWS("webhook_endpoints") };
static const struct pg_statement addresses = { "tenant_addresses", ERASE_ROWS("ip_addresses") };
static const struct pg_statement idempotency = { "tenant_idempotency", ERASE_ROWS("idempotency") };
static const struct pg_statement deliveries = { "tenant_deliveries", ERASE_ROWS("deliveries") };
static const struct pg_statement jobs = { "tenant_jobs", ERASE_ROWS("jobs") };
static const struct pg_statement tenant_keys = { "tenant_tenant_keys", ERASE_ROWS("tenant_keys") };

static const struct pg_statement destroy_keys = { "tenant_destroy_keys",
	"SELECT destroy_tenant_keys($1)" };

const struct erase_step tenant_steps[] = {
	{ "partner_tenants", &grants },
	{ "api_keys", &api_keys },
	{ "webhook_endpoints", &endpoints },
	{ "ip_addresses", &addresses },
	{ "idempotency", &idempotency },
	{ "deliveries", &deliveries },
	{ "jobs", &jobs },
	{ "tenant_key_rows", &tenant_keys },
	{ NULL, NULL },
};
const struct erase_step tenant_first[] = {
	{ "tenant_keys", &destroy_keys },
	{ NULL, NULL },
};

/* 3 = TENANT_STORE_NEWEST_MAX */
static const struct pg_statement newest = { "tenant_newest",
	"SELECT tenant_id FROM tenants WHERE state = 'active' ORDER BY created_at DESC LIMIT 3" };
/* 500 = TENANT_STORE_JOBS_MAX */
static const struct pg_statement open_jobs = { "tenant_open_jobs",
	"SELECT t.slug, j.job_id FROM tenants t LEFT JOIN LATERAL (SELECT job_id FROM jobs "
	"WHERE tenant_id = t.tenant_id AND (status IN ('pending', 'processing') "
	"OR (status = 'completed' AND result_deleted_at IS NULL AND result_expires_at > now())) "
	"ORDER BY created_at LIMIT 500) AS j ON true WHERE t.tenant_id = $1" };
static const struct pg_statement hasten = { "tenant_hasten",
	"UPDATE effect SET due_at = now(), updated_at = now() WHERE tenant_id = $1 "
	"AND kind = 'purge' AND state <> 'confirmed' AND due_at > now()" };
static const struct pg_statement count_left = { "tenant_left",
	"SELECT count(*) FROM jobs WHERE tenant_id = $1 AND purged_at IS NULL" };
/* The lines of the proof are those that docs/tenants.md tells an auditor to make anew. */
static const struct pg_statement proof = { "tenant_proof",
	"WITH each AS (SELECT 'audit' AS service, * FROM audit.v1_erasures WHERE tenant_id = $1 "
	"UNION ALL SELECT 'intake', * FROM intake.v1_erasures WHERE tenant_id = $1 "
	"UNION ALL SELECT 'ocr', * FROM ocr.v1_erasures WHERE tenant_id = $1 "
	"UNION ALL SELECT 'outreach', * FROM outreach.v1_erasures WHERE tenant_id = $1), "
	"sums AS (SELECT e.*, (SELECT coalesce(sum(c.value::bigint), 0) "
	"FROM jsonb_each_text(e.counts) AS c) AS n FROM each AS e) "
	"SELECT count(done_at) = 4, coalesce(sum(n), 0)::bigint, "
	"encode(sha256(convert_to(string_agg(service || ' ' || counts::text, E'\\n' "
	"ORDER BY service), 'UTF8')), 'hex'), "
	"string_agg(service || ' ' || n::text, ', ' ORDER BY service) FROM sums" };
static const struct pg_statement end = { "tenant_end", "SELECT * FROM tenant_erased()" };

struct err tenant_store_open_jobs(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct tenant_store_jobs *ret_jobs)
{
	const struct pg_arg arg = pg_id(tenant.id);
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &open_jobs, &arg, 1, &rows));
	ret_jobs->count = 0;
	ret_jobs->slug = pg_count(rows) == 0 ? "" : pg_get_text(rows, 0, 0);
	for (size_t i = 0; i < pg_count(rows) && i < TENANT_STORE_JOBS_MAX; i++)
		if (!pg_is_null(rows, i, 1))
			ret_jobs->ids[ret_jobs->count++] = pg_get_id(rows, i, 1);
	return err_ok();
}

struct err tenant_store_hasten(
	struct pg *pg, struct arena *arena, struct tenant tenant, int64_t *ret_left)
{
	const struct pg_arg arg = pg_id(tenant.id);
	const struct pg_rows *rows;

	TRY(pg_push(pg, &hasten, &arg, 1));
	TRY(pg_query(pg, arena, &count_left, &arg, 1, &rows));
	*ret_left = pg_get_int(rows, 0, 0);
	return err_ok();
}

struct err tenant_store_proof(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct tenant_store_proof *ret_proof)
{
	const struct pg_arg arg = pg_id(tenant.id);
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &proof, &arg, 1, &rows));
	*ret_proof = (struct tenant_store_proof){ .complete = pg_get_int(rows, 0, 0) != 0,
		.rows = pg_get_int(rows, 0, 1),
		.hash = pg_get_text(rows, 0, 2),
		.text = pg_get_text(rows, 0, 3) };
	return err_ok();
}

struct err tenant_store_end(struct pg *pg, struct arena *arena, const char **ret_slug)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &end, NULL, 0, &rows));
	*ret_slug = pg_count(rows) == 0 ? NULL : pg_get_text(rows, 0, 0);
	return err_ok();
}

struct err tenant_store_newest(
	struct pg *pg, struct arena *arena, struct tenant_store_newest *ret_newest)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &newest, NULL, 0, &rows));
	ret_newest->count = pg_count(rows);
	for (size_t i = 0; i < ret_newest->count && i < TENANT_STORE_NEWEST_MAX; i++)
		ret_newest->tenants[i].id = pg_get_id(rows, i, 0);
	return err_ok();
}
