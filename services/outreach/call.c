#include "call.h"

#include <stdio.h>

#include "base/clock.h"
#include "frame/service.h"
#include "frame/span.h"
#include "port/address.h"
#include "port/http.h"
#include "port/url.h"
#include "port/webhook_sign.h"
#include "outreach.h"

enum { ANSWER_MAX_BYTES = 65536, RETRY_AFTER_MAX = 64 };

#define USER_AGENT "Esteira-Webhooks/1"

/* --- where to --- */

struct place {
	struct url url;
	char address[ADDRESS_TEXT_BYTES];
};

/* NULL, or why there is nobody to call. */
static const char *find_place(const struct call_request *request, struct place *ret_place)
{
	struct address_list found;

	if (url_parse(str_of(request->url), request->is_test, &ret_place->url).kind != ERR_OK)
		return "bad-url";
	struct err e = address_resolve(ret_place->url.host, request->is_test, &found);
	if (e.kind != ERR_OK)
		return e.kind == ERR_RETRY ? "unresolved" : "refused-address";
	address_format(&found.items[0], ret_place->address);
	return NULL;
}

/* --- the call --- */

struct head {
	char id[ID_TEXT_BYTES], time[24], signature[WEBHOOK_SIGN_VALUE_BYTES];
};

static struct err sign(const struct call_request *request, struct head *ret_head)
{
	int64_t now_s = clock_wall_ms() / 1000;

	id_format(request->delivery_id, ret_head->id);
	snprintf(ret_head->time, sizeof ret_head->time, "%lld", (long long)now_s);
	const struct webhook_sign_message message = {
		.id = str_of(ret_head->id), .timestamp_s = now_s, .body = request->body
	};
	return webhook_sign_value(request->keys, request->key_count, &message, ret_head->signature);
}

static struct err take_answer(
	struct arena *arena, const struct http_response *response, struct call_answer *ret_answer)
{
	struct str after = http_response_header(response, "retry-after");

	ret_answer->status = response->status;
	if (after.ptr == NULL || after.len > RETRY_AFTER_MAX)
		return err_ok();
	const char *copy = arena_strdup(arena, after);
	if (copy == NULL)
		return arena_overflow();
	ret_answer->retry_after = str_of(copy);
	return err_ok();
}

static const char *why_none(struct err e)
{
	if (err_is(e, ERR_CODE_TLS_FAILED))
		return err_code_name(e.code);
	return err_is(e, ERR_CODE_PROVIDER_AWAY) ? "unreachable" : "no-answer";
}

static struct err send(const struct outreach *outreach, struct arena *arena,
	const struct call_request *request, const struct place *place,
	struct call_answer *ret_answer)
{
	SCOPED(http_response_done) struct http_response response = { 0 };
	struct head head;

	TRY(sign(request, &head));
	const struct http_header headers[] = { { "Content-Type", "application/json" },
		{ "User-Agent", USER_AGENT }, { "webhook-id", head.id },
		{ "webhook-timestamp", head.time }, { "webhook-signature", head.signature },
		{ NULL, NULL } };
	const struct http_request call = { .method = "POST",
		.url = request->url,
		.headers = headers,
		.body = request->body,
		.dial = place->address,
		.response_max_bytes = ANSWER_MAX_BYTES,
		.cut = true,
		.timeout_ms = outreach->conf->timeout_ms,
		.away = ERR_CODE_TIMEOUT,
		.unsent = ERR_CODE_PROVIDER_AWAY,
		.untrusted = ERR_CODE_TLS_FAILED };
	struct err e = http_call(outreach->http, &call, &response);
	if (e.kind == ERR_OK)
		return take_answer(arena, &response, ret_answer);
	if (e.kind == ERR_FATAL)
		return e;
	ret_answer->error_code = why_none(e);
	return err_ok();
}

/* Whose endpoint it is and where stays with the delivery: an address may hold secrets. */
static void end_span(struct span *span, const struct call_answer *answer)
{
	char status[12];

	snprintf(status, sizeof status, "%d", answer->status);
	span_add_text(span, OTLP_HTTP_METHOD, "POST");
	if (answer->status != 0)
		span_add_number(span, OTLP_HTTP_STATUS, answer->status);
	if (answer->error_code != NULL || answer->status >= 400)
		span_fail(span, answer->error_code != NULL ? answer->error_code : status);
	span_end(span, "POST", NULL);
}

struct err call_send(const struct outreach *outreach, struct arena *arena,
	const struct call_request *request, struct call_answer *ret_answer)
{
	int64_t from_ms = clock_mono_ms();
	struct call_answer answer = { .status = 0 };
	struct place place;
	struct span span;

	span_begin(
		service_spans(outreach->service), OTLP_CLIENT, str_of(request->traceparent), &span);
	answer.error_code = find_place(request, &place);
	struct err e = answer.error_code != NULL ? err_ok()
						 : send(outreach, arena, request, &place, &answer);
	answer.took_ms = clock_mono_ms() - from_ms;
	end_span(&span, &answer);
	if (e.kind == ERR_OK)
		*ret_answer = answer;
	return e;
}
