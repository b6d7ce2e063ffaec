/*
 * The HTTP server over time: several requests, slow and hasty peers, large bodies, ends.
 */
#include "port/web.h"

#include <poll.h>

#include "web_bench.h"

START_TEST(keeps_alive_and_pipelines)
{
	static char answer[ANSWER_BYTES];
	int fd = dial(0);

	answer[0] = '\0';
	for (int i = 0; i < 3; i++) {
		answer[0] = '\0';
		say(fd, "GET /hello HTTP/1.1\r\n" H "\r\n");
		ck_assert(hear(fd, answer, "\r\n\r\nhello"));
	}
	answer[0] = '\0';
	say(fd, "GET /later HTTP/1.1\r\n" H "\r\n" POST "Content-Length: 3\r\n\r\nabc"
		"GET /stream HTTP/1.1\r\n" H "\r\n"
		"GET /hello HTTP/1.1\r\n" H CLOSE "GET /hello HTTP/1.1\r\n" H "\r\n");
	hear_all(fd, answer);
	close(fd);
	ck_assert_uint_eq(count_of(answer, "HTTP/1.1 200 "), 4);
	const char *at = answer;
	const char *order[] = { "later", "abc", "two", "hello" };
	for (size_t i = 0; i < 4; i++) {
		at = strstr(at, order[i]);
		ck_assert_ptr_nonnull(at);
	}
}
END_TEST

/* Many pipelined requests, more than is held at once. */
START_TEST(pipelines_past_the_buffer)
{
	enum { COUNT = 5000 };
	struct buf out = BUF(1 << 20);
	char piece[65536];
	size_t total = 0, each = 0;
	int fd = dial(0);

	for (int i = 0; i < COUNT; i++)
		buf_addf(&out, "GET /later HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\n%s",
			i == COUNT - 1 ? CLOSE : "\r\n");
	put(fd, out.ptr, out.len);
	buf_done(&out);
	for (ssize_t n; (n = recv(fd, piece, sizeof piece, 0)) > 0; total += (size_t)n)
		if (each == 0)
			each = (size_t)(strstr(piece, "\r\n\r\nlater") - piece) + 9;
	close(fd);
	ck_assert_uint_eq(total, each * COUNT + strlen("Connection: close\r\n"));
	await(&server.ended[200], COUNT);
}
END_TEST

START_TEST(half_closed_client_gets_its_answer)
{
	static char answer[ANSWER_BYTES];
	const char *requests[] = { "GET /later HTTP/1.1\r\n" H "\r\n",
		"GET /hello HTTP/1.1\r\n" H "\r\n",
		"POST /sink HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc",
		"POST /slow HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc" };

	for (size_t i = 0; i < 4; i++) {
		int fd = dial(0);
		answer[0] = '\0';
		say(fd, requests[i]);
		shutdown(fd, SHUT_WR);
		hear_all(fd, answer);
		close(fd);
		ck_assert_msg(
			strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s%s", requests[i], answer);
	}
}
END_TEST

START_TEST(expects_continue)
{
	static char answer[ANSWER_BYTES];
	const char *paths[] = { "echo", "sink", "slow" };

	for (size_t i = 0; i < 3; i++) {
		char request[200];
		int fd = dial(0);
		answer[0] = '\0';
		snprintf(request, sizeof request,
			"POST /%s HTTP/1.1\r\n" H
			"Expect: 100-continue\r\nContent-Length: 3\r\n" CLOSE,
			paths[i]);
		say(fd, request);
		ck_assert(hear(fd, answer, "HTTP/1.1 100 Continue\r\n\r\n"));
		say(fd, "abc");
		hear_all(fd, answer);
		close(fd);
		ck_assert(strstr(answer, "HTTP/1.1 200 OK") != NULL);
	}
	ask("POST /early HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
		answer);
	ck_assert(strncmp(answer, "HTTP/1.1 401 ", 13) == 0);
	ask(POST "Expect: 100-continue\r\nContent-Length: 3000\r\n\r\n", answer);
	ck_assert(strncmp(answer, "HTTP/1.1 413 ", 13) == 0);
	ask("POST /sink HTTP/1.1\r\n" H "Expect: 100-continue\r\n" CLOSE, answer);
	ck_assert(strncmp(answer, "HTTP/1.1 200 ", 13) == 0);
}
END_TEST

/* A client that goes on sending a large body still reads the early answer. */
START_TEST(early_answer_is_read)
{
	static char answer[ANSWER_BYTES];

	for (int i = 0; i < 10; i++) {
		int fd = dial(0);
		answer[0] = '\0';
		say(fd, "POST /early HTTP/1.1\r\n" H "Content-Length: 8388608\r\n\r\n");
		put(fd, server.big, BIG_BYTES);
		hear_all(fd, answer);
		close(fd);
		ck_assert(strncmp(answer, "HTTP/1.1 401 ", 13) == 0);
	}
}
END_TEST

START_TEST(chunked_over_the_ceiling)
{
	static char answer[ANSWER_BYTES];
	const char *paths[] = { "echo", "max" };

	for (size_t i = 0; i < 2; i++) {
		struct buf out = BUF(4096);
		buf_addf(&out, "POST /%s HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n",
			paths[i]);
		buf_addf(&out, "3e8\r\n%01000d\r\n1\r\n0\r\n0\r\n\r\n", 0);
		talk(out.ptr, out.len, answer);
		buf_done(&out);
		ck_assert_msg(strncmp(answer, "HTTP/1.1 413 ", 13) == 0, "%s", answer);
	}
	await(&server.aborted, 1);
}
END_TEST

START_TEST(streams_a_large_body)
{
	static char answer[ANSWER_BYTES];
	const char *paths[] = { "sink", "slow" };

	for (size_t i = 0; i < 2; i++) {
		char request[100];
		int fd = dial(0);
		answer[0] = '\0';
		snprintf(request, sizeof request,
			"POST /%s HTTP/1.1\r\n" H "Content-Length: %d\r\n\r\n", paths[i],
			BIG_BYTES);
		say(fd, request);
		put(fd, server.big, BIG_BYTES);
		ck_assert(hear(fd, answer, "\r\n\r\n8388608"));
		close(fd);
	}
}
END_TEST

START_TEST(slow_clients_time_out)
{
	static char answer[ANSWER_BYTES];

	ask("GET /hel", answer);
	ck_assert(strncmp(answer, "HTTP/1.1 408 ", 13) == 0);
	ask("GET /hello HTTP/1.1\r\nHost: a\r\n", answer);
	ck_assert(strncmp(answer, "HTTP/1.1 408 ", 13) == 0);
	ask(POST "Content-Length: 4\r\n\r\nab", answer);
	ck_assert(strncmp(answer, "HTTP/1.1 408 ", 13) == 0);
	ck_assert_int_eq(server.aborted, 0);
	ask("POST /sink HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nab", answer);
	ck_assert(strncmp(answer, "HTTP/1.1 408 ", 13) == 0);
	await(&server.aborted, 1);
	ask("", answer); /* nothing said, nothing answered */
	ck_assert_str_eq(answer, "");
	ask("GET /hello HTTP/1.1\r\n" H "\r\n", answer); /* keep-alive ends silently */
	ck_assert_uint_eq(count_of(answer, "HTTP/1.1 "), 1);
}
END_TEST

/* A body that takes longer than the limit between two pieces, but never stops. */
START_TEST(slow_writer_is_served)
{
	static char answer[ANSWER_BYTES];
	int fd = dial(0);
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	answer[0] = '\0';
	say(fd, "POST /sink HTTP/1.1\r\n" H "Content-Length: 10\r\n" CLOSE);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(poll(&ready, 1, 60), 0); /* no answer yet */
		say(fd, "x");
	}
	hear_all(fd, answer);
	close(fd);
	ck_assert_msg(strstr(answer, "\r\n\r\n10") != NULL, "%s", answer);
	ck_assert_int_eq(server.aborted, 0);
}
END_TEST

static size_t swallow(int fd)
{
	static char piece[65536];
	size_t total = 0;

	for (ssize_t n; (n = recv(fd, piece, sizeof piece, 0)) > 0;)
		total += (size_t)n;
	return total;
}

START_TEST(slow_reader_gets_a_large_answer)
{
	const char *paths[] = { "big", "drain" };

	for (size_t i = 0; i < 2; i++) {
		char request[100];
		int fd = dial(4096);
		snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\n" H CLOSE, paths[i]);
		say(fd, request);
		ck_assert_uint_gt(swallow(fd), BIG_BYTES);
		close(fd);
	}
}
END_TEST

START_TEST(reader_that_stops_is_dropped)
{
	int fd = dial(4096);

	say(fd, "GET /big HTTP/1.1\r\n" H "\r\n");
	await(&server.ended[200], 1); /* queued */
	int next = dial(4096);
	say(next, "GET /drain HTTP/1.1\r\n" H "\r\n");
	await(&server.ended[499], 1);
	ck_assert_uint_lt(swallow(fd), BIG_BYTES);
	close(fd);
	close(next);
}
END_TEST

START_TEST(answer_past_the_ceiling_is_dropped)
{
	int fd = dial(4096);

	say(fd, "GET /flood HTTP/1.1\r\n" H "\r\n");
	await(&server.ended[200], 1); /* the handler said all it had */
	ck_assert_uint_lt(swallow(fd), BIG_BYTES);
	close(fd);
}
END_TEST

START_TEST(peer_that_goes_aborts)
{
	static char answer[ANSWER_BYTES];
	struct linger now = { 1, 0 };
	int fd = dial(0);

	answer[0] = '\0';
	say(fd, "GET /never HTTP/1.1\r\n" H "\r\n");
	ck_assert(hear(fd, answer, "first"));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now); /* a reset */
	close(fd);
	await(&server.aborted, 1);
	await(&server.ended[499], 1);
	fd = dial(0);
	say(fd, "POST /sink HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nabc");
	close(fd); /* in the middle of its body */
	await(&server.aborted, 2);
	await(&server.ended[499], 2);
}
END_TEST

START_TEST(refuses_too_many_connections)
{
	static char answer[ANSWER_BYTES];
	int fds[20];

	for (int i = 0; i < 20; i++) {
		fds[i] = dial(0);
		answer[0] = '\0';
		say(fds[i], "GET /hello HTTP/1.1\r\n" H "\r\n");
		ck_assert(hear(fds[i], answer, "hello"));
	}
	int more = dial(0);
	answer[0] = '\0';
	hear_all(more, answer);
	ck_assert(strncmp(answer, "HTTP/1.1 503 ", 13) == 0);
	close(more);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
}
END_TEST

/* Closing: an idle connection ends at once, one with an exchange at the deadline. */
START_TEST(closes_gracefully)
{
	static char answer[ANSWER_BYTES];
	int idle = dial(0), busy = dial(0);

	answer[0] = '\0';
	say(busy, "GET /never HTTP/1.1\r\n" H "\r\n");
	ck_assert(hear(busy, answer, "first"));
	answer[0] = '\0';
	say(idle, "GET /hello HTTP/1.1\r\n" H "\r\n");
	ck_assert(hear(idle, answer, "hello"));
	stop();
	ck_assert_int_eq(server.aborted, 1);
	ck_assert_uint_eq(swallow(idle), 0);
	close(idle);
	close(busy);
	start(); /* for the fixture's stop */
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("web_flow");
	TCase *tc = tcase_create("web_flow");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_test(tc, keeps_alive_and_pipelines);
	tcase_add_test(tc, pipelines_past_the_buffer);
	tcase_add_test(tc, half_closed_client_gets_its_answer);
	tcase_add_test(tc, expects_continue);
	tcase_add_test(tc, early_answer_is_read);
	tcase_add_test(tc, chunked_over_the_ceiling);
	tcase_add_test(tc, streams_a_large_body);
	tcase_add_test(tc, slow_clients_time_out);
	tcase_add_test(tc, slow_writer_is_served);
	tcase_add_test(tc, slow_reader_gets_a_large_answer);
	tcase_add_test(tc, reader_that_stops_is_dropped);
	tcase_add_test(tc, answer_past_the_ceiling_is_dropped);
	tcase_add_test(tc, peer_that_goes_aborts);
	tcase_add_test(tc, refuses_too_many_connections);
	tcase_add_test(tc, closes_gracefully);
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
