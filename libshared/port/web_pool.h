/*
 * Inside of port/web: the connections of one server, the time limits they live under, and the list
 * of those to look at in the next turn of the loop. Not for handlers. Loop thread only.
 */
#ifndef ESTEIRA_PORT_WEB_POOL_H
#define ESTEIRA_PORT_WEB_POOL_H

#include "port/web.h"

struct loop_timer;
struct stream;
struct web_conn;

struct web_pool {
	struct web_conf conf;
	struct web_conn *first;
	size_t count;
	struct web_conn *kicked;
	struct loop_timer *kick;  /* calls web_pool_run_kicked */
	struct loop_timer *sweep; /* calls web_pool_sweep; runs while there are connections */
	bool closing;		  /* no further exchange after the present one */
	void (*empty)(void *arg); /* the last connection has gone; may free the pool */
	void *empty_arg;
};

/* Takes an accepted stream in; closed with 503 when the pool is full. */
void web_pool_add(struct web_pool *pool, struct stream *stream);

/* Takes a closed connection out and frees it, maybe the pool too. */
void web_pool_remove(struct web_pool *pool, struct web_conn *conn);

/* conn is pumped in the next turn of the loop, unless a pump is running: that looks again by
 * itself. */
void web_pool_kick(struct web_conn *conn);
void web_pool_run_kicked(struct web_pool *pool);

/* Applies the time limits to all connections. */
void web_pool_sweep(struct web_pool *pool);

/* Closes the connections without an exchange, or all of them. */
void web_pool_close_all(struct web_pool *pool, bool busy_too);

#endif
