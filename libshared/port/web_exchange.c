/*
 * Birth and end of an exchange. A client's X-Request-Id is kept when it is plain enough to be put
 * into logs; otherwise we make one.
 */
#include "port/web_exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "port/web_request.h"

static bool plain(struct str text)
{
	static const char taken[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '\0' || strchr(taken, text.ptr[i]) == NULL)
			return false;
	return text.len > 0 && text.len < WEB_EXCHANGE_ID_BYTES;
}

static void set_request_id(struct web_exchange *exchange)
{
	struct str given = { NULL, 0 };

	if (exchange->request != NULL)
		given = web_request_header(exchange->request, STR("x-request-id"));
	if (plain(given))
		memcpy(exchange->request_id, given.ptr, given.len);
	else
		id_format(id_v7(), exchange->request_id);
}

struct web_exchange *web_exchange_new(struct web_conn *conn, struct web_request *request)
{
	struct web_exchange *exchange = calloc(1, sizeof *exchange);

	if (exchange == NULL) {
		web_request_free(request);
		return NULL;
	}
	exchange->conn = conn;
	exchange->request = request;
	exchange->started_us = clock_mono_us();
	set_request_id(exchange);
	return exchange;
}

void web_exchange_free(struct web_exchange *exchange)
{
	if (exchange == NULL)
		return;
	arena_free(exchange->arena);
	buf_done(&exchange->body.whole);
	web_request_free(exchange->request);
	free(exchange);
}
