#include "port/http.h"

#include <check.h>
#include <string.h>

#include "http_rig.h"
#include "http_stub.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Streamed bodies, driven on the loop; blocking calls are in http_call_test.c. */

static bool echo(struct http_stub *stub, const struct http_stub_request *request)
{
	(void)stub;
	return http_stub_answer(request, 200, "", request->body);
}

static bool refuse_early(struct http_stub *stub, const struct http_stub_request *request)
{
	(void)stub;
	if (!str_eq(request->target, STR("/early")))
		return false;
	http_stub_answer(request, 403, "Connection: close\r\n", STR("no"));
	char waste[4096];
	while (recv(request->fd, waste, sizeof waste, 0) > 0)
		;
	return true;
}

struct rig {
	struct http_stub stub;
	struct http_rig client;
	int awaited; /* requests that must reach the server before it is stopped */
	char url[128];
};

static void rig_up(struct rig *rig, const struct http_limits *limits)
{
	memset(rig, 0, sizeof *rig);
	rig->stub.handler = echo;
	rig->stub.early = refuse_early;
	http_stub_start(&rig->stub);
	http_rig_up(&rig->client, limits);
}

/* Until something stops the loop. */
static void rig_wait(struct rig *rig)
{
	pthread_join(rig->client.thread, NULL);
	sem_destroy(&rig->client.sem);
	http_stub_await(&rig->stub, rig->awaited);
	http_stub_stop(&rig->stub);
}

static const char *url(struct rig *rig, const char *path)
{
	snprintf(rig->url, sizeof rig->url, "http://127.0.0.1:%d%s", rig->stub.port, path);
	return rig->url;
}

enum plan { PLAN_WHOLE, PLAN_CANCEL, PLAN_CLOSE, PLAN_CANCEL_IN_DATA };

struct upload {
	struct rig *rig;
	struct http_call *call;
	const char *url;
	size_t total, fed, received, wrong, largest;
	enum plan plan;
	bool is_over;
	struct err result;
	int status;
};

static void upload_over(struct upload *upload)
{
	upload->is_over = true;
	loop_stop(upload->rig->client.loop);
}

static void upload_done(void *arg, struct err result, struct http_response *response)
{
	struct upload *upload = arg;

	upload->result = result;
	upload->status = response == NULL ? 0 : response->status;
	upload_over(upload);
}

static void upload_data(void *arg, struct str bytes)
{
	struct upload *upload = arg;

	for (size_t i = 0; i < bytes.len; i++, upload->received++)
		upload->wrong += (unsigned char)bytes.ptr[i] != upload->received % 251;
	if (upload->plan == PLAN_CANCEL_IN_DATA) {
		http_cancel(upload->call);
		upload_over(upload);
	}
}

static void upload_more(void *arg)
{
	struct upload *upload = arg;
	unsigned char bytes[10007];

	while (upload->fed < upload->total && http_call_pending(upload->call) < 200000) {
		size_t len = upload->total - upload->fed;

		if (len > sizeof bytes)
			len = sizeof bytes;
		for (size_t i = 0; i < len; i++)
			bytes[i] = (unsigned char)((upload->fed + i) % 251);
		struct str piece = { (const char *)bytes, len };
		ck_assert_int_eq(http_call_feed(upload->call, piece).kind, ERR_OK);
		upload->fed += len;
		if (http_call_pending(upload->call) > upload->largest)
			upload->largest = http_call_pending(upload->call);
		if (upload->plan == PLAN_CANCEL && upload->fed > upload->total / 2) {
			http_cancel(upload->call);
			upload_over(upload);
			return;
		}
	}
}

static void upload_start(void *arg)
{
	static const struct http_callbacks callbacks = { upload_done, upload_data, upload_more };
	struct upload *upload = arg;
	struct http_request request = { .method = "PUT",
		.url = upload->url,
		.streamed = true,
		.stream_bytes = upload->total,
		.timeout_ms = 10000,
		.away = ERR_CODE_STORAGE_AWAY };

	ck_assert_int_eq(
		http_send(upload->rig->client.http, &request, &callbacks, upload, &upload->call)
			.kind,
		ERR_OK);
	if (upload->plan == PLAN_CLOSE)
		loop_stop(upload->rig->client.loop);
}

/* Runs one upload on a rig of its own; the rig's server can be looked at afterwards. */
static void upload_run(struct upload *upload, struct rig *rig, const char *path)
{
	rig_up(rig, NULL);
	rig->awaited = upload->plan == PLAN_CANCEL;
	upload->rig = rig;
	upload->url = url(rig, path);
	ck_assert(loop_post(rig->client.loop, upload_start, upload));
	rig_wait(rig);
}

START_TEST(streams_up_and_down)
{
	static const size_t totals[] = { 1, 10007, 65536, 5000000 };

	for (size_t i = 0; i < COUNT(totals); i++) {
		struct rig rig;
		struct upload upload = { .total = totals[i] };

		upload_run(&upload, &rig, "/echo");
		ck_assert_msg(upload.result.kind == ERR_OK, "%s", upload.result.msg);
		ck_assert_int_eq(upload.status, 200);
		ck_assert_uint_eq(upload.received, totals[i]);
		ck_assert_uint_eq(upload.wrong, 0);
		ck_assert_uint_lt(upload.largest, 200000 + 10007);
	}
}
END_TEST

START_TEST(cancels_in_the_middle)
{
	struct rig rig;
	struct upload upload = { .total = 5000000, .plan = PLAN_CANCEL };

	upload_run(&upload, &rig, "/echo");
	ck_assert(upload.is_over && upload.status == 0);
	ck_assert_int_eq(rig.stub.requests, 1);
	ck_assert_int_eq(rig.stub.aborted, 1);
}
END_TEST

START_TEST(cancels_inside_data)
{
	struct rig rig;
	struct upload upload = { .total = 500000, .plan = PLAN_CANCEL_IN_DATA };

	upload_run(&upload, &rig, "/echo");
	ck_assert(upload.is_over && upload.status == 0);
	ck_assert_uint_lt(upload.received, 500000);
}
END_TEST

START_TEST(ends_calls_at_close)
{
	struct rig rig;
	struct upload upload = { .total = 5000000, .plan = PLAN_CLOSE };

	upload_run(&upload, &rig, "/echo");
	ck_assert(upload.is_over);
	ck_assert_int_eq(upload.result.kind, ERR_RETRY);
	ck_assert_int_eq(upload.result.code, ERR_CODE_STORAGE_AWAY);
}
END_TEST

START_TEST(hears_an_early_refusal)
{
	struct rig rig;
	struct upload upload = { .total = 50000000 };

	upload_run(&upload, &rig, "/early");
	ck_assert_msg(upload.result.kind == ERR_OK, "%s", upload.result.msg);
	ck_assert_int_eq(upload.status, 403);
	ck_assert_uint_lt(upload.fed, upload.total);
}
END_TEST

static void feed_too_much(void *arg)
{
	static const struct http_callbacks callbacks = { .done = upload_done };
	static const char bytes[1001];
	struct upload *upload = arg;
	struct http_request request = { .method = "PUT",
		.url = upload->url,
		.streamed = true,
		.stream_bytes = 1500,
		.away = ERR_CODE_STORAGE_AWAY };
	struct str piece = { bytes, 1001 };

	ck_assert_int_eq(
		http_send(upload->rig->client.http, &request, &callbacks, upload, &upload->call)
			.kind,
		ERR_OK);
	ck_assert_int_eq(http_call_feed(upload->call, piece).kind, ERR_REJECT); /* the queue */
	piece.len = 900;
	ck_assert_int_eq(http_call_feed(upload->call, piece).kind, ERR_OK);
	ck_assert_int_eq(http_call_feed(upload->call, piece).kind, ERR_REJECT); /* declared */
	http_cancel(upload->call);
	upload_over(upload);
}

START_TEST(bounds_what_is_fed)
{
	struct http_limits limits = { .queue_max_bytes = 1000 };
	struct rig rig;
	struct upload upload = { .rig = &rig };

	rig_up(&rig, &limits);
	upload.url = url(&rig, "/echo");
	ck_assert(loop_post(rig.client.loop, feed_too_much, &upload));
	rig_wait(&rig);
	ck_assert(upload.is_over);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { streams_up_and_down, cancels_in_the_middle,
		cancels_inside_data, ends_calls_at_close, hears_an_early_refusal,
		bounds_what_is_fed };

	return http_rig_main("http", tests, COUNT(tests));
}
