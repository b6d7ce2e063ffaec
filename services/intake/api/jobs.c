#include "api/jobs.h"

#include <string.h>

#include "api/api.h"
#include "api/api_store.h"
#include "api/query.h"
#include "intake.h"
#include "job/progress.h"
#include "job/purge.h"
#include "port/pg.h"
#include "port/web.h"
#include "port/web_reply.h"

enum { HASH_MAX = 64, WORD_MAX = 32, LIST_MAX_BYTES = QUERY_LIMIT_MAX * JOBS_JSON_MAX_BYTES };

#define FIELD(name, member, kind, required, max)                                                   \
	{                                                                                          \
		(name), (kind), CODEC_PLAIN, (required), offsetof(struct jobs_view, member),       \
			(max), NULL                                                                \
	}

static const struct codec_field fields[] = {
	FIELD("job_id", job_id, CODEC_ID, true, 0),
	FIELD("status", status, CODEC_TEXT, true, WORD_MAX),
	FIELD("document_hash", hashes.document, CODEC_TEXT, true, HASH_MAX),
	FIELD("result_hash", hashes.result, CODEC_TEXT, false, HASH_MAX),
	FIELD("size_bytes", size_bytes, CODEC_INT, true, 0),
	FIELD("pages_total", pages.total, CODEC_INT, false, 0),
	FIELD("pages_text", pages.text, CODEC_INT, false, 0),
	FIELD("pages_ocr", pages.ocr, CODEC_INT, false, 0),
	FIELD("confidence_avg", confidence_avg, CODEC_REAL, false, 0),
	FIELD("processing_ms", processing_ms, CODEC_INT, false, 0),
	FIELD("error_code", error_code, CODEC_TEXT, false, WORD_MAX),
	FIELD("created_at", times.created_at, CODEC_TIME, true, 0),
	FIELD("started_at", times.started_at, CODEC_TIME, false, 0),
	FIELD("completed_at", times.completed_at, CODEC_TIME, false, 0),
	FIELD("expires_at", times.expires_at, CODEC_TIME, true, 0),
	FIELD("result_expires_at", times.result_expires_at, CODEC_TIME, false, 0),
	FIELD("result_deleted_at", times.result_deleted_at, CODEC_TIME, false, 0),
	CODEC_END,
};

static const struct codec_type view_type = { "job", sizeof(struct jobs_view), fields };

struct err jobs_write(const struct jobs_view *job, struct buf *out)
{
	return codec_write(&view_type, job, CODEC_TO_CLIENT, out);
}

bool jobs_is_final(const char *status)
{
	return strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0;
}

/* --- GET /v1/jobs/{id} --- */

struct get {
	struct call call;
	struct id job_id;
	struct buf body;
};

static struct err get_parse(struct call *call)
{
	struct get *get = (struct get *)call;

	get->body = BUF(JOBS_JSON_MAX_BYTES);
	return call_job_id(call->exchange, &get->job_id);
}

static struct err get_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct get *get = (struct get *)call;
	const struct tenant tenant = call->from.who.tenant;
	struct jobs_view job;

	TRY(api_store_begin(pg, tenant));
	TRY(api_store_job(pg, arena, tenant, get->job_id, &job));
	TRY(pg_commit(pg));
	return jobs_write(&job, &get->body);
}

static void get_reply(struct call *call)
{
	call_reply_json(call->exchange, 200, NULL, &((struct get *)call)->body);
}

static void get_free(struct call *call)
{
	buf_done(&((struct get *)call)->body);
}

const struct call_route jobs_get = { .size = sizeof(struct get),
	.parse = get_parse,
	.run = get_run,
	.reply = get_reply,
	.free = get_free };

/* --- GET /v1/jobs --- */

struct list {
	struct query_page page;
	char status[WORD_MAX]; /* "" = any */
};

static struct err list_parse(struct call *call)
{
	static const char *const statuses[] = { "pending", "processing", "completed", "failed",
		NULL };
	struct list *list = (struct list *)call;

	TRY(query_page_begin(&list->page, "/v1/jobs", LIST_MAX_BYTES));
	if (!query_word(call->exchange, "status", statuses, list->status, sizeof list->status))
		return err_reject(ERR_CODE_BAD_PARAMETER, "status is not a status of jobs");
	query_page_filter(&list->page, "status", list->status);
	return query_page_cursor(&list->page);
}

/* One row more than asked for says whether there is a next page. */
static struct err write_list(struct list *list, const struct api_store_list *rows)
{
	size_t count = rows->count > list->page.limit ? list->page.limit : rows->count;

	buf_add_str(&list->page.body, STR("{\"items\":["));
	for (size_t i = 0; i < count; i++) {
		buf_add_str(&list->page.body, i == 0 ? STR("") : STR(","));
		TRY(jobs_write(&rows->jobs[i], &list->page.body));
	}
	buf_add_str(&list->page.body, STR("]"));
	if (rows->count > count)
		query_page_next(&list->page, &(struct cursor){ rows->created_us[count - 1],
						     rows->jobs[count - 1].job_id });
	buf_add_str(&list->page.body, STR("}"));
	return buf_check(&list->page.link);
}

static struct err list_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct list *list = (struct list *)call;
	struct api_store_page page = { .tenant = call->from.who.tenant,
		.status = list->status[0] == '\0' ? NULL : list->status,
		.limit = (int64_t)list->page.limit + 1 };
	struct api_store_list rows;

	TRY(query_page_after(&list->page, &page.after));
	TRY(api_store_begin(pg, page.tenant));
	TRY(api_store_list(pg, arena, &page, &rows));
	TRY(pg_commit(pg));
	return write_list(list, &rows);
}

const struct call_route jobs_list = { .size = sizeof(struct list),
	.parse = list_parse,
	.run = list_run,
	.reply = query_page_reply,
	.free = query_page_free };

/* --- DELETE /v1/jobs/{id} --- */

struct delete
{
	struct call call;
	struct id job_id;
};

static struct err delete_parse(struct call *call)
{
	return call_job_id(call->exchange, &((struct delete *)call)->job_id);
}

/* Redis away while there is something to delete there: the row says deleted already, but only a
 * repeated request deletes the ciphertext before its 15 minutes are over; so the caller is told to
 * come again. */
static struct err delete_run(struct call *call, struct pg *pg, struct arena *arena)
{
	const struct id job_id = ((struct delete *)call)->job_id;
	const struct command_caller caller = call_command_caller(&call->from);
	const struct command_env env = call_command_env(call->api, pg, arena);
	struct redis *redis = call->api->intake->redis;
	struct command_deleted deleted;

	TRY(command_delete(&env, &caller, job_id, &deleted));
	if (deleted.had_result && deleted.result_hash != NULL)
		return progress_drop_result(
			redis, caller.tenant, job_id, deleted.result_hash, arena);
	/* tells open event streams; without it they see the row within a second */
	struct err e = progress_end(redis, caller.tenant, job_id, arena);
	(void)e;
	return err_ok();
}

static void delete_reply(struct call *call)
{
	purge_wake(call->api->intake->purge);
	web_reply_send(call->exchange, 204, NULL, STR(""));
}

const struct call_route jobs_delete = { .size = sizeof(struct delete),
	.parse = delete_parse,
	.run = delete_run,
	.reply = delete_reply };
