/*
 * A linear walk: tables have a dozen rows. The path comes decoded, so a literal segment fits
 * however the client escaped it.
 */
#include "port/web_route.h"

#include <stdio.h>
#include <string.h>

#include "port/web.h"

static bool segment_fits(struct str pattern, struct str segment, struct web_route_match *match)
{
	bool param =
		pattern.len > 2 && pattern.ptr[0] == '{' && pattern.ptr[pattern.len - 1] == '}';

	if (!param)
		return str_eq(pattern, segment);
	if (segment.len == 0 || match->param_count == WEB_ROUTE_MAX_PARAMS)
		return false;
	match->params[match->param_count++] =
		(struct web_route_param){ { pattern.ptr + 1, pattern.len - 2 }, segment };
	return true;
}

static bool path_fits(struct str pattern, struct str path, struct web_route_match *match)
{
	match->param_count = 0;
	do {
		struct str want = str_cut(pattern, '/', &pattern);
		struct str have = str_cut(path, '/', &path);
		if (!segment_fits(want, have, match))
			return false;
		/* str_cut sets ptr to NULL when there was no further slash */
		if ((pattern.ptr == NULL) != (path.ptr == NULL))
			return false;
	} while (pattern.ptr != NULL);
	return true;
}

static void allow(char *text, const char *method)
{
	bool get = strcmp(method, "GET") == 0;
	size_t len = strlen(text);

	snprintf(text + len, WEB_ROUTE_ALLOW_BYTES - len, "%s%s%s", len == 0 ? "" : ", ", method,
		get ? ", HEAD" : "");
}

bool web_route_find(const struct web_route *routes, struct str method, struct str path,
	struct web_route_match *ret_match, char *ret_allow)
{
	struct str wanted = str_eq(method, STR("HEAD")) ? STR("GET") : method;
	bool known = false;

	ret_allow[0] = '\0';
	ret_match->route = NULL;
	for (; routes->method != NULL; routes++) {
		struct web_route_match match = { 0 };
		if (!path_fits(str_of(routes->pattern), path, &match))
			continue;
		known = true;
		allow(ret_allow, routes->method);
		if (!str_eq(wanted, str_of(routes->method)))
			continue;
		*ret_match = match;
		ret_match->route = routes;
		return true;
	}
	return known;
}
