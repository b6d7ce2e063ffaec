/* Streams under TLS on one loop: the same events as in the clear, and what a wire does to them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "port/loop.h"
#include "port/stream.h"
#include "port/stream_listener.h"
#include "tls_rig.h"

enum { MANY_BYTES = 8 * 1024 * 1024 };

struct side {
	struct bench *bench;
	struct stream *stream;
	size_t received;
	uint32_t sum;
	int connected, eof, drained, closed;
	struct err why;
};

struct bench {
	struct loop *loop;
	struct stream_listener *listener;
	const struct stream_events *serve;
	struct tls *serving, *calling;
	struct side client, server;
	struct loop_timer *later;
	char *many;
	bool stop_at_accept;
};

static struct tls_rig rig;

static void open_rig(void)
{
	rig_open(&rig);
}

static void close_rig(void)
{
	rig_close(&rig);
}

static void on_connected(void *arg)
{
	((struct side *)arg)->connected++;
}

static void on_drained(void *arg)
{
	((struct side *)arg)->drained++;
}

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
	struct side *side = arg;

	side->received += bytes.len;
	for (size_t i = 0; i < bytes.len; i++)
		side->sum = side->sum * 31 + (unsigned char)bytes.ptr[i];
}

static void echo(void *arg, struct str bytes)
{
	count(arg, bytes);
	stream_write(((struct side *)arg)->stream, bytes);
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

static void on_accept(void *arg, struct stream *stream)
{
	struct bench *bench = arg;

	bench->server.stream = stream;
	stream_attach(stream, bench->serving, bench->serve, &bench->server);
	if (bench->stop_at_accept)
		loop_stop(bench->loop);
}

static void setup(struct bench *bench, const struct stream_events *serve)
{
	*bench = (struct bench){ .serve = serve };
	bench->client.bench = bench->server.bench = bench;
	bench->serving = rig_server(&rig, "server", NULL, false);
	bench->calling = rig_client(&rig, NULL, "ca");
	ck_assert_int_eq(loop_open(&bench->loop).kind, ERR_OK);
	struct err e = stream_listener_open(
		bench->loop, "127.0.0.1:0", on_accept, bench, &bench->listener);
	ck_assert_int_eq(e.kind, ERR_OK);
}

static void teardown(struct bench *bench)
{
	loop_timer_free(bench->later);
	stream_listener_close(bench->listener);
	loop_close(bench->loop);
	tls_close(bench->serving);
	tls_close(bench->calling);
	free(bench->many);
}

static void dial(struct bench *bench, const struct stream_events *events, bool is_tls)
{
	const struct stream_target target = { "localhost", stream_listener_port(bench->listener),
		5000, is_tls ? bench->calling : NULL };
	struct err e =
		stream_connect(bench->loop, &target, events, &bench->client, &bench->client.stream);

	ck_assert_int_eq(e.kind, ERR_OK);
}

static void counted(const struct tls *tls, const uint64_t expected[TLS_EVENTS])
{
	for (size_t i = 0; i < TLS_EVENTS; i++)
		ck_assert_msg(tls_counted(tls, (enum tls_event)i) == expected[i], "event %zu: %d",
			i, (int)tls_counted(tls, (enum tls_event)i));
}

/* Written and ended before anything stood; the peer answers and ends as well. */
START_TEST(echoes_and_half_closes)
{
	struct bench bench;

	setup(&bench, &echoing);
	dial(&bench, &counting, true);
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
	ck_assert(err_is(bench.client.why, ERR_CODE_TRY_AGAIN)); /* no eof callback: lost */
	counted(bench.serving, (const uint64_t[]){ 1, 0, 0, 0 });
	counted(bench.calling, (const uint64_t[]){ 1, 0, 0, 0 });
	teardown(&bench);
}
END_TEST

static void write_many(void *arg)
{
	struct side *side = arg;

	stream_write(side->stream, (struct str){ side->bench->many, MANY_BYTES });
	ck_assert_uint_gt(stream_pending_bytes(side->stream), 0);
	stream_shutdown(side->stream);
}

static void on_later(void *arg)
{
	struct bench *bench = arg;
	struct side *side = &bench->server;

	if (side->stream == NULL)
		return;
	size_t before = side->received;
	stream_resume(side->stream);
	ck_assert_uint_eq(side->received, before); /* never inside a call */
}

/* Takes a piece, then nothing for a moment. */
static void count_slowly(void *arg, struct str bytes)
{
	struct side *side = arg;

	count(arg, bytes);
	stream_pause(side->stream);
	stream_pause(side->stream);
	if (side->received % 3 == 0)
		stream_resume(side->stream);
	else
		loop_timer_start(side->bench->later, 0, 0);
}

static void finish(void *arg)
{
	struct side *side = arg;

	side->eof++;
	stream_close(side->stream);
}

static const struct stream_events pouring = { write_many, NULL, finish, on_drained, on_closed };
static const struct stream_events sipping = { NULL, count_slowly, finish, NULL, on_closed };

/* Megabytes to a reader that stops after each piece: all of it, in order, then the end. */
START_TEST(pauses_lose_nothing)
{
	struct bench bench;
	struct side expected = { .received = 0 };

	setup(&bench, &sipping);
	bench.many = malloc(MANY_BYTES);
	for (size_t i = 0; i < MANY_BYTES; i++)
		bench.many[i] = (char)(i ^ i >> 9);
	count(&expected, (struct str){ bench.many, MANY_BYTES });
	ck_assert_int_eq(loop_timer_new(bench.loop, on_later, &bench, &bench.later).kind, ERR_OK);
	dial(&bench, &pouring, true);
	loop_run(bench.loop);
	ck_assert_uint_eq(bench.server.received, MANY_BYTES);
	ck_assert_uint_eq(bench.server.sum, expected.sum);
	ck_assert_int_eq(bench.server.eof, 1);
	ck_assert_int_ge(bench.client.drained, 1);
	teardown(&bench);
}
END_TEST

/* Nobody who says nothing keeps a connection, whichever side he is. */
START_TEST(handshakes_have_a_deadline)
{
	struct bench bench;

	setup(&bench, &echoing);
	dial(&bench, &counting, false);
	loop_run(bench.loop);
	ck_assert(err_is(bench.server.why, ERR_CODE_TIMEOUT));
	ck_assert_int_eq(bench.server.eof, 0);
	counted(bench.serving, (const uint64_t[]){ 0, 0, 1, 0 });
	tls_close(bench.serving);
	bench.serving = NULL; /* the server is plain now, and silent */
	bench.serve = &counting;
	dial(&bench, &counting, true);
	loop_run(bench.loop);
	ck_assert(err_is(bench.client.why, ERR_CODE_TIMEOUT) || bench.client.connected == 1);
	ck_assert_uint_eq(tls_counted(bench.calling, TLS_LATE), 1);
	ck_assert_uint_eq(tls_counted(bench.calling, TLS_ESTABLISHED), 0);
	teardown(&bench);
}
END_TEST

static void speak_plainly(void *arg)
{
	struct side *side = arg;

	stream_write(side->stream, STR("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n"));
}

static const struct stream_events plainly = { speak_plainly, count, finish, NULL, on_closed };

/* HTTP where TLS is spoken: refused, and ended in order. */
START_TEST(refuses_who_speaks_plainly)
{
	struct bench bench;

	setup(&bench, &echoing);
	dial(&bench, &plainly, false);
	loop_run(bench.loop);
	ck_assert(err_is(bench.server.why, ERR_CODE_TLS_FAILED));
	ck_assert_str_eq(bench.server.why.msg, "http request");
	ck_assert_int_eq(bench.client.eof, 1);
	ck_assert_uint_eq(bench.server.received, 0);
	counted(bench.serving, (const uint64_t[]){ 0, 1, 0, 0 });
	teardown(&bench);
}
END_TEST

static void leave(void *arg)
{
	stream_close(((struct side *)arg)->stream);
}

static const struct stream_events leaving = { leave, count, NULL, NULL, on_closed };

/* Cut after the handshake: lost, and no end of input is told. Before it: only a look. */
START_TEST(a_cut_is_no_end)
{
	bool is_tls = _i == 1;
	struct bench bench;

	setup(&bench, &echoing);
	dial(&bench, &leaving, is_tls);
	loop_run(bench.loop);
	while (bench.server.closed == 0 && bench.server.stream != NULL)
		loop_run(bench.loop);
	ck_assert_int_eq(bench.server.eof, 0);
	if (is_tls) {
		ck_assert_int_eq(bench.server.closed, 1);
		ck_assert(err_is(bench.server.why, ERR_CODE_TRY_AGAIN) ||
			  err_is(bench.server.why, ERR_CODE_TLS_FAILED));
	}
	ck_assert_uint_eq(tls_counted(bench.serving, TLS_REFUSED), 0);
	teardown(&bench);
}
END_TEST

/* The client finds out that it is somebody else; the server is told and closes too. */
START_TEST(leaves_who_is_not_believed)
{
	struct bench bench;

	setup(&bench, &echoing);
	tls_close(bench.serving);
	bench.serving = rig_server(&rig, "other", NULL, false);
	dial(&bench, &counting, true);
	stream_write(bench.client.stream, STR("secret"));
	loop_run(bench.loop);
	ck_assert_int_eq(bench.client.connected, 0);
	ck_assert(err_is(bench.client.why, ERR_CODE_TLS_FAILED));
	ck_assert_str_eq(bench.client.why.msg, "hostname mismatch");
	ck_assert_uint_eq(bench.server.received, 0);
	ck_assert_int_eq(bench.server.closed, 1);
	counted(bench.calling, (const uint64_t[]){ 0, 1, 0, 0 });
	counted(bench.serving, (const uint64_t[]){ 0, 1, 0, 0 });
	teardown(&bench);
}
END_TEST

START_TEST(more_than_its_bound_is_not_kept_early)
{
	struct bench bench;

	setup(&bench, &echoing);
	bench.many = calloc(1, MANY_BYTES);
	dial(&bench, &counting, true);
	stream_write(bench.client.stream, (struct str){ bench.many, MANY_BYTES });
	loop_run(bench.loop);
	ck_assert(err_is(bench.client.why, ERR_CODE_TRY_AGAIN));
	ck_assert_int_eq(bench.client.connected, 0);
	teardown(&bench);
}
END_TEST

/* The loop goes while a handshake, or the dialling before it, is under way. */
START_TEST(closes_with_the_loop)
{
	struct bench bench;

	setup(&bench, &echoing);
	bench.stop_at_accept = true;
	dial(&bench, &counting, true);
	if (_i == 1) {
		loop_run(bench.loop);
		ck_assert_ptr_nonnull(bench.server.stream);
		stream_close(bench.server.stream);
	}
	stream_close(bench.client.stream);
	teardown(&bench);
	ck_assert_int_eq(bench.client.closed, 1);
	ck_assert_int_eq(bench.client.connected, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream_secure");
	TCase *tc = tcase_create("stream_secure");

	tcase_add_unchecked_fixture(tc, open_rig, close_rig);
	tcase_add_test(tc, echoes_and_half_closes);
	tcase_add_test(tc, pauses_lose_nothing);
	tcase_add_test(tc, handshakes_have_a_deadline);
	tcase_add_test(tc, refuses_who_speaks_plainly);
	tcase_add_loop_test(tc, a_cut_is_no_end, 0, 2);
	tcase_add_test(tc, leaves_who_is_not_believed);
	tcase_add_loop_test(tc, closes_with_the_loop, 0, 2);
	tcase_add_test(tc, more_than_its_bound_is_not_kept_early);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
