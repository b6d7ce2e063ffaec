#include "tenant/forget.h"

#include "base/clock.h"
#include "frame/operation.h"
#include "frame/relay.h"
#include "frame/service.h"
#include "intake.h"
#include "job/command.h"
#include "job/progress.h"
#include "job/purge.h"
#include "model/rediskey.h"
#include "port/pg.h"
#include "port/redis.h"
#include "port/s3.h"
#include "tenant/events.h"
#include "tenant/store.h"

enum { LIST_MAX = 500, SCAN_COUNT = 1000, REDIS_MS = 5000, CURSOR_BYTES = 32 };

static struct err begin(const struct erase_call *call)
{
	arena_reset(call->arena);
	TRY(pg_begin(call->pg));
	return pg_set_tenant(call->pg, call->tenant);
}

/* --- jobs --- */

/* As if the tenant had deleted it. */
static struct err end_job(const struct erase_call *call, const char *slug, struct id job_id)
{
	const struct intake *intake = call->state;
	const struct command_env env = { call->pg, call->arena, service_outbox(intake->service),
		service_relay(intake->service) };
	const struct command_caller caller = { .tenant = call->tenant, .slug = slug };
	struct command_deleted deleted;

	TRY(command_delete(&env, &caller, job_id, &deleted));
	if (!deleted.had_result)
		return progress_end(intake->redis, call->tenant, job_id, call->arena);
	return progress_drop_result(
		intake->redis, call->tenant, job_id, deleted.result_hash, call->arena);
}

/* *ret_none: there is none left to end. */
static struct err end_jobs(const struct erase_call *call, bool *ret_none)
{
	struct tenant_store_jobs jobs;
	char slug[64];

	TRY(begin(call));
	TRY(tenant_store_open_jobs(call->pg, call->arena, call->tenant, &jobs));
	TRY(pg_commit(call->pg));
	snprintf(slug, sizeof slug, "%s", jobs.slug);
	for (size_t i = 0; i < jobs.count; i++) {
		arena_reset(call->arena);
		TRY(end_job(call, slug, jobs.ids[i]));
	}
	*ret_none = jobs.count == 0;
	return err_ok();
}

/* The purger deletes the documents and says so in the trail. *ret_gone: it has. */
static struct err purge(const struct erase_call *call, bool *ret_gone)
{
	const struct intake *intake = call->state;
	int64_t left = 0;

	TRY(begin(call));
	TRY(tenant_store_hasten(call->pg, call->arena, call->tenant, &left));
	TRY(pg_commit(call->pg));
	*ret_gone = left == 0;
	if (left > 0)
		purge_wake(intake->purge);
	return err_ok();
}

/* --- what no row knows of --- */

static struct err sweep_bucket(const struct erase_call *call)
{
	const struct intake *intake = call->state;
	char prefix[ID_TEXT_BYTES + 1];
	struct s3_page page;

	id_format(call->tenant.id, prefix);
	prefix[ID_TEXT_BYTES - 1] = '/';
	prefix[ID_TEXT_BYTES] = '\0';
	const struct s3_list list = { .prefix = prefix, .max = LIST_MAX };
	do {
		arena_reset(call->arena);
		TRY(s3_list(intake->s3, &list, call->arena, &page));
		for (size_t i = 0; i < page.count; i++)
			TRY(s3_delete(intake->s3, page.objects[i].key));
	} while (page.next != NULL); /* from the beginning: what was there is gone */
	return err_ok();
}

static struct err ask_redis(const struct erase_call *call, const struct str *argv, size_t argc,
	struct redis_reply **ret_reply)
{
	const struct intake *intake = call->state;
	const struct redis_command command = { argv, argc, REDIS_MS };

	TRY(redis_call(intake->redis, &command, call->arena, ret_reply));
	return (*ret_reply)->kind == REDIS_ERROR
		       ? err_retry(ERR_CODE_REDIS_AWAY, "Redis refused the command")
		       : err_ok();
}

static struct err delete_found(const struct erase_call *call, const struct redis_reply *found)
{
	struct str *argv = arena_alloc(call->arena, (found->count + 1) * sizeof *argv);
	struct redis_reply *reply;

	if (argv == NULL)
		return arena_overflow();
	argv[0] = STR("DEL");
	for (size_t i = 0; i < found->count; i++)
		argv[i + 1] = found->items[i].text;
	return found->count == 0 ? err_ok() : ask_redis(call, argv, found->count + 1, &reply);
}

static struct err sweep_redis(const struct erase_call *call)
{
	char pattern[REDISKEY_BYTES], count[16], cursor[CURSOR_BYTES] = "0";
	struct redis_reply *reply;

	rediskey_all_of(call->tenant, pattern);
	snprintf(count, sizeof count, "%d", SCAN_COUNT);
	do {
		const struct str argv[] = { STR("SCAN"), str_of(cursor), STR("MATCH"),
			str_of(pattern), STR("COUNT"), str_of(count) };
		arena_reset(call->arena);
		TRY(ask_redis(call, argv, sizeof argv / sizeof *argv, &reply));
		if (reply->kind != REDIS_ARRAY || reply->count != 2 ||
			reply->items[1].kind != REDIS_ARRAY ||
			reply->items[0].text.len >= sizeof cursor)
			return err_retry(ERR_CODE_REDIS_AWAY, "Redis answered something else");
		TRY(delete_found(call, &reply->items[1]));
		snprintf(cursor, sizeof cursor, "%.*s", (int)reply->items[0].text.len,
			reply->items[0].text.ptr);
	} while (cursor[0] != '0' || cursor[1] != '\0');
	return err_ok();
}

/* --- before the rows --- */

static struct err before(const struct erase_call *call, bool *ret_ready)
{
	const struct intake *intake = call->state;
	bool no_job = false, gone = false;

	*ret_ready = false;
	keyring_forget(intake->keyring, call->tenant);
	TRY(end_jobs(call, &no_job));
	TRY(purge(call, &gone));
	if (!no_job || !gone)
		return err_ok();
	TRY(sweep_bucket(call));
	TRY(sweep_redis(call));
	*ret_ready = true;
	return err_ok();
}

/* --- the end --- */

/* Ids follow from the tenant, who ends once. */
static struct id id_of(struct tenant tenant, const char *what)
{
	char text[ID_TEXT_BYTES];

	id_format(tenant.id, text);
	const struct str parts[] = { str_of(text), str_of(what) };
	return outbox_id(parts, 2);
}

static struct err announce(const struct erase_call *call, struct outbox *outbox, const char *slug,
	const struct tenant_store_proof *proof)
{
	const struct tenant_end end = { proof->rows, proof->hash, clock_wall_ms() };
	const struct operation operation = { .id = id_of(call->tenant, "tenant.erased"),
		.tenant = call->tenant,
		.actor = "esteira-intake",
		.action = "tenant.erased",
		.object = arena_printf(call->arena, "tenant %s", slug),
		.reason = arena_printf(call->arena, "rows: %s; sha256 of the counts: %s",
			proof->text, proof->hash),
		.occurred_at = end.occurred_at,
		.count = proof->rows };
	const struct outbox_event event = { .topic = TOPIC_INTAKE_EVENTS,
		.id = id_of(call->tenant, tenant_erased.name),
		.type = &tenant_erased,
		.payload = &end,
		.tenant = call->tenant,
		.sink = CODEC_TO_TOPIC };

	if (operation.object == NULL || operation.reason == NULL)
		return arena_overflow();
	TRY(operation_emit(outbox, &operation));
	return outbox_emit(outbox, &event);
}

static struct err finish(const struct erase_call *call, const struct tenant_store_proof *proof)
{
	const struct intake *intake = call->state;
	struct outbox *outbox = outbox_new(call->arena, service_outbox(intake->service));
	const char *slug;

	if (outbox == NULL)
		return arena_overflow();
	TRY(tenant_store_end(call->pg, call->arena, &slug));
	if (slug != NULL)
		TRY(announce(call, outbox, slug, proof));
	TRY(outbox_flush(outbox, call->pg));
	TRY(pg_commit(call->pg));
	relay_wake(service_relay(intake->service));
	return err_ok();
}

/* Nobody works for the tenant any more: what somebody stored until a moment ago goes now. */
static struct err after(const struct erase_call *call)
{
	struct tenant_store_proof proof;

	TRY(begin(call));
	TRY(tenant_store_proof(call->pg, call->arena, call->tenant, &proof));
	TRY(pg_commit(call->pg));
	if (!proof.complete)
		return err_ok();
	TRY(sweep_bucket(call));
	TRY(sweep_redis(call));
	TRY(begin(call));
	TRY(tenant_store_proof(call->pg, call->arena, call->tenant, &proof));
	return finish(call, &proof);
}

const struct erase_plan tenant_forget = {
	.first = tenant_first,
	.steps = tenant_steps,
	.before = before,
	.after = after,
};
