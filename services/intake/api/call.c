#include "api/call.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/encode.h"
#include "base/log.h"
#include "frame/service.h"
#include "intake.h"
#include "port/seal_key.h"
#include "port/web.h"
#include "port/web_reply.h"

enum { RETRY_AFTER_S = 5 };

/* --- answers --- */

/* Our fault, in a line by which what http.request says of it is found. Loop thread. */
static void log_failed(struct web_exchange *exchange, struct err e)
{
	const struct api_note *note = web_user(exchange);

	LOG(LOG_ERROR, "http.failed", LOG_TEXT("tenant", note == NULL ? "" : note->tenant),
		LOG_TEXT("request_id", web_request_id(exchange).ptr), LOG_ERR(e));
}

void call_refuse_for(struct web_exchange *exchange, struct err e, unsigned seconds)
{
	const char *detail = err_code_class(e.code) == ERR_CLASS_CLIENT ? e.msg : NULL;

	if (e.kind == ERR_FATAL || err_code_status(e.code) == 0)
		log_failed(exchange, e);
	if (err_code_status(e.code) == 503)
		web_reply_retry_after(exchange, seconds);
	web_reply_problem(exchange, e.code, detail);
}

void call_refuse(struct web_exchange *exchange, struct err e)
{
	call_refuse_for(exchange, e, RETRY_AFTER_S);
}

void call_reply_json(struct web_exchange *exchange, int status, const struct web_field *headers,
	const struct buf *body)
{
	struct web_field all[6] = { { "Content-Type", STR("application/json") } };
	struct err e = buf_check(body);
	size_t count = 1;

	for (; headers != NULL && headers->name != NULL && count < sizeof all / sizeof *all - 1;
		headers++)
		all[count++] = *headers;
	if (e.kind != ERR_OK)
		call_refuse(exchange, e);
	else
		web_reply_send(exchange, status, all, buf_str(body));
}

/* --- the caller --- */

void call_hash_ip(struct call_caller *from, const struct seal_key *tenant_key)
{
	const struct str secret = { (const char *)tenant_key->bytes, sizeof tenant_key->bytes };
	struct seal_key key;
	uint8_t mac[DIGEST_BYTES];

	if (from->ip[0] == '\0')
		return;
	digest_hkdf(secret, STR(""), STR("esteira/1|personal|ip"), key.bytes, sizeof key.bytes);
	digest_hmac_sha256(
		(struct str){ (const char *)key.bytes, sizeof key.bytes }, str_of(from->ip), mac);
	encode_hex(mac, sizeof mac, from->ip_hash);
	seal_key_wipe(&key);
}

static const char *or_null(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

struct command_caller call_command_caller(const struct call_caller *from)
{
	return (struct command_caller){
		.tenant = from->who.tenant,
		.slug = from->who.slug,
		.partner = from->who.partner,
		.api_key_hash = from->who.key_hash,
		.traceparent = from->traceparent,
		.ip = or_null(from->ip),
		.ip_hash = or_null(from->ip_hash),
	};
}

struct command_env call_command_env(struct api *api, struct pg *pg, struct arena *arena)
{
	struct service_context *service = api->intake->service;

	return (struct command_env){ pg, arena, service_outbox(service), service_relay(service) };
}

struct err call_job_id(struct web_exchange *exchange, struct id *ret_id)
{
	if (!id_parse(web_param(exchange, "id"), ret_id))
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such job");
	return err_ok();
}

/* --- the way of a request --- */

static void free_call(struct call *call)
{
	if (call->route->free != NULL)
		call->route->free(call);
	free(call);
}

static void on_abort(struct web_exchange *exchange, void *arg)
{
	struct call *call = arg;

	(void)exchange;
	call->exchange = NULL;
	if (!call->asking)
		return;
	front_leave(&call->ask);
	free_call(call);
}

static struct err run(struct pool_job *job, struct pg *pg, struct arena *arena)
{
	struct call *call = (struct call *)job;

	return call->route->run(call, pg, arena);
}

static void done(struct pool_job *job, struct err e)
{
	struct call *call = (struct call *)job;

	api_job_done(call->api);
	if (call->exchange != NULL) {
		web_on_abort(call->exchange, NULL, NULL);
		if (e.kind == ERR_OK)
			call->route->reply(call);
		else
			call_refuse(call->exchange, e);
	}
	free_call(call);
}

static void read_request(struct call *call)
{
	struct web_exchange *exchange = call->exchange;

	api_note_request(call->api, exchange, call->from.traceparent);
	web_client(exchange, call->from.ip);
	call->parsed = call->route->parse == NULL ? err_ok() : call->route->parse(call);
}

/* Maybe inside call_handle. */
static void on_front(struct front_ask *ask, struct err e)
{
	struct call *call = (struct call *)(void *)((char *)ask - offsetof(struct call, ask));
	struct web_exchange *exchange = call->exchange;

	call->asking = false;
	call->from.who = ask->who;
	if (e.kind == ERR_OK)
		e = call->parsed;
	if (e.kind == ERR_OK)
		e = api_submit(call->api, &call->job);
	if (e.kind == ERR_OK)
		return;
	web_on_abort(exchange, NULL, NULL);
	call_refuse(exchange, e);
	free_call(call);
}

void call_handle(struct web_exchange *exchange, void *arg)
{
	const struct front_gate *gate = web_route_of(exchange)->extra;
	const struct call_route *route = gate->call;
	struct call *call = calloc(1, route->size);

	if (call == NULL) {
		web_reply_problem(exchange, ERR_CODE_OUT_OF_MEMORY, NULL);
		return;
	}
	*call = (struct call){ .job = { .run = run, .done = done },
		.api = arg,
		.route = route,
		.exchange = exchange,
		.ask = { .exchange = exchange, .done = on_front },
		.asking = true };
	read_request(call);
	web_on_abort(exchange, on_abort, call);
	front_ask(call->api->guards.front, &call->ask);
}
