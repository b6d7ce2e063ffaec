#include "job/store.h"

#include <math.h>
#include <string.h>

#include "frame/keyring.h"
#include "port/pg.h"

static const struct pg_statement load_job = { "store_load_job",
	"SELECT status, purged_at IS NOT NULL, result_deleted_at IS NOT NULL, document_hash,"
	" result_hash, size_bytes, pages_total, clock_timestamp() "
	"FROM jobs WHERE tenant_id = $1 AND job_id = $2 FOR UPDATE" };
static const struct pg_statement insert_job = { "store_insert_job",
	"INSERT INTO jobs (tenant_id, job_id, api_key_hash, partner, document_hash, size_bytes,"
	" key_half, expires_at, key_version) SELECT $1, $2, $3, $4, $5, $6, $7, $8, k.version "
	"FROM tenant_keys k WHERE k.tenant_id = $1 AND k.version = $9 AND k.destroyed_at IS NULL "
	"RETURNING clock_timestamp()" };
static const struct pg_statement insert_purge = { "store_insert_purge",
	"INSERT INTO effect (tenant_id, kind, effect_key, due_at) VALUES ($1, 'purge', $2, $3)" };
static const struct pg_statement claim_key = { "store_claim_key",
	"INSERT INTO idempotency (tenant_id, route, key, document_hash, job_id) "
	"VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING 1" };
static const struct pg_statement select_key = { "store_select_key",
	"SELECT document_hash, job_id FROM idempotency "
	"WHERE tenant_id = $1 AND route = $2 AND key = $3" };
static const struct pg_statement start = { "store_start",
	"UPDATE jobs SET status = 'processing', started_at = clock_timestamp() "
	"WHERE tenant_id = $1 AND job_id = $2" };
static const struct pg_statement complete = { "store_complete",
	"UPDATE jobs SET status = 'completed', completed_at = clock_timestamp(), result_hash = $3,"
	" pages_total = $4, pages_text = $5, pages_ocr = $6, confidence_avg = $7,"
	" processing_ms = $8, result_expires_at = $9 WHERE tenant_id = $1 AND job_id = $2" };
static const struct pg_statement fail = { "store_fail",
	"UPDATE jobs SET status = 'failed', completed_at = clock_timestamp(), error_code = $3,"
	" pages_total = coalesce($4, pages_total), processing_ms = coalesce($5, processing_ms) "
	"WHERE tenant_id = $1 AND job_id = $2" };
static const struct pg_statement purged = { "store_purged",
	"UPDATE jobs SET purged_at = clock_timestamp(), key_half = NULL "
	"WHERE tenant_id = $1 AND job_id = $2" };
static const struct pg_statement confirm_purge = { "store_confirm_purge",
	"UPDATE effect SET state = 'confirmed', lease_until = NULL, updated_at = now() "
	"WHERE tenant_id = $1 AND kind = 'purge' AND effect_key = $2" };
static const struct pg_statement forget_result = {
	"store_forget_result",
	"UPDATE jobs SET result_deleted_at = clock_timestamp() WHERE tenant_id = $1 AND job_id = $2"
};
static const struct pg_statement hasten_purge = { "store_hasten_purge",
	"UPDATE effect SET due_at = least(due_at, clock_timestamp() + $3::bigint * interval '1 s'),"
	" updated_at = now() "
	"WHERE tenant_id = $1 AND kind = 'purge' AND effect_key = $2 AND state <> 'confirmed'" };
static const struct pg_statement deliver = { "store_deliver",
	"INSERT INTO deliveries (tenant_id, job_id, api_key_hash) VALUES ($1, $2, $3) "
	"ON CONFLICT DO NOTHING RETURNING 1" };
static const struct pg_statement take_due = { "store_take_due",
	"UPDATE effect SET state = 'sending', attempts = attempts + 1, updated_at = now(),"
	" lease_until = clock_timestamp() + interval '60 s' "
	"WHERE (tenant_id, kind, effect_key) IN (SELECT tenant_id, kind, effect_key FROM effect "
	"WHERE kind = 'purge' AND state IN ('intent', 'sending', 'unknown')"
	" AND due_at <= clock_timestamp()"
	" AND (lease_until IS NULL OR lease_until < clock_timestamp()) "
	"ORDER BY due_at LIMIT 32 FOR UPDATE SKIP LOCKED) "
	"RETURNING tenant_id, substr(effect_key, 7)::uuid, attempts" };
static const struct pg_statement postpone = { "store_postpone",
	"UPDATE effect SET state = 'intent', lease_until = NULL, updated_at = now(),"
	" due_at = clock_timestamp() + $3::bigint * interval '1 s' "
	"WHERE tenant_id = $1 AND kind = 'purge' AND effect_key = $2 AND state <> 'confirmed'" };
static const struct pg_statement known = { "store_known",
	"SELECT u.n FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS u (t, j, n) "
	"JOIN jobs ON jobs.tenant_id = u.t AND jobs.job_id = u.j AND jobs.purged_at IS NULL" };
static const struct pg_statement expire_keys = { "store_expire_keys",
	"DELETE FROM idempotency WHERE created_at < now() - interval '14 days'" };

static const struct pg_statement keep_ip = { "store_keep_ip",
	"INSERT INTO ip_addresses (tenant_id, event_id, ip) VALUES ($1, $2, $3) "
	"ON CONFLICT DO NOTHING" };
static const struct pg_statement expire_ips = { "store_expire_ips", "SELECT ip_expire()" };

/* The ledger's key of a job's purge: 6 characters, then the id. */
struct purge_key {
	char text[6 + ID_TEXT_BYTES];
};

static struct purge_key purge_key_of(struct id job_id)
{
	struct purge_key key;

	memcpy(key.text, "purge:", 6);
	id_format(job_id, key.text + 6);
	return key;
}

struct err store_load_job(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct id job_id, struct store_job *ret_job)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(tenant.id), pg_id(job_id) };
	struct store_job job = { .tenant = tenant, .job_id = job_id };

	TRY(pg_query(pg, arena, &load_job, args, 2, &rows));
	job.found = pg_count(rows) == 1;
	*ret_job = job;
	if (!job.found)
		return err_ok();
	if (!decide_status_parse(str_of(pg_get_text(rows, 0, 0)), &job.state.status))
		return err_fatal(
			ERR_CODE_INTERNAL, "a job has a status this program does not know");
	job.state.purged = pg_get_int(rows, 0, 1) != 0;
	job.state.result_deleted = pg_get_int(rows, 0, 2) != 0;
	job.document_hash = pg_get_text(rows, 0, 3);
	job.result_hash = pg_get_text(rows, 0, 4);
	job.size_bytes = pg_get_int(rows, 0, 5);
	job.pages_total = pg_is_null(rows, 0, 6) ? CODEC_NO_INT : pg_get_int(rows, 0, 6);
	job.now_ms = pg_get_time(rows, 0, 7);
	*ret_job = job;
	return err_ok();
}

struct err store_insert_job(struct pg *pg, struct arena *arena, const struct store_new_job *job,
	struct store_job *ret_job)
{
	const struct pg_rows *rows;
	const struct purge_key key = purge_key_of(job->job_id);
	const struct pg_arg row[] = { pg_id(job->tenant.id), pg_id(job->job_id),
		pg_text(job->api_key_hash), pg_text(job->partner), pg_text(job->document_hash),
		pg_int(job->size_bytes), pg_bytes((struct str){ (const char *)job->key_half, 32 }),
		pg_time(job->expires_at_ms), pg_int(job->key_version) };
	const struct pg_arg purge[] = { pg_id(job->tenant.id), pg_text(key.text),
		pg_time(job->expires_at_ms) };

	TRY(keyring_hold(pg, job->tenant));
	TRY(pg_push(pg, &insert_purge, purge, 3));
	TRY(pg_query(pg, arena, &insert_job, row, 9, &rows));
	if (pg_count(rows) == 0)
		return err_retry(ERR_CODE_TRY_AGAIN, "the key of the document was destroyed");
	*ret_job = (struct store_job){ .found = true,
		.tenant = job->tenant,
		.job_id = job->job_id,
		.state = { .status = DECIDE_PENDING },
		.document_hash = job->document_hash,
		.size_bytes = job->size_bytes,
		.pages_total = CODEC_NO_INT,
		.now_ms = pg_get_time(rows, 0, 0) };
	return err_ok();
}

struct err store_claim_key(struct pg *pg, struct arena *arena,
	const struct store_idempotency *wanted, bool *ret_won, struct store_idempotency *ret_winner)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(wanted->tenant.id), pg_text(wanted->route),
		pg_text(wanted->key), pg_text(wanted->document_hash), pg_id(wanted->job_id) };

	TRY(pg_query(pg, arena, &claim_key, args, 5, &rows));
	*ret_won = pg_count(rows) == 1;
	*ret_winner = *wanted;
	if (*ret_won)
		return err_ok();
	TRY(pg_query(pg, arena, &select_key, args, 3, &rows));
	if (pg_count(rows) != 1)
		return err_retry(ERR_CODE_TRY_AGAIN, "the idempotency key expired just now");
	ret_winner->document_hash = pg_get_text(rows, 0, 0);
	ret_winner->job_id = pg_get_id(rows, 0, 1);
	return err_ok();
}

static struct pg_arg number(int64_t value)
{
	return value == CODEC_NO_INT ? pg_null() : pg_int(value);
}

static struct err push_job(
	struct pg *pg, const struct pg_statement *statement, const struct store_job *job)
{
	const struct pg_arg args[] = { pg_id(job->tenant.id), pg_id(job->job_id) };

	return pg_push(pg, statement, args, 2);
}

static struct err push_purge(
	struct pg *pg, const struct pg_statement *statement, const struct store_job *job)
{
	const struct purge_key key = purge_key_of(job->job_id);
	const struct pg_arg args[] = { pg_id(job->tenant.id), pg_text(key.text) };

	return pg_push(pg, statement, args, 2);
}

struct err store_start(struct pg *pg, const struct store_job *job)
{
	return push_job(pg, &start, job);
}

struct err store_complete(
	struct pg *pg, const struct store_job *job, const struct events_completed *event)
{
	const struct pg_arg args[] = { pg_id(job->tenant.id), pg_id(job->job_id),
		pg_text(event->result_hash), number(event->pages_total), number(event->pages_text),
		number(event->pages_ocr),
		isnan(event->confidence_avg) ? pg_null() : pg_real(event->confidence_avg),
		number(event->processing_ms), pg_time(event->result_expires_at) };

	return pg_push(pg, &complete, args, 9);
}

struct err store_fail(struct pg *pg, const struct store_job *job, const char *error_code,
	int64_t pages_total, int64_t processing_ms)
{
	const struct pg_arg args[] = { pg_id(job->tenant.id), pg_id(job->job_id),
		pg_text(error_code), number(pages_total), number(processing_ms) };

	return pg_push(pg, &fail, args, 5);
}

struct err store_purged(struct pg *pg, const struct store_job *job)
{
	TRY(push_job(pg, &purged, job));
	return push_purge(pg, &confirm_purge, job);
}

struct err store_forget_result(struct pg *pg, const struct store_job *job)
{
	return push_job(pg, &forget_result, job);
}

struct err store_hasten_purge(struct pg *pg, const struct store_job *job, int64_t delay_s)
{
	const struct purge_key key = purge_key_of(job->job_id);
	const struct pg_arg args[] = { pg_id(job->tenant.id), pg_text(key.text), pg_int(delay_s) };

	return pg_push(pg, &hasten_purge, args, 3);
}

struct err store_deliver(struct pg *pg, struct arena *arena, const struct store_job *job,
	const char *api_key_hash, bool *ret_first)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(job->tenant.id), pg_id(job->job_id),
		pg_text(api_key_hash) };

	TRY(pg_query(pg, arena, &deliver, args, 3, &rows));
	*ret_first = pg_count(rows) == 1;
	return err_ok();
}

struct err store_keep_ip(struct pg *pg, struct tenant tenant, struct id event_id, const char *ip)
{
	const struct pg_arg args[] = { pg_id(tenant.id), pg_id(event_id), pg_text(ip) };

	return ip == NULL ? err_ok() : pg_push(pg, &keep_ip, args, 3);
}

struct err store_take_due(
	struct pg *pg, struct arena *arena, struct store_due *ret_due, size_t *ret_count)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &take_due, NULL, 0, &rows));
	*ret_count = pg_count(rows);
	for (size_t i = 0; i < *ret_count; i++)
		ret_due[i] = (struct store_due){ .tenant = { pg_get_id(rows, i, 0) },
			.job_id = pg_get_id(rows, i, 1),
			.attempts = (int)pg_get_int(rows, i, 2) };
	return err_ok();
}

struct err store_postpone(struct pg *pg, const struct store_due *due, int64_t delay_s)
{
	const struct purge_key key = purge_key_of(due->job_id);
	const struct pg_arg args[] = { pg_id(due->tenant.id), pg_text(key.text), pg_int(delay_s) };

	return pg_push(pg, &postpone, args, 3);
}

struct err store_known(struct pg *pg, struct arena *arena, const struct store_due *jobs,
	size_t count, bool *ret_known)
{
	const struct pg_rows *rows;
	struct pg_array *tenants = pg_array_new(arena, PG_KIND_ID, count);
	struct pg_array *ids = pg_array_new(arena, PG_KIND_ID, count);

	if (tenants == NULL || ids == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++) {
		TRY(pg_array_add(tenants, pg_id(jobs[i].tenant.id)));
		TRY(pg_array_add(ids, pg_id(jobs[i].job_id)));
	}
	const struct pg_arg args[] = { pg_list(tenants), pg_list(ids) };
	TRY(pg_query(pg, arena, &known, args, 2, &rows));
	memset(ret_known, 0, count * sizeof *ret_known);
	for (size_t r = 0; r < pg_count(rows); r++)
		ret_known[pg_get_int(rows, r, 0) - 1] = true;
	return err_ok();
}

struct err store_forget_old(struct pg *pg)
{
	TRY(pg_push(pg, &expire_keys, NULL, 0));
	return pg_push(pg, &expire_ips, NULL, 0);
}
