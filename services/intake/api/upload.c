#include "api/upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/api_store.h"
#include "api/deposit.h"
#include "api/idempotency.h"
#include "api/pressure.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sabotage.h"
#include "frame/keyring.h"
#include "frame/metrics.h"
#include "frame/relay.h"
#include "frame/service.h"
#include "intake.h"
#include "port/multipart.h"
#include "port/pg.h"
#include "port/s3.h"
#include "port/web.h"
#include "port/web_reply.h"

enum {
	OBJECT_KEY_BYTES = 2 * ID_TEXT_BYTES + 8,
	FRAMING_MAX_BYTES =
		MULTIPART_MAX_PARTS * (MULTIPART_HEADER_MAX_BYTES + MULTIPART_FIELD_MAX_BYTES),
	UPLOADS_MAX = 256, /* at once; each holds a few hundred KiB */
	KAFKA_AWAY_MS = 120000,
	KAFKA_RETRY_AFTER_S = 30,
	PATHS_VALID_S = 60, /* beyond the deadline */
	ANSWER_MAX_BYTES = 1024,
};

/* One upload from the first byte of its body to its answer. */
struct upload {
	struct pool_job job;
	struct api *api;
	struct web_exchange *exchange; /* NULL once aborted */
	struct deposit *deposit;
	struct id job_id;
	struct call_caller from;
	struct command_job made;
	uint32_t key_version; /* of the tenant's key that it is sealed under */
	char idempotency_key[IDEMPOTENCY_KEY_BYTES]; /* "" = none */
	char object_key[OBJECT_KEY_BYTES];
};

/* --- admission --- */

struct admit {
	struct call call;
	char idempotency_key[IDEMPOTENCY_KEY_BYTES];
	struct seal_key tenant_key;
	uint32_t key_version;
};

static struct err check_headers(const struct api *api, const struct web_exchange *exchange)
{
	const struct str type = web_header(exchange, "content-type");
	int64_t length = web_content_length(exchange);
	int64_t most = api->intake->conf->document_max_bytes;

	if (length < 0)
		return err_reject(ERR_CODE_LENGTH_REQUIRED, "");
	if (length > most + (multipart_is(type) ? FRAMING_MAX_BYTES : 0))
		return err_reject(ERR_CODE_DOCUMENT_TOO_LARGE, "");
	return err_ok();
}

void upload_handle(struct web_exchange *exchange, void *arg)
{
	struct err e = check_headers(arg, exchange);

	if (e.kind == ERR_OK)
		call_handle(exchange, arg);
	else
		call_refuse(exchange, e);
}

static struct err admit_parse(struct call *call)
{
	struct admit *admit = (struct admit *)call;
	const struct str header = web_header(call->exchange, "idempotency-key");

	return header.ptr == NULL ? err_ok() : idempotency_read(header, admit->idempotency_key);
}

static struct err admit_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct admit *admit = (struct admit *)call;
	struct keyring *keyring = call->api->intake->keyring;
	struct keyring_row newest = { .of = { call->from.who.tenant, 0 } };
	const struct seal_key *key;

	/* one question: what is sent up to its answer is a transaction without BEGIN and COMMIT */
	TRY(pg_set_tenant(pg, call->from.who.tenant));
	TRY(keyring_find(keyring, pg, arena, &newest));
	TRY(keyring_unwrap(keyring, arena, &newest, &key));
	admit->key_version = newest.of.version;
	admit->tenant_key = *key;
	call_hash_ip(&call->from, key);
	return err_ok();
}

/* What speaks against another document now, apart from the document; *ret_seconds = when to come
 * again. */
static struct err check_load(const struct api *api, int64_t deadline_s, unsigned *ret_seconds)
{
	struct relay_view relay;

	relay_look(service_relay(api->intake->service), &relay);
	if (relay.kafka_away_ms >= KAFKA_AWAY_MS) {
		*ret_seconds = KAFKA_RETRY_AFTER_S;
		return err_retry(ERR_CODE_KAFKA_AWAY, "");
	}
	*ret_seconds = pressure_ask(api->pressure, deadline_s);
	return *ret_seconds == 0 ? err_ok() : err_retry(ERR_CODE_OVERLOADED, "");
}

/* --- the ends of an upload --- */

static void count_running(struct api *api, int64_t n)
{
	api->end.uploads = (size_t)((int64_t)api->end.uploads + n);
	metrics_set(api->metrics.uploads, NULL, (double)api->end.uploads);
}

static void drop(struct upload *upload)
{
	count_running(upload->api, -1);
	deposit_free(upload->deposit);
	free(upload);
}

static void on_abort(struct web_exchange *exchange, void *arg)
{
	(void)exchange;
	drop(arg);
}

static void fail(struct upload *upload, struct err e)
{
	struct web_exchange *exchange = upload->exchange;

	web_on_abort(exchange, NULL, NULL);
	drop(upload);
	call_refuse(exchange, e);
}

static void answer(struct upload *upload)
{
	struct buf body SCOPED(buf_done) = BUF(ANSWER_MAX_BYTES);
	char id[ID_TEXT_BYTES], location[ID_TEXT_BYTES + 16];

	id_format(upload->made.job_id, id);
	snprintf(location, sizeof location, "/v1/jobs/%s", id);
	const struct web_field headers[] = { { "Location", str_of(location) },
		{ NULL, { NULL, 0 } } };
	buf_addf(&body, "{\"job_id\":\"%s\",\"status\":\"%s\",\"document_hash\":\"%s\",", id,
		upload->made.status, upload->made.document_hash);
	buf_addf(&body,
		"\"links\":{\"self\":\"%s\",\"events\":\"%s/events\",\"result\":\"%s/result\",",
		location, location, location);
	buf_addf(&body, "\"audit\":\"/v1/audit?job_id=%s\"}}", id);
	call_reply_json(upload->exchange, 202, headers, &body);
}

/* --- the transaction --- */

static struct err sign_paths(
	const struct upload *upload, struct arena *arena, struct command_upload *command)
{
	const char *const methods[] = { "GET", "HEAD", "DELETE" };
	const char **const paths[] = { &command->get_path, &command->head_path,
		&command->delete_path };
	const char *key = sabotage_text("signed_path", upload->object_key);
	int64_t now_ms = clock_wall_ms(), deadline_s = upload->from.who.deadline_s;

	command->expires_at_ms = now_ms + deadline_s * 1000;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		const struct s3_presign what = { methods[i], key, now_ms,
			deadline_s + PATHS_VALID_S };
		TRY(s3_presign(upload->api->intake->s3, &what, arena, paths[i]));
	}
	return err_ok();
}

/* The connection broke and with it the answer to a commit, perhaps. A row says that it went
 * through; that there is none says nothing, as the old connection's commit may still be on its way.
 */
static struct err look_again(
	struct upload *upload, struct pg *pg, struct arena *arena, struct err lost)
{
	bool has = false;

	pg_rollback(pg);
	struct err e = api_store_begin(pg, upload->from.who.tenant);
	if (e.kind == ERR_OK)
		e = api_store_has(pg, arena, upload->from.who.tenant, upload->job_id, &has);
	if (e.kind == ERR_OK)
		e = pg_commit(pg);
	if (e.kind != ERR_OK || !has)
		return lost;
	upload->made = (struct command_job){ .job_id = upload->job_id,
		.status = "pending",
		.document_hash = deposit_look(upload->deposit).document_hash };
	return err_ok();
}

static struct err make_job(struct upload *upload, struct pg *pg, struct arena *arena)
{
	const struct deposit_view stored = deposit_look(upload->deposit);
	const struct command_caller caller = call_command_caller(&upload->from);
	const struct command_env env = call_command_env(upload->api, pg, arena);
	const char *key = upload->idempotency_key;
	struct command_upload command = {
		.job_id = upload->job_id,
		.idempotency_key = key[0] == '\0' ? NULL : key,
		.document_hash = stored.document_hash,
		.size_bytes = (int64_t)stored.document_bytes,
		.object_bytes = (int64_t)stored.object_bytes,
		.key_half = stored.key_half,
		.key_version = upload->key_version,
	};

	TRY(sign_paths(upload, arena, &command));
	struct err e = command_upload(&env, &caller, &command, &upload->made);
	return err_is(e, ERR_CODE_POSTGRES_AWAY) ? look_again(upload, pg, arena, e) : e;
}

static struct err run(struct pool_job *job, struct pg *pg, struct arena *arena)
{
	struct upload *upload = (struct upload *)job;
	struct err e = make_job(upload, pg, arena);
	bool unknown = err_is(e, ERR_CODE_POSTGRES_AWAY); /* the sweep of orphans knows later */

	if (unknown || (e.kind == ERR_OK && !upload->made.replayed))
		return e;
	struct err deleted = s3_delete(upload->api->intake->s3, upload->object_key);
	if (deleted.kind != ERR_OK) /* the purger finds it: an object without a job */
		LOG(LOG_WARN, "upload.object_left", LOG_TEXT("tenant", upload->from.who.slug),
			LOG_ERR(deleted));
	return e;
}

static void done(struct pool_job *job, struct err e)
{
	struct upload *upload = (struct upload *)job;

	api_job_done(upload->api);
	if (upload->exchange == NULL) {
		drop(upload);
	} else if (e.kind != ERR_OK) {
		fail(upload, e);
	} else {
		web_on_abort(upload->exchange, NULL, NULL);
		answer(upload);
		drop(upload);
	}
}

/* From here on it will be a job, whether the client waits for the answer or not. */
static void on_abort_late(struct web_exchange *exchange, void *arg)
{
	struct upload *upload = arg;

	(void)exchange;
	upload->exchange = NULL;
}

static void on_stored(void *arg, struct err e)
{
	struct upload *upload = arg;

	health_report(service_health(upload->api->intake->service), HEALTH_STORAGE, e, -1);
	if (e.kind != ERR_OK) {
		fail(upload, e);
		return;
	}
	upload->job = (struct pool_job){ .run = run, .done = done };
	e = api_submit(upload->api, &upload->job);
	if (e.kind != ERR_OK)
		fail(upload, e); /* the purger deletes the object: no job has it */
	else
		web_on_abort(upload->exchange, on_abort_late, upload);
}

/* --- the stream --- */

static void on_room(void *arg)
{
	web_resume(((struct upload *)arg)->exchange);
}

static void on_piece(struct web_exchange *exchange, struct str bytes, void *arg)
{
	struct upload *upload = arg;
	bool wait = false;

	metrics_add(upload->api->metrics.upload_bytes, NULL, (int64_t)bytes.len);
	struct err e = deposit_feed(upload->deposit, bytes, &wait);
	if (e.kind != ERR_OK)
		fail(upload, e);
	else if (wait)
		web_pause(exchange);
}

static void on_end(struct web_exchange *exchange, void *arg)
{
	struct upload *upload = arg;
	struct err e = deposit_end(upload->deposit);

	(void)exchange;
	if (e.kind != ERR_OK)
		fail(upload, e);
}

static struct err open_deposit(struct upload *upload, const struct admit *admit)
{
	static const struct deposit_events events = { .done = on_stored, .room = on_room };
	struct api *api = upload->api;
	const struct seal_context seal = { .tenant = upload->from.who.tenant,
		.job = upload->job_id,
		.tenant_key = &admit->tenant_key,
		.key_version = admit->key_version };
	const struct deposit_conf conf = {
		.s3 = api->intake->s3,
		.seal = &seal,
		.object_key = upload->object_key,
		.content_type = web_header(upload->exchange, "content-type"),
		.body_bytes = (uint64_t)web_content_length(upload->exchange),
		.document_max_bytes = (uint64_t)api->intake->conf->document_max_bytes,
		.scratch = &api->scratch,
	};

	return deposit_new(&conf, &events, upload, &upload->deposit);
}

static struct upload *upload_new(const struct call *call)
{
	const struct admit *admit = (const struct admit *)call;
	struct upload *upload = calloc(1, sizeof *upload);
	char tenant[ID_TEXT_BYTES], job[ID_TEXT_BYTES];

	if (upload == NULL)
		return NULL;
	upload->api = call->api;
	upload->exchange = call->exchange;
	upload->from = call->from;
	upload->job_id = id_v7();
	upload->key_version = admit->key_version;
	memcpy(upload->idempotency_key, admit->idempotency_key, sizeof upload->idempotency_key);
	struct id owner = call->from.who.tenant.id;
	sabotage_swap("object_prefix", &owner);
	id_format(owner, tenant);
	id_format(upload->job_id, job);
	snprintf(upload->object_key, sizeof upload->object_key, "%s/%s.enc", tenant, job);
	count_running(call->api, 1);
	return upload;
}

static void admit_reply(struct call *call)
{
	static const struct web_reader reader = { .piece = on_piece, .end = on_end };
	unsigned seconds = 1;
	struct err e = check_load(call->api, call->from.who.deadline_s, &seconds);
	struct upload *upload = NULL;

	if (e.kind == ERR_OK && call->api->end.uploads >= UPLOADS_MAX)
		e = err_retry(ERR_CODE_OVERLOADED, "");
	if (e.kind == ERR_OK) {
		upload = upload_new(call);
		e = upload == NULL ? err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for an upload")
				   : open_deposit(upload, (struct admit *)call);
	}
	if (e.kind == ERR_OK) {
		web_on_abort(call->exchange, on_abort, upload);
		web_read(call->exchange, &reader, upload);
		return;
	}
	if (upload != NULL)
		drop(upload);
	call_refuse_for(call->exchange, e, seconds);
}

static void admit_free(struct call *call)
{
	seal_key_wipe(&((struct admit *)call)->tenant_key);
}

const struct call_route upload_route = { .size = sizeof(struct admit),
	.parse = admit_parse,
	.run = admit_run,
	.reply = admit_reply,
	.free = admit_free };
