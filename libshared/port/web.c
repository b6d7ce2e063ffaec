/*
 * The server: a listener, the pool of its connections, and two timers; and what a handler may ask
 * about its exchange. A closing server lives until its last connection has gone, because
 * connections end asynchronously.
 */
#include "port/web.h"

#include <stdlib.h>

#include "port/loop.h"
#include "port/stream_listener.h"
#include "port/web_conn.h"
#include "port/web_client.h"
#include "port/web_cors.h"
#include "port/web_exchange.h"
#include "port/web_pool.h"
#include "port/web_request.h"

struct web {
	struct web_pool pool;
	struct stream_listener *listener;
	struct loop_timer *deadline; /* of web_close */
	void (*done)(void *arg);
	void *done_arg;
};

struct web_limits web_limits_default(void)
{
	return (struct web_limits){
		.line_bytes = 8 * 1024,
		.header_bytes = 16 * 1024,
		.header_fields = 64,
		.connections = 1024,
		.pending_bytes = 1024 * 1024,
		.arena_bytes = 1024 * 1024,
		.header_ms = 10000,
		.body_idle_ms = 30000,
		.keepalive_ms = 60000,
		.send_idle_ms = 30000,
		.linger_ms = 1000,
	};
}

static void on_accept(void *arg, struct stream *stream)
{
	struct web *web = arg;

	web_pool_add(&web->pool, stream);
}

static void on_kick(void *arg)
{
	struct web *web = arg;

	web_pool_run_kicked(&web->pool);
}

static void on_sweep(void *arg)
{
	struct web *web = arg;

	web_pool_sweep(&web->pool);
}

static void web_free(struct web *web)
{
	loop_timer_free(web->pool.kick);
	loop_timer_free(web->pool.sweep);
	loop_timer_free(web->deadline);
	free(web);
}

static void on_empty(void *arg)
{
	struct web *web = arg;
	void (*done)(void *arg) = web->done;
	void *done_arg = web->done_arg;

	if (!web->pool.closing)
		return;
	web_free(web);
	if (done != NULL)
		done(done_arg);
}

static void on_deadline(void *arg)
{
	struct web *web = arg;

	if (web->pool.count == 0)
		on_empty(web);
	else
		web_pool_close_all(&web->pool, true);
}

static struct err start(struct web *web)
{
	struct loop *loop = web->pool.conf.loop;

	TRY(web_cors_check(web->pool.conf.cors.origins));
	TRY(web_client_check(web->pool.conf.proxies));
	TRY(loop_timer_new(loop, on_kick, web, &web->pool.kick));
	TRY(loop_timer_new(loop, on_sweep, web, &web->pool.sweep));
	TRY(loop_timer_new(loop, on_deadline, web, &web->deadline));
	return stream_listener_open(loop, web->pool.conf.address, on_accept, web, &web->listener);
}

struct err web_open(const struct web_conf *conf, struct web **ret_web)
{
	struct web *web = calloc(1, sizeof *web);

	if (web == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the HTTP server");
	web->pool.conf = *conf;
	web->pool.empty = on_empty;
	web->pool.empty_arg = web;
	struct err e = start(web);
	if (e.kind != ERR_OK) {
		web_free(web);
		return e;
	}
	*ret_web = web;
	return err_ok();
}

uint16_t web_port(const struct web *web)
{
	return stream_listener_port(web->listener);
}

void web_close(struct web *web, uint64_t timeout_ms, void (*done)(void *arg), void *arg)
{
	web->done = done;
	web->done_arg = arg;
	web->pool.closing = true;
	stream_listener_close(web->listener);
	web_pool_close_all(&web->pool, false);
	/* without connections the deadline comes at once: done is never called from in here */
	loop_timer_start(web->deadline, web->pool.count == 0 ? 0 : timeout_ms, 0);
}

struct str web_method(const struct web_exchange *exchange)
{
	return exchange->request == NULL ? STR("") : exchange->request->method;
}

const struct web_route *web_route_of(const struct web_exchange *exchange)
{
	return exchange->match.route;
}

void web_client(const struct web_exchange *exchange, char *ret_text)
{
	web_client_find(exchange->conn->pool->conf.proxies, web_conn_peer(exchange->conn),
		exchange->request, ret_text);
}

struct str web_request_id(const struct web_exchange *exchange)
{
	return str_of(exchange->request_id);
}

struct str web_param(const struct web_exchange *exchange, const char *name)
{
	const struct web_route_match *match = &exchange->match;

	for (size_t i = 0; i < match->param_count; i++)
		if (str_eq(match->params[i].name, str_of(name)))
			return match->params[i].value;
	return (struct str){ NULL, 0 };
}

struct str web_query(struct web_exchange *exchange, const char *name)
{
	struct str none = { NULL, 0 };

	if (exchange->request == NULL)
		return none;
	struct str raw = web_request_query(exchange->request, str_of(name));
	if (raw.ptr == NULL)
		return none;
	struct arena *arena = web_arena(exchange);
	char *text = arena == NULL ? NULL : arena_alloc(arena, raw.len + 1);
	if (text == NULL)
		return none;
	struct str value = { text, web_request_decode(raw, true, text) };
	return str_is_utf8(value) ? value : none;
}

struct str web_header(const struct web_exchange *exchange, const char *name)
{
	if (exchange->request == NULL)
		return (struct str){ NULL, 0 };
	return web_request_header(exchange->request, str_of(name));
}

struct str web_header_once(const struct web_exchange *exchange, const char *name)
{
	if (exchange->request == NULL)
		return (struct str){ NULL, 0 };
	return web_request_header_once(exchange->request, str_of(name));
}

int64_t web_content_length(const struct web_exchange *exchange)
{
	return exchange->request == NULL ? -1 : exchange->request->content_length;
}

struct str web_body(const struct web_exchange *exchange)
{
	return buf_str(&exchange->body.whole);
}

struct arena *web_arena(struct web_exchange *exchange)
{
	if (exchange->arena == NULL)
		exchange->arena = arena_new(exchange->conn->pool->conf.limits.arena_bytes);
	return exchange->arena;
}

void web_set_user(struct web_exchange *exchange, void *user)
{
	exchange->user = user;
}

void *web_user(const struct web_exchange *exchange)
{
	return exchange->user;
}

void web_read(struct web_exchange *exchange, const struct web_reader *reader, void *arg)
{
	if (exchange->reply != WEB_REPLY_NONE)
		return;
	exchange->body.reader = reader;
	exchange->body.arg = arg;
	web_conn_continue(exchange->conn);
	web_pool_kick(exchange->conn);
}

void web_pause(struct web_exchange *exchange)
{
	exchange->body.paused = true;
	web_pool_kick(exchange->conn);
}

void web_resume(struct web_exchange *exchange)
{
	exchange->body.paused = false;
	web_pool_kick(exchange->conn);
}

void web_on_abort(struct web_exchange *exchange,
	void (*fn)(struct web_exchange *exchange, void *arg), void *arg)
{
	exchange->on_abort = (struct web_exchange_hook){ fn, arg };
}
