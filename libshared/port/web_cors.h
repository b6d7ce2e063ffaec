/*
 * Inside of port/web: which pages of other origins may read our answers (Fetch Standard, "CORS
 * protocol"). Off unless origins are listed; a listed one is answered by its own name, never by
 * "*", and credentials of the browser's own are never asked for. Not for handlers. Loop thread.
 */
#ifndef ESTEIRA_PORT_WEB_CORS_H
#define ESTEIRA_PORT_WEB_CORS_H

#include "base/err.h"
#include "base/str.h"

struct web_exchange;

/* ERR_REJECT bad-config unless origins is a comma-separated list of scheme://host[:port] as
 * browsers write them; NULL and "" are fine. Any thread. */
struct err web_cors_check(const char *origins) ERR_MUST_USE;

/* Adds what this answer needs, if anything. */
void web_cors_add(const struct web_exchange *exchange, struct buf *out);

/* Answers the question a browser asks before a request, when it comes from a listed origin; allow:
 * the methods of the path. False when it is none: nothing was answered. */
bool web_cors_preflight(struct web_exchange *exchange, const char *allow);

#endif
