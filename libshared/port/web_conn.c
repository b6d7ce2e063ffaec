/*
 * The wire side of the HTTP server. Input is pulled through the parser only while the exchange
 * wants it; what came too early is held, and past HELD_SOFT_BYTES the socket is no longer read, so
 * a client is slowed down by TCP. A connection that must close is first shut on our side and read
 * on for a moment: closing with unread input would reset it and could destroy the answer on its
 * way.
 */
#include "port/web_conn.h"

#include "base/clock.h"
#include "port/loop.h"
#include "port/stream.h"
#include "port/web_admit.h"
#include "port/web_exchange.h"
#include "port/web_parse.h"
#include "port/web_pool.h"
#include "port/web_reply.h"
#include "port/web_request.h"

enum {
	HELD_SOFT_BYTES = 16 * 1024,
	HELD_MAX_BYTES = HELD_SOFT_BYTES + LOOP_SCRATCH_BYTES,
	GONE_STATUS = 499
};

void web_conn_drop(struct web_conn *conn)
{
	conn->state = WEB_CONN_CLOSED;
	stream_close(conn->stream);
}

/* Whether input must wait. */
bool web_conn_blocked(const struct web_conn *conn)
{
	const struct web_exchange *exchange = conn->exchange;

	if (conn->state != WEB_CONN_OPEN)
		return true;
	if (exchange == NULL) /* a client that does not read its answers gets no more of them */
		return stream_pending_bytes(conn->stream) > conn->pool->conf.limits.pending_bytes;
	if (exchange->body.done || exchange->reply != WEB_REPLY_NONE ||
		exchange->match.route == NULL)
		return true;
	if (exchange->match.route->body != WEB_BODY_STREAM)
		return false;
	return exchange->body.reader == NULL || exchange->body.paused;
}

/* Reads the socket as long as there is room for what comes too early. */
static void update_reading(struct web_conn *conn)
{
	bool paused = conn->exchange != NULL && conn->exchange->body.paused;
	bool want = conn->state == WEB_CONN_LINGER || (!paused && conn->held.len < HELD_SOFT_BYTES);

	if (want == conn->is.reading || conn->state == WEB_CONN_CLOSED)
		return;
	conn->is.reading = want;
	if (want)
		stream_resume(conn->stream);
	else
		stream_pause(conn->stream);
}

/* --- ends --- */

static void finish_exchange(struct web_conn *conn, int status)
{
	struct web_exchange *exchange = conn->exchange;
	const struct web_conf *conf = &conn->pool->conf;

	if (conf->on_done != NULL)
		conf->on_done(exchange, status, clock_mono_us() - exchange->started_us, conf->arg);
	conn->exchange = NULL;
	web_exchange_free(exchange);
}

/* Tells the handler that it is over; it can say nothing any more. */
static void abort_handler(struct web_exchange *exchange)
{
	struct web_exchange_hook hook = exchange->on_abort;
	enum web_exchange_reply reply = exchange->reply;

	exchange->on_abort.fn = NULL;
	exchange->on_drain.fn = NULL;
	exchange->body.reader = NULL;
	if (hook.fn == NULL)
		return;
	exchange->reply = WEB_REPLY_MUTE;
	hook.fn(exchange, hook.arg);
	exchange->reply = reply;
}

/* Ends the present exchange (or the attempt to send one) with a problem, and the connection. */
void web_conn_fail(struct web_conn *conn, enum err_code code, const char *detail)
{
	if (conn->exchange == NULL)
		conn->exchange = web_exchange_new(conn, NULL);
	if (conn->exchange == NULL) {
		web_conn_drop(conn);
		return;
	}
	abort_handler(conn->exchange);
	if (conn->exchange->reply == WEB_REPLY_NONE) {
		web_reply_problem(conn->exchange, code, detail);
		return;
	}
	finish_exchange(conn, GONE_STATUS);
	web_conn_drop(conn);
}

void web_conn_shut(struct web_conn *conn)
{
	conn->state = WEB_CONN_LINGER;
	conn->since_ms = clock_mono_ms();
	buf_done(&conn->held);
	stream_shutdown(conn->stream);
	if (conn->is.eof && stream_pending_bytes(conn->stream) == 0)
		web_conn_drop(conn);
	update_reading(conn);
}

/* An idle connection keeps no parser. */
static void trim(struct web_conn *conn)
{
	if (conn->is.pumping || conn->exchange != NULL || conn->parse == NULL)
		return;
	if (!web_parse_idle(conn->parse))
		return;
	web_parse_free(conn->parse);
	conn->parse = NULL;
}

void web_conn_end(struct web_conn *conn)
{
	bool keep = conn->exchange->keep_alive;

	finish_exchange(conn, conn->exchange->status);
	if (conn->state != WEB_CONN_OPEN)
		return;
	if (!keep) {
		web_conn_shut(conn);
		return;
	}
	conn->since_ms = clock_mono_ms();
	web_parse_next(conn->parse);
	if (conn->held.len > 0 || conn->is.eof)
		web_pool_kick(conn);
	trim(conn);
	update_reading(conn);
}

/* --- requests --- */

static void on_head(struct web_conn *conn)
{
	struct web_request *request = web_parse_take(conn->parse);
	struct web_exchange *exchange = web_exchange_new(conn, request);

	if (exchange == NULL) {
		web_conn_drop(conn);
		return;
	}
	conn->exchange = exchange;
	conn->is.used = true;
	conn->since_ms = clock_mono_ms();
	exchange->body.done = !web_request_has_body(request);
	if (!web_admit(exchange))
		return;
	const struct web_route *route = exchange->match.route;
	if (route->body == WEB_BODY_BUFFERED) {
		exchange->body.whole = BUF(route->body_max);
		web_conn_continue(conn);
	}
	if (route->body != WEB_BODY_BUFFERED || exchange->body.done)
		route->handle(exchange, conn->pool->conf.arg);
}

static void on_piece(struct web_conn *conn, struct str piece)
{
	struct web_exchange *exchange = conn->exchange;
	struct web_exchange_body *body = &exchange->body;
	const struct web_route *route = exchange->match.route;

	conn->since_ms = clock_mono_ms();
	body->size_bytes += piece.len;
	if (route->body_max > 0 && body->size_bytes > route->body_max) {
		web_conn_fail(conn, ERR_CODE_BODY_TOO_LARGE, NULL);
		return;
	}
	if (route->body == WEB_BODY_STREAM) {
		body->reader->piece(exchange, piece, body->arg);
		return;
	}
	buf_add_str(&body->whole, piece);
	if (body->whole.overflow)
		web_conn_fail(conn,
			route->body_max == 0 ? ERR_CODE_BODY_TOO_LARGE : ERR_CODE_OUT_OF_MEMORY,
			NULL);
}

static void on_end(struct web_conn *conn)
{
	struct web_exchange *exchange = conn->exchange;

	exchange->body.done = true;
	if (exchange->match.route->body == WEB_BODY_BUFFERED)
		exchange->match.route->handle(exchange, conn->pool->conf.arg);
}

/* The end of a streamed body is told when it has come and its reader is there and not paused. */
static void tell_end(struct web_conn *conn)
{
	struct web_exchange *exchange = conn->exchange;
	struct web_exchange_body *body = exchange == NULL ? NULL : &exchange->body;

	if (body == NULL || !body->done || body->told || body->paused || body->reader == NULL ||
		exchange->reply != WEB_REPLY_NONE)
		return;
	body->told = true;
	body->reader->end(exchange, body->arg);
}

static bool step(struct web_conn *conn, struct str *bytes)
{
	struct str piece;

	if (conn->parse == NULL)
		conn->parse = web_parse_new(&conn->pool->conf.limits);
	if (conn->parse == NULL) {
		web_conn_drop(conn);
		return false;
	}
	if (web_parse_idle(conn->parse))
		conn->since_ms = clock_mono_ms(); /* the header limit counts from the first byte */
	switch (web_parse_feed(conn->parse, bytes, &piece)) {
	case WEB_PARSE_MORE:
		return false;
	case WEB_PARSE_HEAD:
		on_head(conn);
		break;
	case WEB_PARSE_BODY:
		on_piece(conn, piece);
		break;
	case WEB_PARSE_END:
		on_end(conn);
		break;
	case WEB_PARSE_FAIL: {
		struct err why = web_parse_failure(conn->parse);
		web_conn_fail(conn, why.code, why.msg);
		break;
	}
	}
	tell_end(conn);
	return true;
}

/* The peer sends no more, and all it sent was looked at. */
static void finish_eof(struct web_conn *conn)
{
	if (conn->exchange != NULL &&
		(conn->exchange->body.done || conn->exchange->reply != WEB_REPLY_NONE))
		return; /* half-closed: it waits for the answer */
	if (conn->exchange != NULL)
		web_conn_drop(conn);
	else
		web_conn_shut(conn);
}

/* Everything that can be done with what is held and with bytes; the rest is held. */
static void pump(struct web_conn *conn, struct str bytes)
{
	struct buf held = conn->held;
	bool more = true;

	conn->held = BUF(HELD_MAX_BYTES);
	if (held.len > 0) {
		buf_add_str(&held, bytes);
		bytes = buf_str(&held);
	}
	conn->is.pumping = true;
	tell_end(conn);
	while (more && !web_conn_blocked(conn) && (bytes.len > 0 || conn->exchange != NULL))
		more = step(conn, &bytes);
	conn->is.pumping = false;
	if (conn->state == WEB_CONN_OPEN)
		buf_add_str(&conn->held, bytes);
	if (held.overflow || conn->held.overflow)
		web_conn_drop(conn);
	buf_done(&held);
	if (conn->state == WEB_CONN_OPEN && conn->is.eof && !web_conn_blocked(conn))
		finish_eof(conn);
	trim(conn);
	update_reading(conn);
}

void web_conn_pump(struct web_conn *conn)
{
	pump(conn, (struct str){ NULL, 0 });
}

/* --- events of the stream --- */

static void on_data(void *arg, struct str bytes)
{
	struct web_conn *conn = arg;

	if (conn->state == WEB_CONN_OPEN)
		pump(conn, bytes);
}

static void on_eof(void *arg)
{
	struct web_conn *conn = arg;

	conn->is.eof = true;
	if (conn->state == WEB_CONN_OPEN)
		pump(conn, (struct str){ NULL, 0 });
	else if (stream_pending_bytes(conn->stream) == 0)
		web_conn_drop(conn);
}

static void on_drained(void *arg)
{
	struct web_conn *conn = arg;
	struct web_exchange *exchange = conn->exchange;

	conn->since_ms = clock_mono_ms();
	if (conn->state == WEB_CONN_LINGER && conn->is.eof)
		web_conn_drop(conn);
	if (exchange == NULL)
		web_pool_kick(conn);
	if (exchange != NULL && exchange->on_drain.fn != NULL)
		exchange->on_drain.fn(exchange, exchange->on_drain.arg);
}

static void on_closed(void *arg, struct err why)
{
	struct web_conn *conn = arg;
	struct web_pool *pool = conn->pool;

	(void)why; /* peers come and go */
	conn->state = WEB_CONN_CLOSED;
	if (conn->exchange != NULL) {
		abort_handler(conn->exchange);
		finish_exchange(conn, GONE_STATUS);
	}
	web_parse_free(conn->parse);
	buf_done(&conn->held);
	web_pool_remove(pool, conn);
}

void web_conn_start(struct web_conn *conn)
{
	static const struct stream_events events = {
		.data = on_data,
		.eof = on_eof,
		.drained = on_drained,
		.closed = on_closed,
	};

	conn->held = BUF(HELD_MAX_BYTES);
	conn->since_ms = clock_mono_ms();
	conn->is.reading = true;
	stream_attach(conn->stream, conn->pool->conf.tls, &events, conn);
}

/* --- for the exchange --- */

void web_conn_continue(struct web_conn *conn)
{
	const struct web_exchange *exchange = conn->exchange;

	conn->since_ms = clock_mono_ms();
	if (exchange->request->expects_continue && !exchange->body.done)
		stream_write(conn->stream, STR("HTTP/1.1 100 Continue\r\n\r\n"));
}

const char *web_conn_peer(const struct web_conn *conn)
{
	return stream_peer(conn->stream);
}

bool web_conn_keeps(const struct web_conn *conn)
{
	return conn->state == WEB_CONN_OPEN && !conn->is.eof && !conn->pool->closing &&
	       conn->exchange->request != NULL && conn->exchange->request->keep_alive &&
	       conn->exchange->body.done;
}

void web_conn_send(struct web_conn *conn, char *data, size_t size_bytes)
{
	stream_write_take(conn->stream, data, size_bytes);
}

size_t web_conn_pending_bytes(const struct web_conn *conn)
{
	return stream_pending_bytes(conn->stream);
}
