/*
 * Both ends of a stream on one loop: a server that echoes, drops or stays silent, a client that
 * counts.
 */
#include "port/stream.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/loop.h"
#include "port/stream_listener.h"

enum { MANY_BYTES = 8 * 1024 * 1024 };

struct side {
	struct bench *bench;
	struct stream *stream;
	size_t received;
	int connected, eof, drained, closed;
	struct err why;
};

struct bench {
	struct loop *loop;
	struct stream_listener *listener;
	struct side client, server;
	char *many;
};

static void on_connected(void *arg)
{
	((struct side *)arg)->connected++;
}

static void on_drained(void *arg)
{
	((struct side *)arg)->drained++;
}

/* The test ends when both ends (or the one that there is) have closed. */
static void on_closed(void *arg, struct err why)
{
	struct side *side = arg;
	struct bench *bench = side->bench;

	side->closed++;
	side->why = why;
	side->stream = NULL;
	if (bench->client.stream == NULL && bench->server.stream == NULL)
		loop_stop(bench->loop);
}

static void count(void *arg, struct str bytes)
{
	((struct side *)arg)->received += bytes.len;
}

static void echo(void *arg, struct str bytes)
{
	struct side *side = arg;

	side->received += bytes.len;
	stream_write(side->stream, bytes);
}

static void end_too(void *arg)
{
	struct side *side = arg;

	side->eof++;
	stream_shutdown(side->stream);
	stream_write(side->stream, STR("too late"));
	if (stream_pending_bytes(side->stream) == 0)
		stream_close(side->stream);
}

static const struct stream_events counting = { on_connected, count, NULL, on_drained, on_closed };
static const struct stream_events echoing = { NULL, echo, end_too, on_drained, on_closed };

static void accept_echo(void *arg, struct stream *stream)
{
	struct bench *bench = arg;

	ck_assert_str_eq(stream_peer(stream), "127.0.0.1");
	bench->server.stream = stream;
	stream_attach(stream, NULL, &echoing, &bench->server);
	stream_listener_close(bench->listener);
	bench->listener = NULL;
}

static void accept_drop(void *arg, struct stream *stream)
{
	(void)arg;
	stream_close(stream);
	stream_close(stream);
}

static void accept_count(void *arg, struct stream *stream)
{
	struct bench *bench = arg;

	bench->server.stream = stream;
	stream_attach(stream, NULL, &counting, &bench->server);
}

static void setup(struct bench *bench, stream_accept_fn *accept)
{
	*bench = (struct bench){ .many = calloc(1, MANY_BYTES) };
	bench->client.bench = bench->server.bench = bench;
	ck_assert_int_eq(loop_open(&bench->loop).kind, ERR_OK);
	struct err e =
		stream_listener_open(bench->loop, "127.0.0.1:0", accept, bench, &bench->listener);
	ck_assert_int_eq(e.kind, ERR_OK);
}

static void teardown(struct bench *bench)
{
	stream_listener_close(bench->listener);
	loop_close(bench->loop);
	free(bench->many);
}

static void dial(struct bench *bench, const char *host, uint16_t port, uint64_t timeout_ms,
	const struct stream_events *events)
{
	struct stream_target target = { host, port, timeout_ms };
	struct err e =
		stream_connect(bench->loop, &target, events, &bench->client, &bench->client.stream);

	ck_assert_int_eq(e.kind, ERR_OK);
}

/* Written before the connection stands, by address and by name; the half-closed peer answers. */
START_TEST(echoes_and_half_closes)
{
	const char *hosts[] = { "127.0.0.1", "localhost" };
	struct bench bench;

	setup(&bench, accept_echo);
	dial(&bench, hosts[_i], stream_listener_port(bench.listener), 5000, &counting);
	stream_write(bench.client.stream, STR("hello"));
	stream_write(bench.client.stream, STR(""));
	stream_write_take(bench.client.stream, strdup(", world"), 7);
	ck_assert_uint_eq(stream_pending_bytes(bench.client.stream), 12);
	stream_shutdown(bench.client.stream);
	stream_write(bench.client.stream, STR("dropped"));
	loop_run(bench.loop);
	ck_assert_uint_eq(bench.server.received, 12);
	ck_assert_uint_eq(bench.client.received, 12);
	ck_assert_int_eq(bench.server.eof, 1);
	ck_assert_int_eq(bench.client.connected, 1);
	ck_assert_int_eq(bench.client.closed, 1);
	ck_assert_int_eq(bench.server.closed, 1);
	ck_assert_int_eq(bench.server.why.kind, ERR_OK);
	ck_assert(err_is(bench.client.why, ERR_CODE_TRY_AGAIN)); /* no eof callback: lost */
	teardown(&bench);
}
END_TEST

static void write_many(void *arg)
{
	struct side *side = arg;

	stream_write(side->stream, (struct str){ side->bench->many, MANY_BYTES });
	stream_write_take(side->stream, calloc(1, MANY_BYTES), MANY_BYTES);
	ck_assert_uint_gt(stream_pending_bytes(side->stream), 0);
	stream_resume(
		side->bench->server.stream != NULL ? side->bench->server.stream : side->stream);
}

static void resume_server(void *arg)
{
	struct side *side = arg;

	side->drained++;
	stream_close(side->stream);
}

static void count_all(void *arg, struct str bytes)
{
	struct side *side = arg;

	side->received += bytes.len;
	if (side->received == 2 * MANY_BYTES)
		stream_close(side->stream);
	if (side->received % 3 == 0) { /* back and forth loses nothing */
		stream_pause(side->stream);
		stream_resume(side->stream);
	}
}

static const struct stream_events writing = { write_many, NULL, NULL, resume_server, on_closed };
static const struct stream_events counting_all = { NULL, count_all, NULL, NULL, on_closed };

static void accept_all(void *arg, struct stream *stream)
{
	struct bench *bench = arg;

	bench->server.stream = stream;
	stream_attach(stream, NULL, &counting_all, &bench->server);
}

START_TEST(drains_a_large_queue)
{
	struct bench bench;

	setup(&bench, accept_all);
	dial(&bench, "127.0.0.1", stream_listener_port(bench.listener), 5000, &writing);
	loop_run(bench.loop);
	ck_assert_uint_eq(bench.server.received, 2 * MANY_BYTES);
	ck_assert_int_eq(bench.client.drained, 1);
	ck_assert_int_eq(bench.client.closed, 1);
	teardown(&bench);
}
END_TEST

static void close_full(void *arg)
{
	struct side *side = arg;

	stream_write(side->stream, (struct str){ side->bench->many, MANY_BYTES });
	stream_close(side->stream);
	stream_close(side->stream);
	ck_assert_int_eq(side->closed, 0); /* never from inside a call */
	stream_resume(side->stream);
	stream_write(side->stream, STR("x"));
	stream_shutdown(side->stream);
}

static const struct stream_events closing = { close_full, count, NULL, on_drained, on_closed };

/* Closing does not wait for what is queued, and comes once. */
START_TEST(closes_with_a_full_queue)
{
	struct bench bench;

	setup(&bench, accept_count);
	dial(&bench, "127.0.0.1", stream_listener_port(bench.listener), 5000, &closing);
	loop_run(bench.loop);
	ck_assert_int_eq(bench.client.closed, 1);
	ck_assert_int_eq(bench.client.why.kind, ERR_OK);
	ck_assert_int_eq(bench.client.drained, 0);
	if (bench.server.stream != NULL) {
		stream_close(bench.server.stream);
		loop_run(bench.loop);
	}
	teardown(&bench);
}
END_TEST

START_TEST(tells_that_the_peer_went)
{
	struct bench bench;

	setup(&bench, accept_drop);
	dial(&bench, "127.0.0.1", stream_listener_port(bench.listener), 5000, &counting);
	loop_run(bench.loop);
	ck_assert_int_eq(bench.client.closed, 1);
	ck_assert(err_is(bench.client.why, ERR_CODE_TRY_AGAIN));
	ck_assert_int_eq(bench.client.why.kind, ERR_RETRY);
	teardown(&bench);
}
END_TEST

/* Nobody listens, no such name, nobody answers, a host that is too long; closed before it stood. */
START_TEST(tells_that_it_cannot_connect)
{
	static const struct {
		const char *host;
		bool listening;
		uint64_t timeout_ms;
		enum err_code code;
	} rows[] = {
		{ "127.0.0.1", false, 5000, ERR_CODE_TRY_AGAIN },
		{ "localhost", false, 5000, ERR_CODE_TRY_AGAIN },
		{ "::1", false, 5000, ERR_CODE_TRY_AGAIN },
		{ "no such host.invalid", true, 5000, ERR_CODE_TRY_AGAIN },
	};
	struct bench bench;

	setup(&bench, accept_count);
	uint16_t port = stream_listener_port(bench.listener);
	if (!rows[_i].listening) {
		stream_listener_close(bench.listener);
		bench.listener = NULL;
	}
	dial(&bench, rows[_i].host, port, rows[_i].timeout_ms, &counting);
	stream_write(bench.client.stream, STR("x"));
	loop_run(bench.loop);
	ck_assert_int_eq(bench.client.closed, 1);
	ck_assert_int_eq(bench.client.connected, 0);
	ck_assert_msg(err_is(bench.client.why, rows[_i].code), "%s", bench.client.why.msg);
	teardown(&bench);
}
END_TEST

START_TEST(times_out_while_connecting)
{
	struct bench bench;

	setup(&bench, accept_count);
	/* a name takes longer than no time at all */
	dial(&bench, "localhost", stream_listener_port(bench.listener), 0, &counting);
	loop_run(bench.loop);
	ck_assert_int_eq(bench.client.closed, 1);
	ck_assert(bench.client.connected == 1 || err_is(bench.client.why, ERR_CODE_TIMEOUT));
	teardown(&bench);
}
END_TEST

START_TEST(closes_while_connecting)
{
	const char *hosts[] = { "127.0.0.1", "localhost" };
	struct bench bench;

	setup(&bench, accept_drop);
	dial(&bench, hosts[_i], stream_listener_port(bench.listener), 5000, &counting);
	stream_close(bench.client.stream);
	loop_run(bench.loop);
	ck_assert_int_eq(bench.client.closed, 1);
	ck_assert_int_eq(bench.client.connected, 0);
	ck_assert_int_eq(bench.client.why.kind, ERR_OK);
	teardown(&bench);
}
END_TEST

START_TEST(refuses_bad_addresses)
{
	static const char *const addresses[] = { "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
		"127.0.0.1:65536", "127.0.0.1:-1", "example.org:80", "[::1:80", "::1:80",
		"1.2.3:80", "1111111111111111111111111111111111111111111111111111:80" };
	struct bench bench;
	struct stream_listener *other = NULL;
	char taken[32], host[400];

	setup(&bench, accept_drop);
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		struct err e =
			stream_listener_open(bench.loop, addresses[i], accept_drop, NULL, &other);
		ck_assert_msg(
			e.kind == ERR_REJECT && e.code == ERR_CODE_BAD_CONFIG, "%s", addresses[i]);
	}
	snprintf(taken, sizeof taken, "127.0.0.1:%u",
		(unsigned)stream_listener_port(bench.listener));
	ck_assert_int_eq(
		stream_listener_open(bench.loop, taken, accept_drop, NULL, &other).kind, ERR_FATAL);
	memset(host, 'a', sizeof host);
	host[sizeof host - 1] = '\0';
	struct stream_target target = { host, 80, 1 };
	ck_assert_int_eq(
		stream_connect(bench.loop, &target, &counting, NULL, &bench.client.stream).kind,
		ERR_REJECT);
	teardown(&bench);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("stream");
	TCase *tc = tcase_create("stream");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, echoes_and_half_closes, 0, 2);
	tcase_add_test(tc, drains_a_large_queue);
	tcase_add_test(tc, closes_with_a_full_queue);
	tcase_add_test(tc, tells_that_the_peer_went);
	tcase_add_loop_test(tc, tells_that_it_cannot_connect, 0, 4);
	tcase_add_test(tc, times_out_while_connecting);
	tcase_add_loop_test(tc, closes_while_connecting, 0, 2);
	tcase_add_test(tc, refuses_bad_addresses);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());

	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
