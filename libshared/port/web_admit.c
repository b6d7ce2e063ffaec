#include "port/web_admit.h"

#include <stdio.h>

#include "port/web_conn.h"
#include "port/web_cors.h"
#include "port/web_exchange.h"
#include "port/web_pool.h"
#include "port/web_reply.h"
#include "port/web_request.h"

enum { DETAIL_BYTES = 200 };

static void refuse_method(struct web_exchange *exchange, const char *allow)
{
	const struct web_field fields[] = { { "Allow", str_of(allow) }, { NULL, { NULL, 0 } } };

	web_reply_problem_with(exchange, ERR_CODE_METHOD_NOT_ALLOWED, NULL, fields);
}

static bool is_too_large(const struct web_route *route, const struct web_request *request)
{
	if (route->body == WEB_BODY_NONE)
		return web_request_has_body(request);
	if (route->body == WEB_BODY_STREAM && route->body_max == 0)
		return false;
	return request->content_length > 0 && (uint64_t)request->content_length > route->body_max;
}

/* Lengths and limits are about the body as it comes, so it must come as it is. */
static bool is_coded(const struct web_request *request)
{
	struct str coding = web_request_header(request, STR("content-encoding"));

	return coding.ptr != NULL &&
	       !str_ieq(web_request_header_once(request, STR("content-encoding")), STR("identity"));
}

static bool is_taken(const char *media, const struct web_request *request)
{
	struct str rest, given = web_request_header_once(request, STR("content-type"));

	given = str_trim(str_cut(given, ';', &rest));
	for (struct str list = str_of(media); list.len > 0;)
		if (str_ieq(str_trim(str_cut(list, ',', &list)), given))
			return true;
	return false;
}

/* ERR_CODE_NONE when nothing is wrong; ret_detail takes DETAIL_BYTES. */
static enum err_code check(
	const struct web_route *route, const struct web_request *request, char *ret_detail)
{
	ret_detail[0] = '\0';
	if (is_too_large(route, request))
		return ERR_CODE_BODY_TOO_LARGE;
	if (route->media == NULL || !web_request_has_body(request))
		return ERR_CODE_NONE;
	if (is_coded(request)) {
		snprintf(ret_detail, DETAIL_BYTES,
			"Send the body as it is, without a Content-Encoding.");
		return ERR_CODE_UNSUPPORTED_MEDIA;
	}
	if (!is_taken(route->media, request)) {
		snprintf(ret_detail, DETAIL_BYTES, "The Content-Type is to be one of: %s.",
			route->media);
		return ERR_CODE_UNSUPPORTED_MEDIA;
	}
	return ERR_CODE_NONE;
}

bool web_admit(struct web_exchange *exchange)
{
	const struct web_conf *conf = &exchange->conn->pool->conf;
	const struct web_request *request = exchange->request;
	char allow[WEB_ROUTE_ALLOW_BYTES], detail[DETAIL_BYTES];
	bool known = web_route_find(conf->routes, request->method, request->decoded,
			     &exchange->match, allow) ||
		     request->path.len == 0;
	const struct web_route *route = exchange->match.route;

	if (route == NULL && known) {
		if (!web_cors_preflight(exchange, allow))
			refuse_method(exchange, allow);
		return false;
	}
	detail[0] = '\0';
	enum err_code code = route == NULL ? ERR_CODE_NOT_FOUND : check(route, request, detail);
	if (code == ERR_CODE_NONE)
		return true;
	web_reply_problem(exchange, code, detail);
	return false;
}
