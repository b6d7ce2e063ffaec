/*
 * Bytes of one connection into requests, pulled step by step: the caller decides when the next step
 * is taken, so nothing is called back from inside the parser. llhttp reads the grammar; this module
 * collects and bounds the head before llhttp sees it and refuses what llhttp lets pass (obs-fold,
 * bare CR, HTTP/0.9). Any cut of the input gives the same steps, but for the size of body pieces.
 * Any single thread.
 */
#ifndef ESTEIRA_PORT_WEB_PARSE_H
#define ESTEIRA_PORT_WEB_PARSE_H

#include "base/err.h"
#include "base/str.h"

struct web_limits;
struct web_parse;
struct web_request;

enum web_parse_step {
	WEB_PARSE_MORE, /* all bytes are consumed, more are needed */
	WEB_PARSE_HEAD, /* web_parse_take gives the request */
	WEB_PARSE_BODY, /* *ret_piece is the next piece of the body, inside the bytes given */
	WEB_PARSE_END,	/* the request is complete; what follows waits for web_parse_next */
	WEB_PARSE_FAIL, /* web_parse_failure says why; for good */
};

/* limits must outlive it. NULL without memory. */
struct web_parse *web_parse_new(const struct web_limits *limits);
void web_parse_free(struct web_parse *parse); /* NULL is fine */

/* Takes one step and moves *bytes past what it consumed. */
enum web_parse_step web_parse_feed(
	struct web_parse *parse, struct str *bytes, struct str *ret_piece);

/* After WEB_PARSE_HEAD, once: the request, the caller's to free. */
struct web_request *web_parse_take(struct web_parse *parse);

/* After WEB_PARSE_FAIL: ERR_REJECT bad-request, uri-too-long or headers-too-large, ERR_RETRY
 * out-of-memory; msg is a sentence for the client or NULL. */
struct err web_parse_failure(const struct web_parse *parse) ERR_MUST_USE;

/* After WEB_PARSE_END: ready for the next request. */
void web_parse_next(struct web_parse *parse);

/* Whether no byte of the next request has come yet. */
bool web_parse_idle(const struct web_parse *parse);

#endif
