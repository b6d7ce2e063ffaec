/*
 * Inside of port/web: one request and its answer, as web.c (what handlers read), web_reply.c (what
 * they say) and web_conn.c (what the wire does) see it. Not for handlers. Loop thread only.
 */
#ifndef ESTEIRA_PORT_WEB_EXCHANGE_H
#define ESTEIRA_PORT_WEB_EXCHANGE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "port/web.h"
#include "port/web_route.h"

struct web_conn;
struct web_request;

enum { WEB_EXCHANGE_ID_BYTES = 65, WEB_EXCHANGE_MORE_BYTES = 160 };

enum web_exchange_reply {
	WEB_REPLY_NONE,	   /* nothing sent yet */
	WEB_REPLY_CHUNKED, /* streaming */
	WEB_REPLY_RAW,	   /* streaming until close */
	WEB_REPLY_SILENT,  /* streaming the answer to a HEAD: nothing goes out */
	WEB_REPLY_MUTE,	   /* being aborted: what the handler says is dropped */
};

struct web_exchange_body {
	const struct web_reader *reader; /* NULL: nobody reads (yet) */
	void *arg;
	struct buf whole;    /* BUFFERED */
	uint64_t size_bytes; /* so far */
	bool done;	     /* the wire holds no more of it */
	bool told;	     /* reader->end was called */
	bool paused;	     /* by the handler */
};

struct web_exchange_hook {
	void (*fn)(struct web_exchange *exchange, void *arg);
	void *arg;
};

/* What the answer carries whoever gives it. */
struct web_exchange_more {
	unsigned retry_after_s;		      /* 0 = none */
	char fields[WEB_EXCHANGE_MORE_BYTES]; /* with line ends */
};

struct web_exchange {
	struct web_conn *conn;
	struct web_request *request; /* NULL when the head could not be read */
	struct web_route_match match;
	struct arena *arena; /* made when first asked for */
	struct web_exchange_body body;
	struct web_exchange_hook on_abort;
	struct web_exchange_hook on_drain;
	void *user;
	int64_t started_us;
	enum web_exchange_reply reply;
	int status;
	bool keep_alive; /* decided when the answer's head is written */
	struct web_exchange_more more;
	char request_id[WEB_EXCHANGE_ID_BYTES];
};

/* request (may be NULL) becomes the exchange's. NULL without memory: request is freed. */
struct web_exchange *web_exchange_new(struct web_conn *conn, struct web_request *request);
void web_exchange_free(struct web_exchange *exchange);

#endif
