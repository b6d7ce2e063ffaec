#include "api/result.h"

#include <string.h>

#include "api/api.h"
#include "api/api_store.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/sabotage.h"
#include "frame/keyring.h"
#include "frame/metrics.h"
#include "intake.h"
#include "model/rediskey.h"
#include "port/pg.h"
#include "port/redis.h"
#include "port/seal.h"
#include "port/web.h"
#include "port/web_reply.h"

enum {
	SALT_BYTES = 16,
	SEALED_MAX_BYTES = 17 << 20, /* more than Redis is allowed to answer */
	REDIS_TIMEOUT_MS = 5000,
};

struct result {
	struct call call;
	struct id job_id;
	bool is_head; /* nothing is delivered */
	struct buf plain;
	char salt[2 * SALT_BYTES + 1];
};

static struct err parse(struct call *call)
{
	struct result *result = (struct result *)call;

	result->plain = BUF(SEALED_MAX_BYTES);
	result->is_head = str_eq(web_method(call->exchange), STR("HEAD"));
	return call_job_id(call->exchange, &result->job_id);
}

/* What the row alone decides. */
static struct err judge(const struct api_store_result *row)
{
	if (strcmp(row->status, "failed") == 0)
		return err_reject(ERR_CODE_JOB_FAILED, "");
	if (strcmp(row->status, "completed") != 0 || row->result_hash == NULL)
		return err_reject(ERR_CODE_RESULT_NOT_READY, "");
	if (row->deleted)
		return err_reject(ERR_CODE_RESULT_DELETED, "");
	return row->expired ? err_reject(ERR_CODE_RESULT_EXPIRED, "") : err_ok();
}

static struct err lost(const struct call *call)
{
	metrics_add(call->api->metrics.results_lost, NULL, 1);
	return err_reject(ERR_CODE_RESULT_LOST, "");
}

static struct err fetch(
	const struct result *result, const char *hash, struct arena *arena, struct str *ret_sealed)
{
	const struct call *call = &result->call;
	struct redis_reply *reply;
	char key[REDISKEY_BYTES];

	rediskey_result(call->from.who.tenant, result->job_id, hash, key);
	const struct str argv[] = { STR("GET"), str_of(sabotage_text("result_key", key)) };
	const struct redis_command get = { argv, 2, REDIS_TIMEOUT_MS };
	TRY(redis_call(call->api->intake->redis, &get, arena, &reply));
	if (reply->kind == REDIS_NIL)
		return lost(call);
	if (reply->kind != REDIS_TEXT)
		return err_retry(ERR_CODE_REDIS_AWAY, "Redis refused the command");
	*ret_sealed = reply->text;
	return err_ok();
}

static struct err load_key(struct result *result, struct pg *pg, struct arena *arena,
	struct str sealed, struct seal_context *ret_context)
{
	struct call *call = &result->call;
	struct keyring *keyring = call->api->intake->keyring;
	struct keyring_row wanted = { .of = { call->from.who.tenant, 0 } };
	struct seal_context context = { .tenant = wanted.of.tenant, .job = result->job_id };

	TRY(seal_version_of(sealed, &wanted.of.version));
	TRY(api_store_begin(pg, wanted.of.tenant));
	TRY(keyring_find(keyring, pg, arena, &wanted));
	TRY(pg_commit(pg));
	TRY(keyring_unwrap(keyring, arena, &wanted, &context.tenant_key));
	context.key_version = wanted.of.version;
	call_hash_ip(&call->from, context.tenant_key);
	*ret_context = context;
	return err_ok();
}

/* The salt and the body are what result_hash was made of. */
static bool is_intact(const struct result *result, const char *hash)
{
	uint8_t digest[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES];

	if (result->plain.len < SALT_BYTES)
		return false;
	digest_sha256(buf_str(&result->plain), digest);
	encode_hex(digest, sizeof digest, hex);
	return strcmp(hex, hash) == 0;
}

static struct err open_result(struct result *result, struct pg *pg, struct arena *arena,
	struct str sealed, const char *hash)
{
	struct seal_context context;
	struct err e = load_key(result, pg, arena, sealed, &context);

	if (e.kind == ERR_OK)
		e = seal_result_open(&context, sealed, &result->plain);
	if (e.kind == ERR_OK && !is_intact(result, hash))
		e = err_reject(ERR_CODE_UNDECRYPTABLE, "the hash is another");
	if (!err_is(e, ERR_CODE_UNDECRYPTABLE))
		return e;
	LOG(LOG_ERROR, "result.undecryptable", LOG_TEXT("tenant", result->call.from.who.slug),
		LOG_ERR(e));
	return lost(&result->call);
}

static struct err run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct result *result = (struct result *)call;
	const struct tenant tenant = call->from.who.tenant;
	struct arena *large SCOPED(arena_drop) = arena_new(SEALED_MAX_BYTES);
	struct api_store_result row;
	struct str sealed;

	if (large == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a result");
	TRY(api_store_begin(pg, tenant));
	TRY(api_store_result(pg, arena, tenant, result->job_id, &row));
	TRY(pg_commit(pg));
	TRY(judge(&row));
	TRY(fetch(result, row.result_hash, large, &sealed));
	TRY(open_result(result, pg, arena, sealed, row.result_hash));
	encode_hex(result->plain.ptr, SALT_BYTES, result->salt);
	if (result->is_head)
		return err_ok();
	const struct command_caller caller = call_command_caller(&call->from);
	const struct command_env env = call_command_env(call->api, pg, arena);
	return command_deliver(&env, &caller, result->job_id);
}

static void reply(struct call *call)
{
	struct result *result = (struct result *)call;
	const struct web_field headers[] = {
		{ "Content-Type", STR("application/json") },
		{ "Result-Salt", str_of(result->salt) },
		{ NULL, { NULL, 0 } },
	};
	const struct str body = { result->plain.ptr + SALT_BYTES, result->plain.len - SALT_BYTES };

	web_reply_send(call->exchange, 200, headers, body);
}

static void wipe(struct call *call)
{
	struct result *result = (struct result *)call;

	digest_wipe(result->plain.ptr, result->plain.cap);
	buf_done(&result->plain);
}

const struct call_route result_get = {
	.size = sizeof(struct result), .parse = parse, .run = run, .reply = reply, .free = wipe
};
