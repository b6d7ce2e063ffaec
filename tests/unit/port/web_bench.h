/*
 * A server with every kind of handler on a thread of its own, and a client of raw sockets, for the
 * two test programs of port/web.
 */
#ifndef ESTEIRA_TESTS_WEB_BENCH_H
#define ESTEIRA_TESTS_WEB_BENCH_H

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "port/loop.h"
#include "port/web.h"
#include "port/web_reply.h"

#define H	  "Host: a\r\n"
#define POST	  "POST /echo HTTP/1.1\r\n" H
#define MEDIA	  "POST /media HTTP/1.1\r\n" H "Content-Length: 4\r\n"
#define CSV	  "Content-Type: text/csv\r\n"
#define PREFLIGHT "OPTIONS /echo HTTP/1.1\r\n" H "Access-Control-Request-Method: POST\r\n"
#define CLOSE	  "Connection: close\r\n\r\n"

enum { ANSWER_BYTES = 64 * 1024, BIG_BYTES = 8 * 1024 * 1024, WAIT_S = 10 };

static struct web_bench_server {
	struct loop *loop;
	struct web *web;
	pthread_t thread;
	uint16_t port;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int ended[600]; /* exchanges by status */
	int aborted;
	char *big;
} server = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* --- handlers --- */

static void count_abort(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	web_reply_problem(exchange, ERR_CODE_INTERNAL, NULL); /* must be dropped */
	pthread_mutex_lock(&server.lock);
	server.aborted++;
	pthread_cond_broadcast(&server.changed);
	pthread_mutex_unlock(&server.lock);
}

static void on_done(const struct web_exchange *exchange, int status, int64_t duration_us, void *arg)
{
	(void)arg;
	ck_assert(duration_us >= 0);
	ck_assert(web_request_id(exchange).len > 0);
	pthread_mutex_lock(&server.lock);
	server.ended[status]++;
	pthread_cond_broadcast(&server.changed);
	pthread_mutex_unlock(&server.lock);
}

/* Waits until *counter is at least value. */
static inline void await(const int *counter, int value)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&server.lock);
	while (*counter < value)
		ck_assert_int_eq(pthread_cond_timedwait(&server.changed, &server.lock, &until), 0);
	pthread_mutex_unlock(&server.lock);
}

static void hello(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	web_reply_send(exchange, 200, NULL, STR("hello"));
}

static void item(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	web_reply_send(exchange, 200, NULL, web_param(exchange, "id"));
}

static void query(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	struct str q = web_query(exchange, "q"), h = web_header(exchange, "X-Test");
	struct str once = web_header_once(exchange, "X-Test");
	char *text = arena_printf(web_arena(exchange), "[%.*s][%.*s][%d][%.*s]", (int)q.len, q.ptr,
		(int)h.len, h.ptr, q.ptr != NULL, (int)once.len, once.ptr);
	web_reply_send(exchange, 200, NULL, str_of(text));
}

static void echo(struct web_exchange *exchange, void *arg)
{
	const struct web_field fields[] = { { "Content-Type", STR("text/plain") },
		{ "X-Evil", STR("a\r\nSet-Cookie: b") }, { NULL, { NULL, 0 } } };
	(void)arg;
	web_reply_send(exchange, 200, fields, web_body(exchange));
}

static void sink_piece(struct web_exchange *exchange, struct str bytes, void *arg)
{
	(void)arg;
	ck_assert_uint_gt(bytes.len, 0);
	web_set_user(exchange, (void *)((uintptr_t)web_user(exchange) + bytes.len));
}

static void sink_end(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	char *text = arena_printf(web_arena(exchange), "%zu", (size_t)web_user(exchange));
	web_reply_send(exchange, 200, NULL, str_of(text));
}

static const struct web_reader sink_reader = { sink_piece, sink_end };

static void sink(struct web_exchange *exchange, void *arg)
{
	web_on_abort(exchange, count_abort, NULL);
	web_read(exchange, &sink_reader, arg);
}

static void on_later(void *arg)
{
	web_resume(arg);
}

static void slow_piece(struct web_exchange *exchange, struct str bytes, void *arg)
{
	sink_piece(exchange, bytes, arg);
	web_pause(exchange);
	ck_assert(loop_post(server.loop, on_later, exchange));
}

static const struct web_reader slow_reader = { slow_piece, sink_end };

static void on_read_later(void *arg)
{
	web_read(arg, &slow_reader, NULL);
}

static void slow_sink(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	ck_assert(loop_post(server.loop, on_read_later, exchange));
}

static void early(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	web_reply_problem(exchange, ERR_CODE_UNAUTHENTICATED, "No \"key\"\\.\n");
}

static void on_answer(void *arg)
{
	web_reply_send(arg, 200, NULL, STR("later"));
}

static void later(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	ck_assert(loop_post(server.loop, on_answer, exchange));
}

static void never(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	web_on_abort(exchange, count_abort, NULL);
	web_reply_start(exchange, 200, NULL);
	web_reply_write(exchange, STR("first"));
}

static void stream(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	web_reply_start(exchange, 200, NULL);
	web_reply_write(exchange, STR("one"));
	web_reply_write(exchange, STR(""));
	web_reply_write(exchange, STR("two"));
	web_reply_end(exchange);
}

static void big(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	web_reply_send(exchange, 200, NULL, (struct str){ server.big, BIG_BYTES });
}

static void flood(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	web_on_abort(exchange, count_abort, NULL);
	web_reply_start(exchange, 200, NULL);
	for (int i = 0; i < 2; i++)
		web_reply_write(exchange, (struct str){ server.big, BIG_BYTES });
	web_reply_end(exchange);
}

static void drain_more(struct web_exchange *exchange, void *arg)
{
	(void)arg;
	size_t sent = (size_t)web_user(exchange);
	if (sent == BIG_BYTES) {
		web_reply_end(exchange);
		return;
	}
	while (web_reply_pending_bytes(exchange) == 0 && sent < BIG_BYTES) {
		web_reply_write(exchange, (struct str){ server.big + sent, 65536 });
		sent += 65536;
	}
	web_set_user(exchange, (void *)sent);
	if (web_reply_pending_bytes(exchange) == 0)
		web_reply_end(exchange);
}

static void drain(struct web_exchange *exchange, void *arg)
{
	web_reply_start(exchange, 200, NULL);
	web_reply_on_drain(exchange, drain_more, arg);
	drain_more(exchange, arg);
}

static const struct web_route routes[] = {
	{ "GET", "/hello", hello, WEB_BODY_NONE, 0, NULL },
	{ "GET", "/items/{id}/x", item, WEB_BODY_NONE, 0, NULL },
	{ "GET", "/query", query, WEB_BODY_NONE, 0, NULL },
	{ "POST", "/echo", echo, WEB_BODY_BUFFERED, 1000, NULL },
	{ "POST", "/media", echo, WEB_BODY_BUFFERED, 1000, NULL, "text/plain, text/csv" },
	{ "POST", "/sink", sink, WEB_BODY_STREAM, 0, NULL },
	{ "POST", "/max", sink, WEB_BODY_STREAM, 1000, NULL },
	{ "POST", "/slow", slow_sink, WEB_BODY_STREAM, 0, NULL },
	{ "POST", "/early", early, WEB_BODY_STREAM, 0, NULL },
	{ "GET", "/later", later, WEB_BODY_NONE, 0, NULL },
	{ "GET", "/never", never, WEB_BODY_NONE, 0, NULL },
	{ "GET", "/stream", stream, WEB_BODY_NONE, 0, NULL },
	{ "GET", "/big", big, WEB_BODY_NONE, 0, NULL },
	{ "GET", "/flood", flood, WEB_BODY_NONE, 0, NULL },
	{ "GET", "/drain", drain, WEB_BODY_NONE, 0, NULL },
	{ NULL },
};

/* --- the server's life --- */

static void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void on_closed(void *arg)
{
	loop_stop(arg);
}

static void start(void)
{
	struct web_conf conf = { .address = "127.0.0.1:0", .routes = routes, .on_done = on_done };

	memset(server.ended, 0, sizeof server.ended);
	server.aborted = 0;
	server.big = calloc(1, BIG_BYTES);
	ck_assert_int_eq(loop_open(&server.loop).kind, ERR_OK);
	conf.loop = server.loop;
	conf.limits = web_limits_default();
	conf.limits.header_ms = 800;
	conf.limits.body_idle_ms = 500;
	conf.limits.keepalive_ms = 600;
	conf.limits.send_idle_ms = 400;
	conf.limits.linger_ms = 300;
	conf.limits.connections = 20;
	conf.cors = (struct web_cors){ "https://app.example, http://localhost:3000", "X-API-Key",
		"X-Request-Id" };
	ck_assert_int_eq(web_open(&conf, &server.web).kind, ERR_OK);
	server.port = web_port(server.web);
	ck_assert_int_eq(pthread_create(&server.thread, NULL, run, server.loop), 0);
}

static void close_web(void *arg)
{
	web_close(arg, 200, on_closed, server.loop);
}

static void stop(void)
{
	ck_assert(loop_post(server.loop, close_web, server.web));
	pthread_join(server.thread, NULL);
	loop_close(server.loop);
	free(server.big);
}

/* --- the client --- */

static int dial(int receive_bytes)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(server.port) };
	struct timeval limit = { .tv_sec = WAIT_S };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (receive_bytes > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void put(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n <= 0)
			return; /* the server may have closed: the answer tells */
		bytes += n;
		len -= (size_t)n;
	}
}

static inline void say(int fd, const char *text)
{
	put(fd, text, strlen(text));
}

/* Reads until text has been seen, or the end; false at the end. */
static bool hear(int fd, char *answer, const char *text)
{
	size_t len = strlen(answer);

	while (strstr(answer, text) == NULL) {
		ck_assert_uint_lt(len, ANSWER_BYTES - 1);
		ssize_t n = recv(fd, answer + len, ANSWER_BYTES - 1 - len, 0);
		ck_assert_msg(n >= 0, "no answer, so far: %s", answer);
		if (n == 0)
			return false;
		len += (size_t)n;
		answer[len] = '\0';
	}
	return true;
}

/* Everything until the server closes. */
static void hear_all(int fd, char *answer)
{
	ck_assert(!hear(fd, answer, "\x01never"));
}

static inline size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		count++;
	return count;
}

/* Sends bytes, reads until the server closes. */
static inline void talk(const char *bytes, size_t len, char *answer)
{
	int fd = dial(0);

	answer[0] = '\0';
	put(fd, bytes, len);
	hear_all(fd, answer);
	close(fd);
}

static inline void ask(const char *text, char *answer)
{
	talk(text, strlen(text), answer);
}

#endif
