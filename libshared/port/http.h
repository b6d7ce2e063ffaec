/*
 * The HTTP client of the suite: libcurl's multi interface on the loop, one per process, so that
 * connections are reused whichever thread asks. Nothing follows a redirect, a proxy of the
 * environment or another protocol than http and https, and everything has a ceiling: time to
 * connect, total time, time without a byte, size of the headers, of the body, of the upload queue.
 * An answer of any status is a success here; what the status means is the caller's business.
 */
#ifndef ESTEIRA_PORT_HTTP_H
#define ESTEIRA_PORT_HTTP_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct http;
struct http_call;
struct loop;

/* 0 takes the default in brackets. */
struct http_limits {
	int64_t connect_timeout_ms; /* name look-up, TCP and TLS together [3,000] */
	int64_t stall_timeout_ms;   /* no byte moved though it was the server's turn [20,000] */
	int64_t idle_max_ms;	    /* an idle connection older than this is not reused [15,000] */
	size_t queue_max_bytes;	    /* fed bytes waiting for the socket, per call [1 MiB] */
	size_t queue_low_bytes;	    /* drained() is called when no more than this waits [128 KiB] */
	size_t headers_max_bytes;   /* of a response [32 KiB] */
	size_t connections_per_host; /* further calls wait their turn [64] */
	size_t connections_kept;     /* idle ones, of all hosts; more are closed [64] */
	const char *ca_file;	     /* PEM; NULL: the system's; must outlive the client */
};

struct http_header {
	const char *name; /* NULL ends the list */
	const char *value;
};

/* Everything but body is copied by http_send; body must stay until done. */
struct http_request {
	const char *method;		   /* sent as it is: "GET", "PUT" */
	const char *url;		   /* http or https; the path is sent as it is */
	const struct http_header *headers; /* NULL: none */
	struct str body;
	bool streamed; /* the body is fed, stream_bytes in all; body is ignored */
	uint64_t stream_bytes;
	bool once; /* must not arrive twice: on a reused connection libcurl sends again by itself
		      when it is closed without an answer; so it takes a new one */
	/* An address as address_format writes it: dialled instead of what the host's name resolves
	 * to, which is still the name in TLS and Host. NULL: the name is resolved. */
	const char *dial;
	size_t response_max_bytes; /* of the response body */
	bool cut; /* of a longer body the rest is not read, whatever the status, and that is fine;
		     so is one that does not end, once the headers are there */
	int64_t timeout_ms;   /* of the whole call; 0: none */
	enum err_code away;   /* code of the ERR_RETRY of a transport failure, as STORAGE_AWAY */
	enum err_code unsent; /* the same when there was no connection, so that surely nothing was
				 sent; NONE: away */
	enum err_code untrusted; /* the same when TLS failed, as by the certificate; NONE: away */
};

struct http_response {
	int status;
	struct buf headers; /* raw lines; read by http_response_header */
	struct buf body;    /* empty when data() took it */
};

/* All on the loop's thread. done is called exactly once, unless the call is cancelled; the call is
 * gone when it returns. To keep the response, move *response and zero the original. response is
 * NULL when result is a failure:
 *   ERR_RETRY request.away       connect, TLS, timeout, stall, connection lost, client closed
 *   ERR_REJECT record-too-large  the response is larger than its ceiling (a body of a status from
 *                                300 on is cut instead)
 *   ERR_REJECT bad-parameter     a URL that libcurl cannot read
 * From data a call may only be cancelled; done and drained may do anything but http_close. */
struct http_callbacks {
	void (*done)(void *arg, struct err result, struct http_response *response);
	void (*data)(void *arg, struct str bytes); /* or NULL: the body is collected */
	void (*drained)(void *arg);		   /* or NULL; a streamed call wants more bytes */
};

/* Loop thread. limits may be NULL. ERR_FATAL without memory or libcurl. */
struct err http_open(struct loop *loop, const struct http_limits *limits, struct http **ret_http)
	ERR_MUST_USE;

/* Loop thread. Ends every call with ERR_RETRY, then closes; the loop must turn once more before it
 * is closed itself. NULL is fine. No http_call may begin after it. */
void http_close(struct http *http);

/* Loop thread. Starts a call; no callback runs before this returns. *ret_call is valid until done
 * returns. ERR_REJECT bad-parameter for a URL or header libcurl refuses, ERR_FATAL without memory;
 * then no callback is ever called. */
struct err http_send(struct http *http, const struct http_request *request,
	const struct http_callbacks *callbacks, void *arg, struct http_call **ret_call)
	ERR_MUST_USE;

/* Loop thread. Ends the call without done(); its connection is closed if the exchange was under
 * way, so a half-sent body never becomes an object. The call is gone. */
void http_cancel(struct http_call *call);

/* Loop thread, streamed calls. Copies the bytes into the queue. ERR_REJECT bad-parameter when they
 * exceed stream_bytes or queue_max_bytes: look at http_call_pending and wait for drained. */
struct err http_call_feed(struct http_call *call, struct str bytes) ERR_MUST_USE;

/* Fed bytes that libcurl has not taken yet. */
size_t http_call_pending(const struct http_call *call);

/* Blocking, any thread but the loop's, which must be running: sends and waits for the answer. The
 * response is heap memory (bodies may have 50 MB, so no arena is charged), ended by
 * http_response_done. Failures as of http_send and done. Streamed calls are not possible. */
struct err http_call(struct http *http, const struct http_request *request,
	struct http_response *ret_response) ERR_MUST_USE;

struct loop *http_loop(const struct http *http);

/* Frees what the response holds; may be called on a zeroed one, and twice. */
void http_response_done(struct http_response *response);

/* The same at the arena's next reset; the response must live until then. False without memory. */
bool http_response_defer(struct arena *arena, struct http_response *response);

/* The trimmed value of the first header of that name (any case); ptr NULL when there is none. */
struct str http_response_header(const struct http_response *response, const char *name);

#endif
