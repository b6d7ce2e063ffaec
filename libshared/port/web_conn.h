/*
 * Inside of port/web: one connection, from bytes to exchanges and back. Not for handlers. Loop
 * thread only.
 */
#ifndef ESTEIRA_PORT_WEB_CONN_H
#define ESTEIRA_PORT_WEB_CONN_H

#include "base/err.h"
#include "base/str.h"

struct stream;
struct web_exchange;
struct web_parse;
struct web_pool;

enum web_conn_state {
	WEB_CONN_OPEN,
	WEB_CONN_LINGER, /* answered and shut: reading until the peer closes too */
	WEB_CONN_CLOSED, /* stream_close was called */
};

struct web_conn {
	struct web_pool *pool;
	struct stream *stream;
	struct web_conn *prev, *next;
	struct web_conn *kicked_next;
	struct web_parse *parse;       /* NULL between requests */
	struct web_exchange *exchange; /* NULL between requests */
	struct buf held;	       /* input that waits */
	int64_t since_ms;	       /* last event that the time limits count from */
	size_t pending_bytes;	       /* output when the sweep last looked */
	int64_t pending_since_ms;
	enum web_conn_state state;
	struct {
		bool used : 1;	 /* has had a request */
		bool eof : 1;	 /* the peer sends no more */
		bool kicked : 1; /* is in the pool's list */
		bool pumping : 1;
		bool reading : 1;
	} is;
};

/* A zeroed connection with pool and stream set: starts reading. */
void web_conn_start(struct web_conn *conn);

/* Whether input must wait. */
bool web_conn_blocked(const struct web_conn *conn);

/* Looks again at what is held. */
void web_conn_pump(struct web_conn *conn);

/* Ends the present exchange, or the request that did not become one, with a problem, and the
 * connection. */
void web_conn_fail(struct web_conn *conn, enum err_code code, const char *detail);

/* Ends our side after what is queued, and the connection when the peer has ended its own. */
void web_conn_shut(struct web_conn *conn);

/* Closes the connection without waiting for the queue; the exchange is aborted, later. */
void web_conn_drop(struct web_conn *conn);

/* The body is wanted now: its time limit starts, and a client that waits to send it is asked to. */
void web_conn_continue(struct web_conn *conn);

const char *web_conn_peer(const struct web_conn *conn);

/* Whether the connection may live on after an answer that starts now. */
bool web_conn_keeps(const struct web_conn *conn);

/* Queues heap memory for sending; it becomes the connection's. */
void web_conn_send(struct web_conn *conn, char *data, size_t size_bytes);
size_t web_conn_pending_bytes(const struct web_conn *conn);

/* The answer is complete: frees the exchange; the connection goes on or closes. */
void web_conn_end(struct web_conn *conn);

#endif
