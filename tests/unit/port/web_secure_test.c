/* The HTTP server under TLS: one loop, the server and its clients. */
#include "port/web.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "port/loop.h"
#include "port/stream.h"
#include "port/web_reply.h"
#include "tls_rig.h"

enum { CLIENTS = 2 };

struct client {
	struct bench *bench;
	struct stream *stream;
	struct buf heard;
	struct err why;
	bool ended, closed;
};

struct bench {
	struct loop *loop;
	struct web *web;
	struct tls *serving, *calling;
	struct client clients[CLIENTS];
	int open; /* clients that are waited for */
	int asked;
};

static struct tls_rig rig;
static struct bench bench;

static void open_rig(void)
{
	rig_open(&rig);
}

static void close_rig(void)
{
	rig_close(&rig);
}

static void hello(struct web_exchange *exchange, void *arg)
{
	((struct bench *)arg)->asked++;
	web_reply_send(exchange, 200, NULL, STR("hello"));
}

static const struct web_route routes[] = {
	{ "GET", "/hello", hello, WEB_BODY_NONE, 0, NULL },
	{ NULL },
};

static void on_data(void *arg, struct str bytes)
{
	buf_add_str(&((struct client *)arg)->heard, bytes);
}

static void on_eof(void *arg)
{
	struct client *client = arg;

	client->ended = true;
	stream_close(client->stream);
}

static void on_closed(void *arg, struct err why)
{
	struct client *client = arg;

	client->why = why;
	client->closed = true;
	if (--client->bench->open == 0)
		loop_stop(client->bench->loop);
}

static const struct stream_events events = { NULL, on_data, on_eof, NULL, on_closed };

static struct client *dial_with(bool is_tls, const struct stream_events *with)
{
	struct client *client = &bench.clients[bench.open++];
	const struct stream_target target = { "localhost", web_port(bench.web), 5000,
		is_tls ? bench.calling : NULL };

	*client = (struct client){ .bench = &bench, .heard = BUF(1 << 20) };
	ck_assert_int_eq(
		stream_connect(bench.loop, &target, with, client, &client->stream).kind, ERR_OK);
	return client;
}

static struct client *dial(bool is_tls)
{
	return dial_with(is_tls, &events);
}

/* The first one stands: now the second. */
static void on_connected(void *arg)
{
	(void)arg;
	dial(true);
}

static void setup(size_t connections)
{
	struct web_conf conf = { .address = "127.0.0.1:0", .routes = routes, .arg = &bench };

	bench = (struct bench){ .open = 0 };
	ck_assert_int_eq(loop_open(&bench.loop).kind, ERR_OK);
	bench.serving = rig_server(&rig, "server", NULL, false);
	bench.calling = rig_client(&rig, NULL, "ca");
	conf.loop = bench.loop;
	conf.tls = bench.serving;
	conf.limits = web_limits_default();
	conf.limits.connections = connections;
	ck_assert_int_eq(web_open(&conf, &bench.web).kind, ERR_OK);
}

static void on_web_closed(void *arg)
{
	loop_stop(arg);
}

static void teardown(void)
{
	web_close(bench.web, 100, on_web_closed, bench.loop);
	loop_run(bench.loop);
	loop_close(bench.loop);
	tls_close(bench.serving);
	tls_close(bench.calling);
	for (size_t i = 0; i < CLIENTS; i++)
		buf_done(&bench.clients[i].heard);
}

START_TEST(answers_and_takes_leave)
{
	setup(4);
	struct client *client = dial(true);
	stream_write(
		client->stream, STR("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
	loop_run(bench.loop);
	ck_assert(strncmp(client->heard.ptr, "HTTP/1.1 200 OK\r\n", 17) == 0);
	ck_assert_ptr_nonnull(strstr(client->heard.ptr,
		"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"));
	ck_assert(client->ended); /* by a farewell, not by a cut */
	teardown();
}
END_TEST

/* One too many: no hello is read, no key is used, nothing is said. */
START_TEST(refuses_before_the_handshake)
{
	static const struct stream_events silent = { on_connected, on_data, on_eof, NULL,
		on_closed };

	setup(1);
	const struct client *first = dial_with(false, &silent); /* holds the only place */
	const struct client *second = &bench.clients[1];
	loop_run(bench.loop); /* until the handshake's deadline of the first */
	ck_assert(first->closed && second->closed);
	ck_assert(!second->ended || second->heard.len == 0);
	ck_assert_int_ne(second->why.kind, ERR_OK);
	ck_assert_uint_eq(tls_counted(bench.serving, TLS_ESTABLISHED), 0);
	ck_assert_uint_eq(tls_counted(bench.serving, TLS_REFUSED), 0);
	ck_assert_uint_eq(tls_counted(bench.serving, TLS_LATE), 1);
	ck_assert_int_eq(bench.asked, 0);
	teardown();
}
END_TEST

/* A request that came in the clear is never answered. */
START_TEST(plain_requests_reach_no_handler)
{
	setup(4);
	struct client *client = dial(false);
	stream_write(client->stream, STR("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
	loop_run(bench.loop);
	ck_assert_int_eq(bench.asked, 0);
	ck_assert(client->heard.len == 0 || strstr(client->heard.ptr, "HTTP") == NULL);
	ck_assert_uint_eq(tls_counted(bench.serving, TLS_REFUSED), 1);
	teardown();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("web_secure");
	TCase *tc = tcase_create("web_secure");

	tcase_add_unchecked_fixture(tc, open_rig, close_rig);
	tcase_add_test(tc, answers_and_takes_leave);
	tcase_add_test(tc, refuses_before_the_handshake);
	tcase_add_test(tc, plain_requests_reach_no_handler);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
