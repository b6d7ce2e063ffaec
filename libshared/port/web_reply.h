/*
 * Answers of the HTTP server: whole, as a problem (RFC 9457), or streamed. Every answer carries
 * Date, X-Request-Id, and headers that keep browsers from sniffing, storing, framing or leaking it.
 * After the answer has ended the exchange is no longer valid. Loop thread only, also later than the
 * handler.
 */
#ifndef ESTEIRA_PORT_WEB_REPLY_H
#define ESTEIRA_PORT_WEB_REPLY_H

#include "base/err.h"
#include "base/str.h"

struct web_exchange;

/* A list ends with name NULL. A value with control characters is left out. Content-Length,
 * Transfer-Encoding, Connection, Date and X-Request-Id are set here and not to be given. A given
 * Cache-Control or Content-Security-Policy replaces the default (`no-store`; `default-src 'none';
 * base-uri 'none'; frame-ancestors 'none'`). */
struct web_field {
	const char *name;
	struct str value;
};

/* The whole answer; headers may be NULL, body is copied (at most 32 MiB, else 500). Ends the
 * exchange. */
void web_reply_send(struct web_exchange *exchange, int status, const struct web_field *headers,
	struct str body);

/* application/problem+json with type urn:esteira:error:<code>, title, status, code and, when not
 * NULL, detail (one sentence without personal data; dropped when it is not UTF-8). A code without
 * an HTTP status becomes internal. Ends the exchange. */
void web_reply_problem(struct web_exchange *exchange, enum err_code code, const char *detail);

/* The same with further headers (may be NULL). */
void web_reply_problem_with(struct web_exchange *exchange, enum err_code code, const char *detail,
	const struct web_field *headers);

/* Adds Retry-After to the answer that follows. */
void web_reply_retry_after(struct web_exchange *exchange, unsigned seconds);

/* Adds these fields (of 160 bytes together) to the answer that follows, whoever gives it. */
void web_reply_also(struct web_exchange *exchange, const struct web_field *fields);

/* A streamed answer: chunked (HTTP/1.0: until close). */
void web_reply_start(struct web_exchange *exchange, int status, const struct web_field *headers);

/* The next piece, copied; empty is a no-op. When more than limits.pending_bytes would wait for a
 * slow reader the connection is dropped, later and not inside this call (on_abort is called). */
void web_reply_write(struct web_exchange *exchange, struct str bytes);

/* Ends a streamed answer and the exchange. */
void web_reply_end(struct web_exchange *exchange);

/* Bytes of answers that wait for the peer. */
size_t web_reply_pending_bytes(const struct web_exchange *exchange);

/* fn(arg) whenever nothing waits any more after something did. NULL takes it back. */
void web_reply_on_drain(struct web_exchange *exchange,
	void (*fn)(struct web_exchange *exchange, void *arg), void *arg);

#endif
