#include "api/webhooks.h"

#include <stdio.h>

#include "api/api.h"
#include "api/api_store.h"
#include "intake.h"
#include "model/slice.h"
#include "port/digest.h"
#include "port/pg.h"
#include "port/web.h"
#include "port/web_reply.h"
#include "webhook/view.h"

enum { LIST_MAX_BYTES = WEBHOOK_ENDPOINTS_MAX * VIEW_ENDPOINT_MAX_BYTES };

/* One for all routes of this file; each uses its part. */
struct request {
	struct call call;
	struct id id;
	struct wish wish;
	struct webhooks_why why;
	struct buf body;
	char location[64];
};

/* --- what requests have in common --- */

struct err webhooks_id(struct web_exchange *exchange, const char *name, struct id *ret_id)
{
	if (!id_parse(web_param(exchange, name), ret_id) || id_is_nil(*ret_id))
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such webhook");
	return err_ok();
}

struct err webhooks_check_bare(const struct web_exchange *exchange)
{
	const struct str body = slice_trim(web_body(exchange));
	bool empty = body.len == 0;

	if (!empty && body.len >= 2 && body.ptr[0] == '{' && body.ptr[body.len - 1] == '}')
		empty = slice_trim((struct str){ body.ptr + 1, body.len - 2 }).len == 0;
	return empty ? err_ok()
		     : err_reject(ERR_CODE_BAD_PARAMETER, "this takes no body, or an empty object");
}

struct err webhooks_keep(struct err e, struct webhooks_why *why)
{
	if (e.kind == ERR_OK)
		return e;
	snprintf(why->text, sizeof why->text, "%s", e.msg);
	e.msg = why->text;
	return e;
}

struct webhook_request webhooks_request(
	const struct call *call, const struct command_env *env, const struct command_caller *caller)
{
	return (struct webhook_request){ env, caller, call->api->intake->keyring };
}

static struct err parse_id(struct call *call)
{
	struct request *request = (struct request *)call;

	request->body = BUF(VIEW_ENDPOINT_MAX_BYTES);
	return webhooks_id(call->exchange, "id", &request->id);
}

static struct err parse_bare(struct call *call)
{
	TRY(parse_id(call));
	return webhooks_check_bare(call->exchange);
}

static struct err parse_wish(struct request *request)
{
	struct web_exchange *exchange = request->call.exchange;
	struct arena *arena = web_arena(exchange);

	if (arena == NULL)
		return err_retry(ERR_CODE_OVERLOADED, "");
	return webhooks_keep(wish_read(web_body(exchange), arena, &request->wish), &request->why);
}

static void reply_json(struct call *call)
{
	call_reply_json(call->exchange, 200, NULL, &((struct request *)call)->body);
}

/* There may be a secret in it. */
static void free_request(struct call *call)
{
	struct request *request = (struct request *)call;

	if (request->body.ptr != NULL)
		digest_wipe(request->body.ptr, request->body.len);
	buf_done(&request->body);
}

static struct err write_made(struct request *request, struct webhook_made *made)
{
	struct err e = view_endpoint(&made->endpoint, made->secret, &request->body);

	digest_wipe(made->secret, sizeof made->secret);
	return e;
}

/* --- POST /v1/webhooks --- */

static struct err create_parse(struct call *call)
{
	struct request *request = (struct request *)call;

	request->body = BUF(VIEW_ENDPOINT_MAX_BYTES);
	TRY(parse_wish(request));
	return request->wish.has_url ? err_ok()
				     : err_reject(ERR_CODE_BAD_PARAMETER, "url is missing");
}

static struct err create_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct request *request = (struct request *)call;
	const struct command_env env = call_command_env(call->api, pg, arena);
	const struct command_caller caller = call_command_caller(&call->from);
	const struct webhook_request asked = webhooks_request(call, &env, &caller);
	struct webhook_made made;

	TRY(webhook_create(&asked, &request->wish, &made));
	request->id = made.endpoint.id;
	return write_made(request, &made);
}

static void create_reply(struct call *call)
{
	struct request *request = (struct request *)call;
	char id[ID_TEXT_BYTES];

	id_format(request->id, id);
	snprintf(request->location, sizeof request->location, "/v1/webhooks/%s", id);
	const struct web_field headers[] = { { "Location", str_of(request->location) },
		{ NULL, { NULL, 0 } } };
	call_reply_json(call->exchange, 201, headers, &request->body);
}

const struct call_route webhooks_create = { .size = sizeof(struct request),
	.parse = create_parse,
	.run = create_run,
	.reply = create_reply,
	.free = free_request };

/* --- GET /v1/webhooks --- */

static struct err list_parse(struct call *call)
{
	((struct request *)call)->body = BUF(LIST_MAX_BYTES);
	return err_ok();
}

static struct err list_run(struct call *call, struct pg *pg, struct arena *arena)
{
	const struct tenant tenant = call->from.who.tenant;
	struct webhook_endpoints endpoints;

	TRY(api_store_begin(pg, tenant));
	TRY(webhook_store_list(pg, arena, tenant, &endpoints));
	TRY(pg_commit(pg));
	return view_endpoints(&endpoints, &((struct request *)call)->body);
}

const struct call_route webhooks_list = { .size = sizeof(struct request),
	.parse = list_parse,
	.run = list_run,
	.reply = reply_json,
	.free = free_request };

/* --- GET /v1/webhooks/{id} --- */

static struct err get_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct request *request = (struct request *)call;
	const struct webhook_ref ref = { call->from.who.tenant, request->id };
	struct webhook_endpoint endpoint;

	TRY(api_store_begin(pg, ref.tenant));
	TRY(webhook_store_get(pg, arena, &ref, &endpoint));
	TRY(pg_commit(pg));
	return view_endpoint(&endpoint, NULL, &request->body);
}

const struct call_route webhooks_get = { .size = sizeof(struct request),
	.parse = parse_id,
	.run = get_run,
	.reply = reply_json,
	.free = free_request };

/* --- PATCH /v1/webhooks/{id} --- */

static struct err change_parse(struct call *call)
{
	TRY(parse_id(call));
	return parse_wish((struct request *)call);
}

static struct err change_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct request *request = (struct request *)call;
	const struct command_env env = call_command_env(call->api, pg, arena);
	const struct command_caller caller = call_command_caller(&call->from);
	const struct webhook_request asked = webhooks_request(call, &env, &caller);
	struct webhook_endpoint endpoint;

	TRY(webhook_change(&asked, request->id, &request->wish, &endpoint));
	return view_endpoint(&endpoint, NULL, &request->body);
}

const struct call_route webhooks_change = { .size = sizeof(struct request),
	.parse = change_parse,
	.run = change_run,
	.reply = reply_json,
	.free = free_request };

/* --- DELETE /v1/webhooks/{id} --- */

static struct err delete_run(struct call *call, struct pg *pg, struct arena *arena)
{
	const struct command_env env = call_command_env(call->api, pg, arena);
	const struct command_caller caller = call_command_caller(&call->from);
	const struct webhook_request asked = webhooks_request(call, &env, &caller);

	return webhook_remove(&asked, ((struct request *)call)->id);
}

static void delete_reply(struct call *call)
{
	web_reply_send(call->exchange, 204, NULL, STR(""));
}

const struct call_route webhooks_delete = { .size = sizeof(struct request),
	.parse = parse_bare,
	.run = delete_run,
	.reply = delete_reply,
	.free = free_request };

/* --- POST /v1/webhooks/{id}/rotate --- */

static struct err rotate_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct request *request = (struct request *)call;
	const struct command_env env = call_command_env(call->api, pg, arena);
	const struct command_caller caller = call_command_caller(&call->from);
	const struct webhook_request asked = webhooks_request(call, &env, &caller);
	struct webhook_made made;

	TRY(webhook_rotate(&asked, request->id, &made));
	return write_made(request, &made);
}

const struct call_route webhooks_rotate = { .size = sizeof(struct request),
	.parse = parse_bare,
	.run = rotate_run,
	.reply = reply_json,
	.free = free_request };

/* --- POST /v1/webhooks/{id}/test --- */

static struct err test_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct request *request = (struct request *)call;
	const struct command_env env = call_command_env(call->api, pg, arena);
	const struct command_caller caller = call_command_caller(&call->from);
	const struct webhook_request asked = webhooks_request(call, &env, &caller);
	char text[ID_TEXT_BYTES];
	struct id event_id;

	TRY(webhook_ask_test(&asked, request->id, &event_id));
	id_format(event_id, text);
	buf_addf(&request->body, "{\"event_id\":\"%s\"}", text);
	return err_ok();
}

static void test_reply(struct call *call)
{
	call_reply_json(call->exchange, 202, NULL, &((struct request *)call)->body);
}

const struct call_route webhooks_test = { .size = sizeof(struct request),
	.parse = parse_bare,
	.run = test_run,
	.reply = test_reply,
	.free = free_request };
