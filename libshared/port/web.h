/*
 * The HTTP/1.1 server (RFC 9110, 9112): strict, streaming, every buffer and every wait bounded. A
 * request is an exchange: a route's handler gets it and answers it (port/web_reply.h), at once or
 * later. One exchange at a time per connection: the next pipelined request is looked at when the
 * answer has ended. What a client does wrong is answered here as problem+json and closed; handlers
 * see only well-formed requests. A path has one spelling: escapes of characters that need none,
 * dot segments, escaped slashes and characters that RFC 3986 does not take are a 400, and nothing
 * is folded, so no route has a second name. Loop thread only.
 */
#ifndef ESTEIRA_PORT_WEB_H
#define ESTEIRA_PORT_WEB_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct loop;
struct tls;
struct web;
struct web_exchange;

/* Ceilings of one server. */
struct web_limits {
	size_t line_bytes;     /* request line; longer: 414 */
	size_t header_bytes;   /* all header fields; more: 431 */
	size_t header_fields;  /* more: 431 */
	size_t connections;    /* more: 503 and closed; under TLS closed before its handshake */
	size_t pending_bytes;  /* unsent answer of web_reply_write; more: connection dropped */
	size_t arena_bytes;    /* web_arena of one exchange */
	uint64_t header_ms;    /* from the first byte of a request (or the connection) to its last
				  header: 408 */
	uint64_t body_idle_ms; /* between two pieces of a body that is being read: 408 */
	uint64_t keepalive_ms; /* between two requests: closed */
	uint64_t send_idle_ms; /* a reader that takes nothing of a waiting answer: dropped */
	uint64_t linger_ms; /* reading on after an early answer, so that the client can read it */
};

/* 8 KiB, 16 KiB, 64, 1024, 1 MiB, 1 MiB, 10 s, 30 s, 60 s, 30 s, 1 s */
struct web_limits web_limits_default(void);

/* How a route takes a request body. */
enum web_body {
	WEB_BODY_NONE,	   /* none: a request with a non-empty body is 413 */
	WEB_BODY_BUFFERED, /* whole, up to body_max (413); the handler is called when it is complete
			    */
	WEB_BODY_STREAM, /* in pieces, see web_body_read; the handler is called after the headers */
};

/* One row of the route table; the table ends with method NULL. */
struct web_route {
	const char *method;  /* "GET"; HEAD is answered by GET's row */
	const char *pattern; /* "/v1/jobs/{id}/events" */
	void (*handle)(struct web_exchange *exchange, void *arg);
	enum web_body body;
	size_t body_max;   /* bytes; STREAM: 0 = no ceiling here; a larger Content-Length is 413 at
			      once */
	const void *extra; /* the owner's: scopes and the like, see web_route_of */
	const char *media; /* the Content-Types a body may have, comma-separated, without
			      parameters: 415 for others, for none, and for a Content-Encoding;
			      NULL: the handler's business */
};

/* Pages of which other origins may read the answers; all NULL: none. */
struct web_cors {
	const char *origins;  /* comma-separated "https://app.example"; NULL and "": none */
	const char *accepted; /* request headers that their scripts may set */
	const char *exposed;  /* headers of answers that they may read */
};

struct web_conf {
	struct loop *loop;
	const char *address; /* "127.0.0.1:0" = any port, see web_port */
	const struct web_route *routes;
	struct web_limits limits;
	struct tls *tls; /* a server's, outlives the server; NULL: plain */
	struct web_cors cors;
	const char *proxies; /* whose X-Forwarded-For is believed: comma-separated addresses or
				prefixes; NULL and "": nobody's */
	void *arg;	     /* of the handlers and of on_done */
	/* An exchange has ended, status 499 when the peer was gone first; route is NULL when none
	 * matched. For metrics and logs; the exchange is still readable. May be NULL. */
	void (*on_done)(
		const struct web_exchange *exchange, int status, int64_t duration_us, void *arg);
};

/* Listens and serves. *conf is copied, routes and texts must outlive the server. Failures: those of
 * stream_listener_open; ERR_REJECT bad-config for an origin or a proxy that is none. */
struct err web_open(const struct web_conf *conf, struct web **ret_web) ERR_MUST_USE;

uint16_t web_port(const struct web *web);

/* Stops listening, closes idle connections, lets exchanges end for up to timeout_ms, then aborts
 * the rest (their on_abort is called), frees the server and calls done(arg). Call once. */
void web_close(struct web *web, uint64_t timeout_ms, void (*done)(void *arg), void *arg);

/* --- the request; slices live as long as the exchange --- */

struct str web_method(const struct web_exchange *exchange);
const struct web_route *web_route_of(const struct web_exchange *exchange);
struct str web_request_id(const struct web_exchange *exchange); /* as answered in X-Request-Id */

/* The address of who asked, without port: the socket's, or behind a proxy of web_conf what it
 * wrote. ret_text takes ADDRESS_TEXT_BYTES. */
void web_client(const struct web_exchange *exchange, char *ret_text);

/* "{name}" of the pattern, percent-decoded, never empty; ptr NULL when the pattern has no such
 * name. */
struct str web_param(const struct web_exchange *exchange, const char *name);

/* First query parameter of that name, percent-decoded ("+" is a space) into the exchange's arena;
 * ptr NULL when absent or malformed. */
struct str web_query(struct web_exchange *exchange, const char *name);

/* First header field of that name, any case, trimmed; ptr NULL when absent. */
struct str web_header(const struct web_exchange *exchange, const char *name);

/* The same if it came exactly once: a field that must not be a list says nothing when there are
 * two. ptr NULL when absent or repeated. */
struct str web_header_once(const struct web_exchange *exchange, const char *name);

/* -1 when absent (chunked, or no body). */
int64_t web_content_length(const struct web_exchange *exchange);

/* The whole body of a BUFFERED route. */
struct str web_body(const struct web_exchange *exchange);

/* Memory that lives as long as the exchange; NULL when memory is out. */
struct arena *web_arena(struct web_exchange *exchange);

/* One pointer of the handler's own. */
void web_set_user(struct web_exchange *exchange, void *user);
void *web_user(const struct web_exchange *exchange);

/* --- reading a body of a STREAM route --- */

struct web_reader {
	void (*piece)(struct web_exchange *exchange, struct str bytes, void *arg); /* never empty */
	void (*end)(struct web_exchange *exchange, void *arg); /* the body is complete; once */
};

/* Starts reading (and sends 100 Continue if the client waits for it). Until it is called nothing is
 * read, so a handler may first ask who the client is. *reader must outlive the exchange. The
 * callbacks run from the loop, never inside this call. A handler that answers before the end gets
 * no more of them. */
void web_read(struct web_exchange *exchange, const struct web_reader *reader, void *arg);

/* Back-pressure: no piece and no end until resumed. The client's body timer stands still meanwhile.
 */
void web_pause(struct web_exchange *exchange);
void web_resume(struct web_exchange *exchange);

/* fn(arg) when the exchange dies before its answer has ended: peer gone, client too slow (408 is
 * sent), body malformed (400), body over body_max (413), server closing. The exchange is not valid
 * after fn. One fn per exchange, the last one set; NULL takes it back. */
void web_on_abort(struct web_exchange *exchange,
	void (*fn)(struct web_exchange *exchange, void *arg), void *arg);

#endif
