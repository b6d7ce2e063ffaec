#include "gateway.h"

#include <ctype.h>

#include "port/http.h"
#include "decide.h"

enum { ANSWER_MAX_BYTES = 64 * 1024, BODY_MAX_BYTES = 4096, URL_MAX_BYTES = 2048 };

static void quote_url(const char *text, struct buf *out)
{
	for (const char *at = text; *at != '\0'; at++) {
		if (isalnum((unsigned char)*at) || *at == '-' || *at == '_')
			buf_add(out, at, 1);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)*at);
	}
}

/* An answer that cannot be read says nothing but its status. */
static void read_receipt(
	const struct http_response *response, struct arena *arena, struct events_receipt *ret)
{
	struct events_receipt receipt;

	codec_clear(&events_provider_receipt, ret);
	if (codec_read(&events_provider_receipt, buf_str(&response->body), arena, &receipt).kind ==
		ERR_OK)
		*ret = receipt;
}

struct err gateway_charge(const struct gateway *gateway, struct arena *arena,
	const struct events_charge *charge, struct gateway_answer *ret_answer)
{
	SCOPED(http_response_done) struct http_response response = { 0 };
	SCOPED(buf_done) struct buf body = BUF(BODY_MAX_BYTES);
	const struct events_order order = { charge->charge, charge->amount_cents };
	const struct http_header headers[] = { { "Idempotency-Key", charge->charge },
		{ "Content-Type", "application/json" }, { NULL, NULL } };
	struct http_request request = { .method = "POST",
		.url = arena_printf(arena, "%s/charges", gateway->url),
		.headers = headers,
		.once = true,
		.response_max_bytes = ANSWER_MAX_BYTES,
		.timeout_ms = gateway->timeout_ms,
		.away = ERR_CODE_EFFECT_UNKNOWN,
		.unsent = ERR_CODE_PROVIDER_AWAY };
	struct events_receipt receipt;

	*ret_answer = (struct gateway_answer){ EFFECT_INTENT, NULL };
	if (request.url == NULL)
		return arena_overflow();
	TRY(codec_write(&events_provider_order, &order, CODEC_TO_CLIENT, &body));
	request.body = buf_str(&body);
	struct err e = http_call(gateway->http, &request, &response);
	if (e.kind != ERR_OK) {
		/* too large an answer is an answer: what it was is not known */
		if (!err_is(e, ERR_CODE_PROVIDER_AWAY) && !err_is(e, ERR_CODE_BAD_PARAMETER))
			ret_answer->state = EFFECT_UNKNOWN;
		return e;
	}
	read_receipt(&response, arena, &receipt);
	*ret_answer =
		(struct gateway_answer){ decide_after_call(response.status), receipt.reference };
	if (ret_answer->state == EFFECT_INTENT)
		return err_retry(ERR_CODE_PROVIDER_AWAY, "the provider wants fewer calls");
	if (ret_answer->state == EFFECT_UNKNOWN)
		return err_retry(ERR_CODE_EFFECT_UNKNOWN, "the provider failed");
	return err_ok();
}

struct err gateway_ask(const struct gateway *gateway, struct arena *arena,
	const struct events_charge *charge, struct gateway_answer *ret_answer)
{
	SCOPED(http_response_done) struct http_response response = { 0 };
	SCOPED(buf_done) struct buf url = BUF(URL_MAX_BYTES);
	struct http_request request = { .method = "GET",
		.response_max_bytes = ANSWER_MAX_BYTES,
		.timeout_ms = gateway->timeout_ms,
		.away = ERR_CODE_PROVIDER_AWAY };
	struct events_receipt receipt;

	*ret_answer = (struct gateway_answer){ EFFECT_UNKNOWN, NULL };
	buf_addf(&url, "%s/lookup?key=", gateway->url);
	quote_url(charge->charge, &url);
	TRY(buf_check(&url));
	request.url = url.ptr;
	TRY(http_call(gateway->http, &request, &response));
	read_receipt(&response, arena, &receipt);
	*ret_answer =
		(struct gateway_answer){ decide_after_question(response.status, receipt.state),
			receipt.reference };
	if (ret_answer->state == EFFECT_INTENT)
		return err_retry(ERR_CODE_TRY_AGAIN, "the provider knows nothing of it");
	if (ret_answer->state == EFFECT_UNKNOWN)
		return err_retry(ERR_CODE_EFFECT_UNKNOWN, "the provider does not say");
	return err_ok();
}
