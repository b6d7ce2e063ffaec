/*
 * Finds the row of a route table for a method and a path. Patterns are segments, "{name}" takes
 * exactly one that is not empty; the first row that fits wins. Pure; any thread.
 */
#ifndef ESTEIRA_PORT_WEB_ROUTE_H
#define ESTEIRA_PORT_WEB_ROUTE_H

#include "base/str.h"

struct web_route;

enum { WEB_ROUTE_MAX_PARAMS = 4, WEB_ROUTE_ALLOW_BYTES = 96 };

struct web_route_param {
	struct str name;
	struct str value;
};

struct web_route_match {
	const struct web_route *route; /* NULL: none */
	size_t param_count;
	struct web_route_param params[WEB_ROUTE_MAX_PARAMS];
};

/* True when the decoded path is known: match->route is then the row, or NULL when the method is not
 * taken and ret_allow (WEB_ROUTE_ALLOW_BYTES) holds the value of Allow. HEAD finds GET's row. The
 * match points into path. */
bool web_route_find(const struct web_route *routes, struct str method, struct str path,
	struct web_route_match *ret_match, char *ret_allow);

#endif
