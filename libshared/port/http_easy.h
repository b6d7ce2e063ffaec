/*
 * One request as a libcurl handle: which options a call gets, and so what the client can never do
 * (redirects, proxies, other protocols, 100-continue). Knows nothing of the loop.
 */
#ifndef ESTEIRA_PORT_HTTP_EASY_H
#define ESTEIRA_PORT_HTTP_EASY_H

#include "base/err.h"

#include <stddef.h>

struct curl_slist;
struct http_limits;
struct http_request;

/* Zero it to begin. */
struct http_easy {
	void *curl; /* a CURL */
	struct curl_slist *headers, *dial;
};

/* libcurl's callbacks of the same shape; all get arg, which is also CURLOPT_PRIVATE. */
struct http_easy_hooks {
	size_t (*header)(char *bytes, size_t size, size_t count, void *arg);
	size_t (*body)(char *bytes, size_t size, size_t count, void *arg);
	size_t (*upload)(char *bytes, size_t size, size_t count, void *arg);
	void *arg;
};

/* ERR_REJECT bad-parameter for what cannot be sent, ERR_FATAL without memory; http_easy_done is due
 * in any case. */
struct err http_easy_init(struct http_easy *easy, const struct http_limits *limits,
	const struct http_request *request, const struct http_easy_hooks *hooks) ERR_MUST_USE;
void http_easy_done(struct http_easy *easy);

#endif
