#include "frame/spans.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "frame/metrics.h"
#include "frame/span_queue.h"
#include "model/otlp.h"
#include "port/http.h"
#include "port/loop.h"

enum {
	BATCH_SPANS = 512,
	BATCH_MS = 5000,
	TURN_MS = 500,
	CALL_MS = 10000,
	AGAIN_MS = 1000, /* doubled for each further try */
	AGAIN_MAX_MS = 8000,
	TRIES_FOR_MS = 30000,
	ANSWER_MAX_BYTES = 64 << 10,
	HEADERS_MAX = 8,
	HEAD_BYTES = 2048,
};

struct export
{
	struct http *http;
	struct loop_timer *turn;
	struct http_call *call;
	struct span_batch *batch; /* being sent, or waiting for its next try */
	int64_t first_ms, next_ms, pause_ms;
	bool failing; /* logged */
};

struct flush {
	_Atomic bool wanted;
	bool over;
	int64_t until_ms;
	sem_t done;
};

struct spans {
	struct spans_of of;
	char *url;
	struct secret *headers;
	double ratio;
	struct buf head, tail;
	struct span_queue *queue;
	struct export out;
	struct flush flush;
	_Atomic bool woken, closed;
	struct metric *exported, *dropped, *waiting;
};

/* --- settings --- */

#define AT(member) offsetof(struct spans_conf, member)

const struct conf_item spans_conf_items[] = {
	{ "ESTEIRA_OTLP_ENDPOINT", CONF_TEXT, AT(endpoint), "", 0, 0, NULL,
		"Receiver of traces, OTLP over HTTP, as http://collector:4318; empty: no traces." },
	{ "ESTEIRA_OTLP_CA_FILE", CONF_TEXT, AT(ca_file), "", 0, 0, NULL,
		"PEM file of the authority that signed its certificate; empty: the system's." },
	{ "ESTEIRA_OTLP_HEADERS", CONF_LIVE, AT(headers), "", 0, 0, NULL,
		"Headers it asks for, as name=value,name=value." },
	{ "ESTEIRA_OTLP_RATIO", CONF_TEXT, AT(ratio), "1", 0, 0, NULL,
		"Part of the traces that begin here and are recorded, 0 to 1; those that came from "
		"outside say it themselves." },
	{ "ESTEIRA_OTLP_QUEUE_SPANS", CONF_INT, AT(queue_spans), "8192", 512, 1000000, NULL,
		"Spans that may wait to be sent; more are dropped and counted." },
	{ "ESTEIRA_OTLP_QUEUE_BYTES", CONF_INT, AT(queue_bytes), "8388608", 65536, 1 << 30, NULL,
		"Bytes they may take." },
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};

static bool read_ratio(const char *text, double *ret_ratio)
{
	char *end;
	double ratio = strtod(text, &end);

	*ret_ratio = ratio;
	return end != text && *end == '\0' && ratio >= 0 && ratio <= 1;
}

struct err spans_try(const struct spans_conf *conf)
{
	const struct str url = str_of(conf->endpoint);
	double ratio;

	if (url.len > 0 && !str_starts(url, STR("http://")) && !str_starts(url, STR("https://")))
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_OTLP_ENDPOINT: begins with http:// or https://");
	if (strpbrk(conf->endpoint, "?#@ ") != NULL)
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_OTLP_ENDPOINT: no user, query or fragment; what it asks for goes "
			"into ESTEIRA_OTLP_HEADERS");
	if (!read_ratio(conf->ratio, &ratio))
		return err_fatal(
			ERR_CODE_BAD_CONFIG, "ESTEIRA_OTLP_RATIO: a number from 0 to 1, as 0.01");
	return err_ok();
}

/* --- counting --- */

static void drop(const struct spans *spans, const char *reason, size_t count)
{
	if (count > 0)
		metrics_add(spans->dropped, &reason, (int64_t)count);
}

static void register_metrics(struct spans *spans)
{
	static const struct metrics_spec specs[] = {
		{ METRICS_COUNTER, "esteira_spans_exported_total",
			"Spans that the receiver of traces took.", { NULL }, NULL, 0 },
		{ METRICS_COUNTER, "esteira_spans_dropped_total", "Spans that were lost, by why.",
			{ "reason" }, NULL, 0 },
		{ METRICS_GAUGE, "esteira_spans_waiting", "Spans that wait to be sent.", { NULL },
			NULL, 0 },
	};

	spans->exported = metrics_register(spans->of.metrics, &specs[0]);
	spans->dropped = metrics_register(spans->of.metrics, &specs[1]);
	spans->waiting = metrics_register(spans->of.metrics, &specs[2]);
}

/* --- sending --- */

static void turn(struct spans *spans);

static void settle(struct spans *spans)
{
	span_queue_release(spans->queue, spans->out.batch);
	spans->out.batch = NULL;
	spans->out.pause_ms = AGAIN_MS;
}

/* Once when it begins and once when it is over; what a receiver says is not ours to log. */
static void tell(struct spans *spans, int status, struct err e)
{
	const bool fails = e.kind != ERR_OK || status < 200 || status > 299;

	if (fails == spans->out.failing)
		return;
	spans->out.failing = fails;
	if (fails)
		LOG(LOG_WARN, "traces.export_fails", LOG_INT("status", status), LOG_ERR(e));
	else
		LOG(LOG_INFO, "traces.export_works", LOG_INT("status", status));
}

static bool may_come_again(int status, struct err e)
{
	return e.kind == ERR_RETRY || status == 429 || status == 502 || status == 503 ||
	       status == 504;
}

static int64_t pause_of(const struct export *out, const struct http_response *response)
{
	uint64_t seconds = 0;

	if (response == NULL ||
		!str_to_u64(http_response_header(response, "retry-after"), &seconds))
		return out->pause_ms;
	const int64_t asked_ms =
		seconds > AGAIN_MAX_MS / 1000 ? AGAIN_MAX_MS : (int64_t)seconds * 1000;
	return asked_ms > out->pause_ms ? asked_ms : out->pause_ms;
}

static void accept(struct spans *spans, const struct http_response *response)
{
	const int64_t all = (int64_t)spans->out.batch->spans;
	int64_t refused = otlp_rejected(buf_str(&response->body));

	refused = refused > all ? all : refused;
	metrics_add(spans->exported, NULL, all - refused);
	drop(spans, "refused", (size_t)refused);
}

static void on_answer(void *arg, struct err e, struct http_response *response)
{
	struct spans *spans = arg;
	struct export *out = &spans->out;
	const int status = response == NULL ? 0 : response->status;
	const int64_t now_ms = clock_mono_ms();

	out->call = NULL;
	tell(spans, status, e);
	if (status >= 200 && status <= 299) {
		accept(spans, response);
	} else if (may_come_again(status, e) && !spans->flush.wanted &&
		   now_ms - out->first_ms < TRIES_FOR_MS) {
		out->next_ms = now_ms + pause_of(out, response);
		out->pause_ms = out->pause_ms * 2 < AGAIN_MAX_MS ? out->pause_ms * 2 : AGAIN_MAX_MS;
		return;
	} else {
		drop(spans, may_come_again(status, e) ? "unreachable" : "refused",
			out->batch->spans);
		/* nobody is there: what is left would wait for nobody, too */
		spans->flush.over = spans->flush.wanted && may_come_again(status, e);
	}
	settle(spans);
	turn(spans);
}

/* "name=value,name=value" in text, which is cut up. */
static void read_headers(char *text, struct http_header *ret_headers)
{
	size_t count = 1; /* behind the Content-Type */

	for (char *rest = text; rest != NULL && *rest != '\0' && count <= HEADERS_MAX;) {
		char *name = rest, *value = strchr(rest, '=');
		rest = strchr(rest, ',');
		if (rest != NULL)
			*rest++ = '\0';
		if (value == NULL || (rest != NULL && value >= rest))
			continue;
		*value = '\0';
		ret_headers[count++] = (struct http_header){ name, value + 1 };
	}
	ret_headers[count] = (struct http_header){ NULL, NULL };
}

static struct err post(struct spans *spans)
{
	static const struct http_callbacks callbacks = { .done = on_answer };
	struct http_header headers[HEADERS_MAX + 2] = { { "Content-Type", "application/json" } };
	char secret[SECRET_BYTES] = "";
	const struct http_request request = { .method = "POST",
		.url = spans->url,
		.headers = headers,
		.body = buf_str(&spans->out.batch->body),
		.response_max_bytes = ANSWER_MAX_BYTES,
		.cut = true,
		.timeout_ms = CALL_MS,
		.away = ERR_CODE_PROVIDER_AWAY };

	if (spans->headers != NULL)
		secret_copy(spans->headers, secret, NULL);
	read_headers(secret, headers);
	struct err e = http_send(spans->out.http, &request, &callbacks, spans, &spans->out.call);
	secret_wipe(secret, sizeof secret);
	return e;
}

static bool send_batch(struct spans *spans)
{
	struct err e = spans->out.batch->body.overflow
			       ? err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a batch of spans")
			       : post(spans);

	if (e.kind == ERR_OK)
		return true;
	tell(spans, 0, e);
	drop(spans, "refused", spans->out.batch->spans);
	settle(spans);
	return false;
}

static bool next_batch(struct spans *spans, int64_t now_ms)
{
	struct export *out = &spans->out;

	if (out->batch != NULL)
		return now_ms >= out->next_ms || spans->flush.wanted;
	out->batch = span_queue_take(spans->queue, now_ms, spans->flush.wanted);
	out->first_ms = now_ms;
	return out->batch != NULL;
}

static void drop_rest(struct spans *spans)
{
	struct export *out = &spans->out;

	if (out->call != NULL)
		http_cancel(out->call);
	out->call = NULL;
	do {
		if (out->batch != NULL) {
			drop(spans, "shutdown", out->batch->spans);
			settle(spans);
		}
		out->batch = span_queue_take(spans->queue, clock_mono_ms(), true);
	} while (out->batch != NULL);
}

static void end_flush(struct spans *spans)
{
	spans->closed = true;
	drop_rest(spans);
	loop_timer_stop(spans->out.turn);
	sem_post(&spans->flush.done);
}

static void turn(struct spans *spans)
{
	const int64_t now_ms = clock_mono_ms();

	if (spans->closed)
		return;
	metrics_set(spans->waiting, NULL, (double)span_queue_count(spans->queue));
	if (spans->flush.wanted && (spans->flush.over || now_ms >= spans->flush.until_ms)) {
		end_flush(spans);
		return;
	}
	while (spans->out.call == NULL && next_batch(spans, now_ms))
		if (send_batch(spans))
			return;
	if (spans->flush.wanted && spans->out.call == NULL)
		end_flush(spans);
}

static void on_turn(void *arg)
{
	struct spans *spans = arg;

	spans->woken = false;
	turn(spans);
}

/* --- life --- */

static struct err open_parts(struct spans *spans, const struct spans_conf *conf)
{
	const struct otlp_resource resource = { spans->of.service, spans->of.version,
		spans->of.instance };
	const struct http_limits limits = { .stall_timeout_ms = CALL_MS,
		.connections_kept = 1,
		.ca_file = conf->ca_file[0] == '\0' ? NULL : conf->ca_file };
	const size_t len = strlen(conf->endpoint), slash = conf->endpoint[len - 1] == '/';

	spans->head = BUF(HEAD_BYTES);
	spans->tail = BUF(HEAD_BYTES);
	otlp_begin(&resource, &spans->head);
	otlp_end(&spans->tail);
	TRY(buf_check(&spans->head));
	TRY(buf_check(&spans->tail));
	if (asprintf(&spans->url, "%.*s/v1/traces", (int)(len - slash), conf->endpoint) < 0)
		spans->url = NULL;
	const struct span_queue_conf queue = { .spans_max = (size_t)conf->queue_spans,
		.bytes_max = (size_t)conf->queue_bytes,
		.batch_spans = BATCH_SPANS,
		.batch_ms = BATCH_MS,
		.head = buf_str(&spans->head),
		.tail = buf_str(&spans->tail) };
	spans->queue = span_queue_new(&queue);
	if (spans->queue == NULL || spans->url == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for spans");
	TRY(http_open(spans->of.loop, &limits, &spans->out.http));
	TRY(loop_timer_new(spans->of.loop, on_turn, spans, &spans->out.turn));
	loop_timer_start(spans->out.turn, TURN_MS, TURN_MS);
	return err_ok();
}

struct err spans_open(
	const struct spans_of *of, const struct spans_conf *conf, struct spans **ret_spans)
{
	*ret_spans = NULL;
	if (conf->endpoint[0] == '\0')
		return err_ok();
	TRY(spans_try(conf));
	struct spans *spans = calloc(1, sizeof *spans);
	if (spans == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for spans");
	spans->of = *of;
	spans->headers = conf->headers;
	spans->out.pause_ms = AGAIN_MS;
	(void)read_ratio(conf->ratio, &spans->ratio);
	sem_init(&spans->flush.done, 0, 0);
	register_metrics(spans);
	struct err e = open_parts(spans, conf);
	if (e.kind == ERR_OK) {
		*ret_spans = spans;
		return e;
	}
	spans_close(spans);
	spans_free(spans);
	return e;
}

static void on_stop(void *arg)
{
	struct spans *spans = arg;

	spans->flush.until_ms = clock_mono_ms() + SPANS_FLUSH_MS;
	spans->flush.wanted = true;
	loop_timer_start(spans->out.turn, SPANS_FLUSH_MS, TURN_MS);
	turn(spans);
}

void spans_stop(struct spans *spans)
{
	if (spans != NULL && loop_post(spans->of.loop, on_stop, spans))
		sem_wait(&spans->flush.done);
}

void spans_close(struct spans *spans)
{
	if (spans == NULL)
		return;
	spans->closed = true;
	if (spans->out.call != NULL)
		http_cancel(spans->out.call);
	spans->out.call = NULL;
	http_close(spans->out.http);
	loop_timer_free(spans->out.turn);
}

void spans_free(struct spans *spans)
{
	if (spans == NULL)
		return;
	if (spans->out.batch != NULL)
		span_queue_release(spans->queue, spans->out.batch);
	span_queue_free(spans->queue);
	sem_destroy(&spans->flush.done);
	buf_done(&spans->head);
	buf_done(&spans->tail);
	free(spans->url);
	free(spans);
}

/* --- for frame/span --- */

bool spans_samples(const struct spans *spans, const uint8_t *trace_id)
{
	uint64_t number = 0;

	for (size_t i = 8; i < 16; i++)
		number = number << 8 | trace_id[i];
	return (double)(number >> 11) < spans->ratio * 9007199254740992.0; /* 2^53 */
}

void spans_put(struct spans *spans, struct str span)
{
	const enum span_queue_put put =
		spans->closed ? SPAN_QUEUE_FULL
			      : span_queue_put(spans->queue, span, clock_mono_ms());

	if (put == SPAN_QUEUE_FULL)
		drop(spans, spans->closed ? "shutdown" : "full", 1);
	if (put == SPAN_QUEUE_COMPLETE && !atomic_exchange(&spans->woken, true) &&
		!loop_post(spans->of.loop, on_turn, spans))
		spans->woken = true; /* the loop has stopped */
}
