#include "api/api_store.h"

#include <math.h>
#include <string.h>

#include "api/cursor.h"
#include "frame/api_keys.h"
#include "port/digest.h"
#include "port/pg.h"

#define JOB_COLUMNS                                                                                \
	"j.job_id, j.status, j.document_hash, j.result_hash, j.size_bytes, j.pages_total,"         \
	" j.pages_text, j.pages_ocr, round(j.confidence_avg::numeric, 2)::float8,"                 \
	" j.processing_ms, j.error_code, j.created_at, j.started_at, j.completed_at,"              \
	" j.expires_at, j.result_expires_at, j.result_deleted_at"
enum { JOB_COLUMNS_COUNT = 17 };

#define PAGE                                                                                       \
	"SELECT " JOB_COLUMNS ", (extract(epoch FROM j.created_at) * 1000000)::bigint"             \
	" FROM intake.jobs j WHERE j.tenant_id = $1 AND (j.created_at, j.job_id)"                  \
	" < ('epoch'::timestamptz + $2::bigint * interval '1 microsecond', $3::uuid)"
#define PAGE_ORDER " ORDER BY j.created_at DESC, j.job_id DESC LIMIT $4::int"

static const struct pg_statement lookup = { "api_lookup",
	"SELECT k.tenant_id, k.slug, k.partner, k.tenant_state, k.deadline_s,"
	" array_to_string(k.scopes, ','), k.key_id, k.extract_per_min, k.status_per_min,"
	" k.default_per_min, k.lineage FROM intake.key_lookup($1::bytea) k" };
static const struct pg_statement select_job = { "api_job",
	"SELECT " JOB_COLUMNS " FROM intake.jobs j WHERE j.tenant_id = $1 AND j.job_id = $2" };
static const struct pg_statement select_has = { "api_has",
	"SELECT 1 FROM intake.jobs WHERE tenant_id = $1 AND job_id = $2" };
static const struct pg_statement select_list = { "api_list", PAGE PAGE_ORDER };
static const struct pg_statement select_list_of = { "api_list_of",
	PAGE " AND j.status = $5::text" PAGE_ORDER };
static const struct pg_statement select_result = { "api_result",
	"SELECT status, document_hash, result_hash, result_deleted_at IS NOT NULL,"
	" coalesce(result_expires_at <= now(), false)"
	" FROM intake.jobs WHERE tenant_id = $1 AND job_id = $2" };
static const struct pg_statement select_trail = { "api_trail",
	"SELECT action, document_hash, result_hash, metadata::text, occurred_at"
	" FROM audit.v1_entries WHERE tenant_id = $1 AND job_id = $2"
	" ORDER BY occurred_at, array_position(ARRAY['RECEIVED', 'PROCESSING', 'COMPLETED',"
	" 'FAILED', 'PURGED', 'DELIVERED'], action::text), event_id LIMIT $3::int" };
static const struct pg_statement select_ended = { "api_ended",
	"SELECT " JOB_COLUMNS ", j.tenant_id"
	" FROM unnest($1::uuid[], $2::uuid[]) AS r (tenant_id, job_id)"
	" JOIN intake.jobs j ON j.tenant_id = r.tenant_id AND j.job_id = r.job_id"
	" WHERE j.status IN ('completed', 'failed')" };
/* A pending job that younger ones have passed is in trouble of its own and says nothing about the
 * others: how long the queue is shows in those behind the youngest that has ended. */
static const struct pg_statement select_load = { "api_load",
	"WITH ended AS (SELECT count(*) AS n, max(created_at) AS youngest FROM intake.jobs"
	" WHERE completed_at > now() - interval '60 seconds')"
	" SELECT coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE"
	" created_at > coalesce(ended.youngest, '-infinity'))), 0)::float8, count(*),"
	" (SELECT n FROM ended) FROM intake.jobs, ended WHERE status = 'pending'" };
static const struct pg_statement select_cursor_key = { "api_cursor_key",
	"SELECT key FROM intake.cursor_key" };
static const struct pg_statement ping = { "api_ping", "SELECT 1" };

struct err api_store_lookup(
	struct pg *pg, struct arena *arena, const uint8_t *hash, struct api_store_key *ret_key)
{
	const struct pg_arg arg = pg_bytes((struct str){ (const char *)hash, DIGEST_BYTES });
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &lookup, &arg, 1, &rows));
	*ret_key = (struct api_store_key){ .found = pg_count(rows) > 0 };
	if (ret_key->found)
		*ret_key = (struct api_store_key){
			.found = true,
			.tenant = { pg_get_id(rows, 0, 0) },
			.slug = pg_get_text(rows, 0, 1),
			.partner = pg_get_text(rows, 0, 2),
			.tenant_state = pg_get_text(rows, 0, 3),
			.deadline_s = pg_get_int(rows, 0, 4),
			.scopes = api_keys_scopes_of(str_of(pg_get_text(rows, 0, 5))),
			.key_id = pg_get_text(rows, 0, 6),
			.extract_per_min = pg_get_int(rows, 0, 7),
			.status_per_min = pg_get_int(rows, 0, 8),
			.default_per_min = pg_get_int(rows, 0, 9),
			.lineage = pg_get_text(rows, 0, 10),
		};
	return err_ok();
}

struct err api_store_begin(struct pg *pg, struct tenant tenant)
{
	TRY(pg_begin(pg));
	return pg_set_tenant(pg, tenant);
}

/* --- jobs --- */

static int64_t int_or_none(const struct pg_rows *rows, size_t row, int column)
{
	return pg_is_null(rows, row, column) ? CODEC_NO_INT : pg_get_int(rows, row, column);
}

static int64_t time_or_none(const struct pg_rows *rows, size_t row, int column)
{
	return pg_is_null(rows, row, column) ? CODEC_NO_INT : pg_get_time(rows, row, column);
}

static struct jobs_view job_of(const struct pg_rows *rows, size_t row)
{
	return (struct jobs_view){
		.job_id = pg_get_id(rows, row, 0),
		.status = pg_get_text(rows, row, 1),
		.hashes = { pg_get_text(rows, row, 2), pg_get_text(rows, row, 3) },
		.size_bytes = pg_get_int(rows, row, 4),
		.pages = { int_or_none(rows, row, 5), int_or_none(rows, row, 6),
			int_or_none(rows, row, 7) },
		.confidence_avg =
			pg_is_null(rows, row, 8) ? (double)NAN : pg_get_real(rows, row, 8),
		.processing_ms = int_or_none(rows, row, 9),
		.error_code = pg_get_text(rows, row, 10),
		.times = { time_or_none(rows, row, 11), time_or_none(rows, row, 12),
			time_or_none(rows, row, 13), time_or_none(rows, row, 14),
			time_or_none(rows, row, 15), time_or_none(rows, row, 16) },
	};
}

static struct err no_such_job(void)
{
	return err_reject(ERR_CODE_NOT_FOUND, "there is no such job");
}

struct err api_store_job(struct pg *pg, struct arena *arena, struct tenant tenant, struct id job_id,
	struct jobs_view *ret_job)
{
	const struct pg_arg args[] = { pg_id(tenant.id), pg_id(job_id) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_job, args, 2, &rows));
	if (pg_count(rows) == 0)
		return no_such_job();
	*ret_job = job_of(rows, 0);
	return err_ok();
}

struct err api_store_has(
	struct pg *pg, struct arena *arena, struct tenant tenant, struct id job_id, bool *ret_has)
{
	const struct pg_arg args[] = { pg_id(tenant.id), pg_id(job_id) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_has, args, 2, &rows));
	*ret_has = pg_count(rows) > 0;
	return err_ok();
}

struct err api_store_list(struct pg *pg, struct arena *arena, const struct api_store_page *page,
	struct api_store_list *ret_list)
{
	const struct pg_arg args[] = { pg_id(page->tenant.id), pg_int(page->after.created_us),
		pg_id(page->after.job_id), pg_int(page->limit), pg_text(page->status) };
	const struct pg_rows *rows;

	if (page->status == NULL)
		TRY(pg_query(pg, arena, &select_list, args, 4, &rows));
	else
		TRY(pg_query(pg, arena, &select_list_of, args, 5, &rows));
	struct api_store_list list = { .count = pg_count(rows) };
	list.jobs = arena_alloc(arena, (list.count + 1) * sizeof *list.jobs);
	list.created_us = arena_alloc(arena, (list.count + 1) * sizeof *list.created_us);
	if (list.jobs == NULL || list.created_us == NULL)
		return arena_overflow();
	for (size_t i = 0; i < list.count; i++) {
		list.jobs[i] = job_of(rows, i);
		list.created_us[i] = pg_get_int(rows, i, JOB_COLUMNS_COUNT);
	}
	*ret_list = list;
	return err_ok();
}

/* --- results and trails --- */

struct err api_store_result(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct id job_id, struct api_store_result *ret_result)
{
	const struct pg_arg args[] = { pg_id(tenant.id), pg_id(job_id) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_result, args, 2, &rows));
	if (pg_count(rows) == 0)
		return no_such_job();
	*ret_result = (struct api_store_result){
		.status = pg_get_text(rows, 0, 0),
		.document_hash = pg_get_text(rows, 0, 1),
		.result_hash = pg_get_text(rows, 0, 2),
		.deleted = pg_get_int(rows, 0, 3) != 0,
		.expired = pg_get_int(rows, 0, 4) != 0,
	};
	return err_ok();
}

struct err api_store_trail(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct id job_id, struct api_store_trail *ret_trail)
{
	const struct pg_arg args[] = { pg_id(tenant.id), pg_id(job_id),
		pg_int(API_STORE_TRAIL_MAX) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_trail, args, 3, &rows));
	size_t count = pg_count(rows);
	struct api_store_entry *entries = arena_alloc(arena, (count + 1) * sizeof *entries);
	if (entries == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct api_store_entry){
			.action = pg_get_text(rows, i, 0),
			.document_hash = pg_get_text(rows, i, 1),
			.result_hash = pg_get_text(rows, i, 2),
			.metadata = pg_get_text(rows, i, 3),
			.occurred_at = pg_get_time(rows, i, 4),
		};
	*ret_trail = (struct api_store_trail){ entries, count };
	return err_ok();
}

/* --- over all tenants --- */

struct err api_store_ended(struct pg *pg, struct arena *arena,
	const struct api_store_watched *watched, struct api_store_news *ret_news)
{
	struct pg_array *tenants = pg_array_new(arena, PG_KIND_ID, watched->count);
	struct pg_array *jobs = pg_array_new(arena, PG_KIND_ID, watched->count);
	const struct pg_rows *rows;

	if (tenants == NULL || jobs == NULL)
		return arena_overflow();
	for (size_t i = 0; i < watched->count; i++) {
		TRY(pg_array_add(tenants, pg_id(watched->refs[i].tenant.id)));
		TRY(pg_array_add(jobs, pg_id(watched->refs[i].job_id)));
	}
	const struct pg_arg args[] = { pg_list(tenants), pg_list(jobs) };
	TRY(pg_query(pg, arena, &select_ended, args, 2, &rows));
	size_t found = pg_count(rows);
	struct api_store_ended *ended = arena_alloc(arena, (found + 1) * sizeof *ended);
	if (ended == NULL)
		return arena_overflow();
	for (size_t i = 0; i < found; i++)
		ended[i] = (struct api_store_ended){ { pg_get_id(rows, i, JOB_COLUMNS_COUNT) },
			job_of(rows, i) };
	*ret_news = (struct api_store_news){ ended, found };
	return err_ok();
}

struct err api_store_load(struct pg *pg, struct arena *arena, struct api_store_load *ret_load)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_load, NULL, 0, &rows));
	*ret_load = (struct api_store_load){ pg_get_real(rows, 0, 0), pg_get_int(rows, 0, 1),
		pg_get_int(rows, 0, 2) };
	return err_ok();
}

struct err api_store_ping(struct pg *pg, struct arena *arena)
{
	const struct pg_rows *rows;

	return pg_query(pg, arena, &ping, NULL, 0, &rows);
}

struct err api_store_cursor_key(struct pg *pg, struct arena *arena, uint8_t *ret_key)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_cursor_key, NULL, 0, &rows));
	struct str key = pg_count(rows) == 1 ? pg_get_bytes(rows, 0, 0) : STR("");
	if (key.len != CURSOR_KEY_BYTES)
		return err_fatal(ERR_CODE_INTERNAL, "the key of cursors is missing");
	memcpy(ret_key, key.ptr, key.len);
	return err_ok();
}
