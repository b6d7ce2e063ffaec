#include "port/http.h"

#include <check.h>

#include "base/clock.h"

#include "http_rig.h"
#include "http_stub.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- the server --- */

static void say(const struct http_stub_request *request, const char *text)
{
	http_stub_write(request->fd, text, strlen(text));
}

static bool answer(struct http_stub *stub, const struct http_stub_request *request)
{
	static char big[100000];
	static const char fields[] = "X-Twice: first \r\nX-Twice: second\r\nX-Empty:\r\n";
	struct str target = request->target;

	if (str_eq(target, STR("/hello")))
		return http_stub_answer(request, 200, fields, STR("hello"));
	if (str_eq(target, STR("/echo")))
		return http_stub_answer(request, 200, "", request->body);
	if (str_eq(target, STR("/fields")))
		return http_stub_answer(request, 200, "", request->head);
	if (str_eq(target, STR("/method")))
		return http_stub_answer(request, 200, "", request->method);
	if (str_eq(target, STR("/redirect")))
		return http_stub_answer(request, 302, "Location: /hello\r\n", STR("moved"));
	if (str_eq(target, STR("/big")))
		return http_stub_answer(request, 200, "", (struct str){ big, sizeof big });
	if (str_eq(target, STR("/bad")))
		return http_stub_answer(request, 500, "", (struct str){ big, sizeof big });
	if (str_eq(target, STR("/a/../b//c")))
		return http_stub_answer(request, 200, "", target);
	if (str_eq(target, STR("/cut")))
		http_stub_write(
			request->fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 43);
	if (str_eq(target, STR("/early")))
		say(request, "HTTP/1.1 103 Early\r\nX: 1\r\n\r\n");
	if (str_eq(target, STR("/half")))
		say(request, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n");
	if (str_eq(target, STR("/garbage")))
		http_stub_write(request->fd, "SPDY/9 what\r\n\r\n", 15);
	if (str_eq(target, STR("/headers"))) {
		memset(big, 'x', sizeof big);
		http_stub_write(request->fd, "HTTP/1.1 200 OK\r\nX: ", 20);
		http_stub_write(request->fd, big, sizeof big);
		http_stub_write(request->fd, "\r\n\r\n", 4);
	}
	if (str_eq(target, STR("/endless"))) /* headers, and a body that does not come */
		say(request, "HTTP/1.1 202 OK\r\nRetry-After: 7\r\n\r\nx");
	if (str_eq(target, STR("/silent")) || str_eq(target, STR("/endless"))) {
		char byte;

		pthread_mutex_unlock(&stub->lock);
		while (recv(request->fd, &byte, 1, 0) > 0)
			;
		pthread_mutex_lock(&stub->lock);
	}
	return false;
}

/* --- the client on its loop --- */

struct rig {
	struct http_stub stub;
	struct http_rig client;
	struct http *http;
	char url[128];
};

static void rig_up(struct rig *rig, const struct http_limits *limits)
{
	memset(rig, 0, sizeof *rig);
	rig->stub.handler = answer;
	http_stub_start(&rig->stub);
	http_rig_up(&rig->client, limits);
	rig->http = rig->client.http;
}

static void rig_down(struct rig *rig)
{
	http_rig_down(&rig->client);
	http_stub_stop(&rig->stub);
}

static const char *url(struct rig *rig, const char *path)
{
	snprintf(rig->url, sizeof rig->url, "http://127.0.0.1:%d%s", rig->stub.port, path);
	return rig->url;
}

static struct err get(struct rig *rig, const char *path, struct http_response *ret_response)
{
	struct http_request request = { .method = "GET",
		.url = url(rig, path),
		.response_max_bytes = 99999,
		.timeout_ms = 5000,
		.away = ERR_CODE_STORAGE_AWAY };

	return http_call(rig->http, &request, ret_response);
}

/* The name stays what is asked for, the address is what is dialled. */
START_TEST(dials_what_it_is_told_to)
{
	struct rig rig;
	struct http_response response = { 0 };
	char name[64], host[64];

	rig_up(&rig, NULL);
	snprintf(name, sizeof name, "http://nowhere.invalid:%d/fields", rig.stub.port);
	snprintf(host, sizeof host, "Host: nowhere.invalid:%d\r\n", rig.stub.port);
	struct http_request request = { .method = "GET",
		.url = name,
		.dial = "127.0.0.1",
		.response_max_bytes = 1000,
		.timeout_ms = 5000,
		.away = ERR_CODE_STORAGE_AWAY };
	ck_assert_int_eq(http_call(rig.http, &request, &response).kind, ERR_OK);
	ck_assert_ptr_nonnull(strstr(response.body.ptr, host));
	http_response_done(&response);
	request.dial = "::1"; /* nobody listens there */
	ck_assert(err_is(http_call(rig.http, &request, &response), ERR_CODE_STORAGE_AWAY));
	request.dial = "127.0.0.1\n";
	ck_assert(err_is(http_call(rig.http, &request, &response), ERR_CODE_BAD_PARAMETER));
	rig_down(&rig);
}
END_TEST

START_TEST(reads_no_more_than_it_wants)
{
	struct rig rig;
	struct http_response response = { 0 };
	const struct {
		const char *path;
		int status;
	} rows[] = { { "/big", 200 }, { "/bad", 500 } };

	rig_up(&rig, NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_request request = { .method = "GET",
			.url = url(&rig, rows[i].path),
			.response_max_bytes = 500,
			.cut = true,
			.timeout_ms = 5000,
			.away = ERR_CODE_STORAGE_AWAY };
		ck_assert_int_eq(http_call(rig.http, &request, &response).kind, ERR_OK);
		ck_assert_int_eq(response.status, rows[i].status);
		ck_assert_uint_eq(response.body.len, 500);
		http_response_done(&response);
	}
	rig_down(&rig);
}
END_TEST

/* Once status and headers are there it does not matter how the body ends, or that it does not. */
START_TEST(needs_no_body_where_it_may_be_cut)
{
	struct rig rig;
	const struct {
		const char *path;
		int64_t stall_ms, timeout_ms;
		int status, status_uncut; /* 0: no answer */
	} rows[] = {
		{ "/endless", 5000, 300, 202, 0 },
		{ "/endless", 100, 5000, 202, 0 },
		{ "/cut", 5000, 5000, 200, 0 },
		{ "/silent", 5000, 300, 0, 0 },
		{ "/half", 5000, 300, 0, 0 },
		{ "/early", 5000, 300, 0, 0 },
		{ "/hello", 5000, 5000, 200, 200 },
	};

	for (size_t i = 0; i < COUNT(rows) * 2; i++) {
		const struct http_limits limits = { .stall_timeout_ms = rows[i / 2].stall_ms };
		struct http_response response = { 0 };
		bool cut = i % 2 == 0;
		int want = cut ? rows[i / 2].status : rows[i / 2].status_uncut;

		rig_up(&rig, &limits);
		struct http_request request = { .method = "POST",
			.url = url(&rig, rows[i / 2].path),
			.response_max_bytes = 500,
			.cut = cut,
			.timeout_ms = rows[i / 2].timeout_ms,
			.away = ERR_CODE_TIMEOUT };
		struct err e = http_call(rig.http, &request, &response);
		ck_assert_msg(e.kind == (want == 0 ? ERR_RETRY : ERR_OK) && response.status == want,
			"%s: %d", rows[i / 2].path, response.status);
		if (want == 202)
			ck_assert(str_eq(http_response_header(&response, "retry-after"), STR("7")));
		http_response_done(&response);
		rig_down(&rig);
	}
}
END_TEST

START_TEST(gets)
{
	struct rig rig;
	struct http_response response = { 0 };

	rig_up(&rig, NULL);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(get(&rig, "/hello", &response).kind, ERR_OK);
		ck_assert_int_eq(response.status, 200);
		ck_assert(str_eq(buf_str(&response.body), STR("hello")));
		ck_assert(str_eq(http_response_header(&response, "x-twice"), STR("first")));
		ck_assert(str_eq(http_response_header(&response, "CONTENT-LENGTH"), STR("5")));
		ck_assert(http_response_header(&response, "x-empty").ptr != NULL);
		ck_assert(http_response_header(&response, "x-twic").ptr == NULL);
		http_response_done(&response);
		http_response_done(&response);
	}
	ck_assert_int_eq(get(&rig, "/a/../b//c", &response).kind, ERR_OK);
	ck_assert(str_eq(buf_str(&response.body), STR("/a/../b//c")));
	http_response_done(&response);
	ck_assert_int_eq(get(&rig, "/redirect", &response).kind, ERR_OK);
	ck_assert_int_eq(response.status, 302);
	struct arena *arena = arena_new(1000);
	ck_assert(http_response_defer(arena, &response));
	arena_free(arena);
	ck_assert(response.body.ptr == NULL);
	rig_down(&rig);
	ck_assert_int_eq(rig.stub.connections, 1);
}
END_TEST

START_TEST(ignores_the_proxy_of_the_environment)
{
	struct rig rig;
	struct http_response response = { 0 };

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	rig_up(&rig, NULL);
	ck_assert_int_eq(get(&rig, "/hello", &response).kind, ERR_OK);
	http_response_done(&response);
	rig_down(&rig);
}
END_TEST

START_TEST(sends_methods_and_headers)
{
	static const char *const methods[] = { "GET", "PUT", "POST", "DELETE" };
	static const struct http_header headers[] = { { "X-One", "1" }, { "X-None", "" },
		{ NULL, NULL } };
	struct rig rig;

	rig_up(&rig, NULL);
	for (size_t i = 0; i < COUNT(methods); i++) {
		struct http_response response = { 0 };
		struct http_request request = { .method = methods[i],
			.url = url(&rig, "/method"),
			.response_max_bytes = 100,
			.headers = headers };

		ck_assert_int_eq(http_call(rig.http, &request, &response).kind, ERR_OK);
		ck_assert(str_eq(buf_str(&response.body), str_of(methods[i])));
		http_response_done(&response);
		request.url = url(&rig, "/fields");
		request.response_max_bytes = 1000;
		ck_assert_int_eq(http_call(rig.http, &request, &response).kind, ERR_OK);
		ck_assert(strstr(response.body.ptr, "X-One: 1\r\n") != NULL);
		ck_assert(strstr(response.body.ptr, "X-None:\r\n") != NULL);
		ck_assert(strcasestr(response.body.ptr, "expect") == NULL);
		ck_assert(strcasestr(response.body.ptr, "content-type") == NULL);
		http_response_done(&response);
		request.url = url(&rig, "/echo");
		request.body = STR("some bytes");
		ck_assert_int_eq(http_call(rig.http, &request, &response).kind, ERR_OK);
		ck_assert(str_eq(buf_str(&response.body), STR("some bytes")));
		http_response_done(&response);
	}
	struct http_response response = { 0 };
	struct http_request head = { .method = "HEAD", .url = url(&rig, "/hello") };
	ck_assert_int_eq(http_call(rig.http, &head, &response).kind, ERR_OK);
	ck_assert_uint_eq(response.body.len, 0);
	http_response_done(&response);
	rig_down(&rig);
}
END_TEST

START_TEST(fails_by_kind)
{
	static const struct {
		const char *path;
		enum err_kind kind;
		enum err_code code;
	} rows[] = {
		{ "/big", ERR_REJECT, ERR_CODE_RECORD_TOO_LARGE },
		{ "/headers", ERR_REJECT, ERR_CODE_RECORD_TOO_LARGE },
		{ "/cut", ERR_RETRY, ERR_CODE_STORAGE_AWAY },
		{ "/garbage", ERR_RETRY, ERR_CODE_STORAGE_AWAY },
		{ "/drop", ERR_RETRY, ERR_CODE_STORAGE_AWAY },
		{ "/silent", ERR_RETRY, ERR_CODE_STORAGE_AWAY },
		{ "/bad", ERR_OK, ERR_CODE_NONE },
		{ "/hello", ERR_OK, ERR_CODE_NONE },
	};
	struct http_limits limits = { .stall_timeout_ms = 300 };
	struct rig rig;

	rig_up(&rig, &limits);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_response response = { 0 };
		struct err result = get(&rig, rows[i].path, &response);

		ck_assert_msg(result.kind == rows[i].kind && result.code == rows[i].code, "%s: %s",
			rows[i].path, result.msg);
		if (strcmp(rows[i].path, "/bad") == 0)
			ck_assert(response.status == 500 && response.body.len == 99999);
		http_response_done(&response);
	}
	rig_down(&rig);
}
END_TEST

/* Refused: surely nothing was sent. Cut off: it may have been. */
START_TEST(tells_unsent_from_unknown)
{
	struct rig rig;
	struct http_response response = { 0 };

	rig_up(&rig, NULL);
	const struct {
		const char *url;
		enum err_code unsent, code;
	} rows[] = {
		{ "http://127.0.0.1:1/", ERR_CODE_PROVIDER_AWAY, ERR_CODE_PROVIDER_AWAY },
		{ "http://127.0.0.1:1/", ERR_CODE_NONE, ERR_CODE_EFFECT_UNKNOWN },
		{ url(&rig, "/drop"), ERR_CODE_PROVIDER_AWAY, ERR_CODE_EFFECT_UNKNOWN },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_request request = { .method = "GET",
			.url = rows[i].url,
			.away = ERR_CODE_EFFECT_UNKNOWN,
			.unsent = rows[i].unsent };
		struct err result = http_call(rig.http, &request, &response);
		ck_assert_msg(result.kind == ERR_RETRY && result.code == rows[i].code,
			"row %zu: %s", i, result.msg);
	}
	rig_down(&rig);
}
END_TEST

/* A connection that is reused and closed without an answer: libcurl sends again by itself, which
 * must not happen to a charge. */
START_TEST(sends_once)
{
	for (int once = 0; once < 2; once++) {
		struct rig rig;
		struct http_response response = { 0 };
		rig_up(&rig, NULL);
		struct err first = get(&rig, "/hello", &response);
		ck_assert_int_eq(first.kind, ERR_OK);
		http_response_done(&response);
		struct http_request request = { .method = "POST",
			.url = url(&rig, "/drop"),
			.body = STR("charge"),
			.once = once != 0,
			.away = ERR_CODE_EFFECT_UNKNOWN };
		struct err second = http_call(rig.http, &request, &response);
		ck_assert_int_eq(second.code, ERR_CODE_EFFECT_UNKNOWN);
		ck_assert_int_eq(rig.stub.requests, once ? 2 : 3);
		rig_down(&rig);
	}
}
END_TEST

START_TEST(times_out)
{
	struct rig rig;
	struct http_response response = { 0 };
	int64_t start_ms = clock_mono_ms();

	rig_up(&rig, NULL);
	struct http_request request = { .method = "GET",
		.url = url(&rig, "/silent"),
		.timeout_ms = 100,
		.away = ERR_CODE_TIMEOUT };
	struct err result = http_call(rig.http, &request, &response);
	ck_assert(result.kind == ERR_RETRY && result.code == ERR_CODE_TIMEOUT);
	ck_assert_int_lt(clock_mono_ms() - start_ms, 2000);
	rig_down(&rig);
}
END_TEST

START_TEST(refuses_what_cannot_be_sent)
{
	static const struct http_header split[] = { { "X", "a\r\nY: b" }, { NULL, NULL } };
	static const struct {
		const char *url;
		const struct http_header *headers;
	} rows[] = {
		{ "file:///etc/passwd", NULL },
		{ "ftp://127.0.0.1/", NULL },
		{ "127.0.0.1/", NULL },
		{ "", NULL },
		{ "http://127.0.0.1/\r\nX: y", NULL },
		{ "http://", NULL },
		{ "http://127.0.0.1:99999/", NULL },
		{ "http://127.0.0.1:1/", split },
	};
	struct rig rig;

	rig_up(&rig, NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct http_response response = { 0 };
		struct http_request request = { .method = "GET",
			.url = rows[i].url,
			.headers = rows[i].headers,
			.away = ERR_CODE_STORAGE_AWAY };
		struct err result = http_call(rig.http, &request, &response);

		ck_assert_msg(result.kind == ERR_REJECT && result.code == ERR_CODE_BAD_PARAMETER,
			"row %zu: %s", i, result.msg);
	}
	struct http_response response = { 0 };
	struct http_request away = {
		.method = "GET", .url = "http://127.0.0.1:1/", .away = ERR_CODE_STORAGE_AWAY
	};
	struct err result = http_call(rig.http, &away, &response);
	ck_assert(result.kind == ERR_RETRY && result.code == ERR_CODE_STORAGE_AWAY);
	rig_down(&rig);
}
END_TEST

/* --- many threads, one client --- */

struct worker {
	struct rig *rig;
	pthread_t thread;
	int good;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	char target[128];

	snprintf(target, sizeof target, "http://127.0.0.1:%d/hello", worker->rig->stub.port);
	for (int i = 0; i < 50; i++) {
		struct http_response response = { 0 };
		struct http_request request = { .method = "GET",
			.url = target,
			.response_max_bytes = 100,
			.timeout_ms = 5000 };

		if (http_call(worker->rig->http, &request, &response).kind == ERR_OK)
			worker->good += response.status == 200;
		http_response_done(&response);
	}
	return NULL;
}

START_TEST(serves_many_threads)
{
	struct rig rig;
	struct worker workers[8];
	int good = 0;

	rig_up(&rig, NULL);
	for (size_t i = 0; i < COUNT(workers); i++) {
		workers[i] = (struct worker){ .rig = &rig };
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (size_t i = 0; i < COUNT(workers); i++) {
		pthread_join(workers[i].thread, NULL);
		good += workers[i].good;
	}
	ck_assert_int_eq(good, 400);
	rig_down(&rig);
	ck_assert_int_le(rig.stub.connections, 8);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { gets, needs_no_body_where_it_may_be_cut,
		dials_what_it_is_told_to, reads_no_more_than_it_wants,
		ignores_the_proxy_of_the_environment, sends_methods_and_headers, fails_by_kind,
		tells_unsent_from_unknown, sends_once, times_out, refuses_what_cannot_be_sent,
		serves_many_threads };

	return http_rig_main("http_call", tests, COUNT(tests));
}
