/*
 * One timer walks all connections a few times per shortest limit, instead of a timer in each: an
 * idle connection stays small, and a limit may be late by a quarter of the shortest one.
 */
#include "port/web_pool.h"

#include <stdlib.h>

#include "base/clock.h"
#include "port/loop.h"
#include "port/stream.h"
#include "port/web_conn.h"
#include "port/web_parse.h"

/* A quarter of the shortest limit, within reason. */
static uint64_t sweep_ms(const struct web_limits *limits)
{
	const uint64_t all[] = { limits->header_ms, limits->body_idle_ms, limits->keepalive_ms,
		limits->send_idle_ms, limits->linger_ms };
	uint64_t least = 4000;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		least = all[i] < least ? all[i] : least;
	return least < 40 ? 10 : least / 4;
}

void web_pool_add(struct web_pool *pool, struct stream *stream)
{
	struct web_conn *conn = NULL;

	if (pool->count < pool->conf.limits.connections && !pool->closing)
		conn = calloc(1, sizeof *conn);
	if (conn == NULL) {
		if (pool->conf.tls == NULL)
			stream_write(
				stream, STR("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
					    "X-Content-Type-Options: nosniff\r\n"
					    "Referrer-Policy: no-referrer\r\n"
					    "Content-Security-Policy: default-src 'none'; "
					    "base-uri 'none'; frame-ancestors 'none'\r\n"
					    "Cache-Control: no-store\r\n"
					    "Content-Length: 0\r\nConnection: close\r\n\r\n"));
		stream_close(stream);
		return;
	}
	conn->pool = pool;
	conn->stream = stream;
	conn->next = pool->first;
	if (conn->next != NULL)
		conn->next->prev = conn;
	pool->first = conn;
	if (pool->count++ == 0)
		loop_timer_start(
			pool->sweep, sweep_ms(&pool->conf.limits), sweep_ms(&pool->conf.limits));
	web_conn_start(conn);
}

void web_pool_remove(struct web_pool *pool, struct web_conn *conn)
{
	struct web_conn **at = &pool->kicked;

	while (conn->is.kicked && *at != conn)
		at = &(*at)->kicked_next;
	if (conn->is.kicked)
		*at = conn->kicked_next;
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		pool->first = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	free(conn);
	if (--pool->count > 0)
		return;
	loop_timer_stop(pool->sweep);
	pool->empty(pool->empty_arg);
}

/* --- time --- */

/* True when the peer has taken nothing of what waits for too long. */
static bool send_stuck(struct web_conn *conn, int64_t now_ms)
{
	size_t pending = stream_pending_bytes(conn->stream);
	bool moved = conn->pending_bytes == 0 || pending != conn->pending_bytes;

	if (pending == 0 || moved)
		conn->pending_since_ms = now_ms;
	conn->pending_bytes = pending;
	if (pending > 0 && conn->exchange == NULL) /* the last answer is still going out */
		conn->since_ms = now_ms;
	return now_ms - conn->pending_since_ms >= (int64_t)conn->pool->conf.limits.send_idle_ms;
}

static void sweep_input(struct web_conn *conn, int64_t waited_ms)
{
	const struct web_limits *limits = &conn->pool->conf.limits;
	bool idle = conn->parse == NULL || web_parse_idle(conn->parse);

	if (conn->exchange != NULL) {
		if (!web_conn_blocked(conn) && waited_ms >= (int64_t)limits->body_idle_ms)
			web_conn_fail(conn, ERR_CODE_REQUEST_TIMEOUT, "The body stopped coming.");
	} else if (idle) {
		uint64_t limit_ms = conn->is.used ? limits->keepalive_ms : limits->header_ms;
		if (waited_ms >= (int64_t)limit_ms)
			web_conn_drop(conn);
	} else if (waited_ms >= (int64_t)limits->header_ms) {
		web_conn_fail(conn, ERR_CODE_REQUEST_TIMEOUT, "The header came in too slowly.");
	}
}

void web_pool_sweep(struct web_pool *pool)
{
	int64_t now_ms = clock_mono_ms();

	/* closing is asynchronous: the list does not change under us */
	for (struct web_conn *conn = pool->first; conn != NULL; conn = conn->next) {
		int64_t waited_ms = now_ms - conn->since_ms;
		if (conn->state == WEB_CONN_CLOSED)
			continue;
		if (send_stuck(conn, now_ms))
			web_conn_drop(conn);
		else if (conn->state == WEB_CONN_OPEN)
			sweep_input(conn, waited_ms);
		else if (waited_ms >= (int64_t)pool->conf.limits.linger_ms &&
			 conn->pending_bytes == 0)
			web_conn_drop(conn);
	}
}

void web_pool_close_all(struct web_pool *pool, bool busy_too)
{
	for (struct web_conn *conn = pool->first; conn != NULL; conn = conn->next) {
		if (busy_too)
			web_conn_drop(conn);
		else if (conn->exchange == NULL && conn->state == WEB_CONN_OPEN)
			web_conn_shut(conn);
	}
}

void web_pool_kick(struct web_conn *conn)
{
	struct web_pool *pool = conn->pool;

	conn->since_ms = clock_mono_ms();
	if (conn->is.kicked || conn->is.pumping)
		return; /* the running pump looks again by itself */
	conn->is.kicked = true;
	conn->kicked_next = pool->kicked;
	pool->kicked = conn;
	loop_timer_start(pool->kick, 0, 0);
}

void web_pool_run_kicked(struct web_pool *pool)
{
	while (pool->kicked != NULL) {
		struct web_conn *conn = pool->kicked;

		pool->kicked = conn->kicked_next;
		conn->is.kicked = false;
		if (conn->state == WEB_CONN_OPEN)
			web_conn_pump(conn);
	}
}
