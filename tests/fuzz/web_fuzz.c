/*
 * Bytes of a connection, parsed in one piece and in pieces cut at random: both must see the same
 * requests, bodies and failures. The first byte of the input seeds the cuts.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/address.h"
#include "port/web.h"
#include "port/web_client.h"
#include "port/web_parse.h"
#include "port/web_request.h"
#include "port/web_route.h"

enum { LOG_MAX_BYTES = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct web_route routes[] = {
	{ .method = "GET", .pattern = "/hello" },
	{ .method = "GET", .pattern = "/items/{id}/{x}" },
	{ NULL },
};

static void log_str(struct buf *log, const char *what, struct str text)
{
	buf_addf(log, "%s %zu ", what, text.len);
	buf_add_str(log, text);
	buf_add_str(log, STR("\n"));
}

static void log_request(struct buf *log, const struct web_request *request)
{
	struct web_route_match match = { 0 };
	char allow[WEB_ROUTE_ALLOW_BYTES], client[ADDRESS_TEXT_BYTES];

	web_client_find("0.0.0.0/0,::/1", "192.0.2.1", request, client);
	log_str(log, "client", str_of(client));
	log_str(log, "method", request->method);
	log_str(log, "path", request->path);
	log_str(log, "decoded", request->decoded);
	log_str(log, "query", request->query);
	buf_addf(log, "%lld %d %d %d %d\n", (long long)request->content_length,
		request->minor_version, request->chunked, request->keep_alive,
		request->expects_continue);
	for (size_t i = 0; i < request->field_count; i++) {
		log_str(log, "name", request->fields[i].name);
		log_str(log, "value", request->fields[i].value);
	}
	struct str q = web_request_query(request, STR("q"));
	char *text = malloc(q.len + 1);
	if (text != NULL)
		log_str(log, "q", (struct str){ text, web_request_decode(q, true, text) });
	free(text);
	if (web_route_find(routes, request->method, request->decoded, &match, allow))
		for (size_t i = 0; i < match.param_count; i++)
			log_str(log, "param", match.params[i].value);
	log_str(log, "allow", str_of(allow));
}

/* One step into the log; false when there is nothing left to do with bytes. */
static bool step(struct web_parse *parse, struct str *bytes, struct buf *log, size_t *body_bytes)
{
	struct str piece;

	switch (web_parse_feed(parse, bytes, &piece)) {
	case WEB_PARSE_MORE:
		return false;
	case WEB_PARSE_HEAD: {
		struct web_request *request = web_parse_take(parse);
		log_request(log, request);
		web_request_free(request);
		return true;
	}
	case WEB_PARSE_BODY:
		*body_bytes += piece.len;
		buf_add_str(log, piece);
		return true;
	case WEB_PARSE_END:
		buf_addf(log, "end %zu\n", *body_bytes);
		*body_bytes = 0;
		web_parse_next(parse);
		return true;
	case WEB_PARSE_FAIL:
		break;
	}
	return false;
}

static void run(const uint8_t *data, size_t size, unsigned seed, struct buf *log)
{
	struct web_limits limits = web_limits_default();
	struct web_parse *parse;
	size_t body_bytes = 0;

	limits.line_bytes = 256;
	limits.header_bytes = 512;
	limits.header_fields = 8;
	parse = web_parse_new(&limits);
	if (parse == NULL)
		return;
	while (size > 0) {
		seed = seed * 1103515245 + 12345;
		size_t len = seed == 12345 ? size : (seed >> 16) % 7 + 1;
		len = len > size ? size : len;
		/* an exact copy, so that a sanitizer sees a read past the piece */
		char *copy = malloc(len);
		if (copy == NULL)
			break;
		memcpy(copy, data, len);
		struct str bytes = { copy, len };
		while (step(parse, &bytes, log, &body_bytes))
			;
		free(copy);
		data += len;
		size -= len;
	}
	struct err e = web_parse_failure(parse);
	buf_addf(log, "failure %s idle %d\n", err_code_name(e.code), web_parse_idle(parse));
	web_parse_free(parse);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF(LOG_MAX_BYTES), cut = BUF(LOG_MAX_BYTES);

	if (size < 1)
		return 0;
	run(data + 1, size - 1, 0, &whole);
	run(data + 1, size - 1, 1u + data[0], &cut);
	if (!str_eq(buf_str(&whole), buf_str(&cut))) {
		fprintf(stderr, "--- whole\n%s--- cut\n%s", whole.ptr, cut.ptr);
		abort();
	}
	buf_done(&whole);
	buf_done(&cut);
	return 0;
}
