#include "port/web_cors.h"

#include <string.h>

#include "port/web_conn.h"
#include "port/web_exchange.h"
#include "port/web_pool.h"
#include "port/web_reply.h"
#include "port/web_request.h"

/* Lower case, as an origin is serialised; no path, no user, no wildcard. */
static bool is_origin(struct str text)
{
	static const struct str schemes[] = { { "https://", 8 }, { "http://", 7 } };
	static const char taken[] = "abcdefghijklmnopqrstuvwxyz0123456789-.:[]";

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		if (!str_starts(text, schemes[i]) || text.len == schemes[i].len)
			continue;
		for (size_t at = schemes[i].len; at < text.len; at++)
			if (text.ptr[at] == '\0' || strchr(taken, text.ptr[at]) == NULL)
				return false;
		return true;
	}
	return false;
}

struct err web_cors_check(const char *origins)
{
	struct str rest = str_of(origins);

	while (rest.len > 0)
		if (!is_origin(str_trim(str_cut(rest, ',', &rest))))
			return err_reject(ERR_CODE_BAD_CONFIG,
				"an origin is to be scheme://host[:port] in lower case, never *");
	return err_ok();
}

static const struct web_cors *conf_of(const struct web_exchange *exchange)
{
	return &exchange->conn->pool->conf.cors;
}

static bool is_on(const struct web_exchange *exchange)
{
	const char *origins = conf_of(exchange)->origins;

	return origins != NULL && origins[0] != '\0' && exchange->request != NULL;
}

/* The request's origin when it is listed; ptr NULL otherwise. */
static struct str origin_of(const struct web_exchange *exchange)
{
	struct str none = { NULL, 0 };

	if (!is_on(exchange))
		return none;
	struct str origin = web_request_header_once(exchange->request, STR("origin"));
	for (struct str rest = str_of(conf_of(exchange)->origins); rest.len > 0;)
		if (str_eq(str_trim(str_cut(rest, ',', &rest)), origin))
			return origin;
	return none;
}

void web_cors_add(const struct web_exchange *exchange, struct buf *out)
{
	struct str origin = origin_of(exchange);

	if (is_on(exchange)) /* a cache must not give one origin another's answer */
		buf_add_str(out, STR("Vary: Origin\r\n"));
	if (origin.ptr == NULL)
		return;
	buf_add_str(out, STR("Access-Control-Allow-Origin: "));
	buf_add_str(out, origin);
	buf_addf(out, "\r\nAccess-Control-Expose-Headers: %s\r\n", conf_of(exchange)->exposed);
}

bool web_cors_preflight(struct web_exchange *exchange, const char *allow)
{
	const struct web_field fields[] = {
		{ "Access-Control-Allow-Methods", str_of(allow) },
		{ "Access-Control-Allow-Headers", str_of(conf_of(exchange)->accepted) },
		{ "Access-Control-Max-Age", STR("600") },
		{ NULL, { NULL, 0 } },
	};
	const struct web_request *request = exchange->request;

	if (!str_eq(request->method, STR("OPTIONS")) || origin_of(exchange).ptr == NULL ||
		web_request_header_once(request, STR("access-control-request-method")).ptr == NULL)
		return false;
	web_reply_send(exchange, 204, fields, STR(""));
	return true;
}
