#include "api/events.h"

#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/call.h"
#include "api/events_batch.h"
#include "api/events_marks.h"
#include "api/front.h"
#include "api/idempotency.h"
#include "api/ingest.h"
#include "base/clock.h"
#include "frame/metrics.h"
#include "frame/outbox.h"
#include "frame/service.h"
#include "intake.h"
#include "port/web.h"
#include "port/web_reply.h"

enum {
	BODIES_MAX_BYTES = 64 << 20,	/* of all requests together */
	KEY_MAX = FOREIGN_TEXT_MAX - 4, /* with "/999" it is an id */
	ANSWER_MAX_BYTES = (2 << 20) + 4096,
};

struct events {
	struct api *api;
	struct ingest *ingest;
	struct events_marks *marks;
	size_t bodies_bytes; /* held now */
};

enum phase {
	PHASE_KEY,  /* waits for the key */
	PHASE_BODY, /* reads */
	PHASE_SENT, /* with the ingest thread, which alone may touch batch and body */
	PHASE_OVER, /* answered */
};

struct request {
	struct ingest_job job; /* first */
	struct front_ask ask;
	struct events *events;
	struct web_exchange *exchange; /* NULL once aborted */
	enum phase phase;
	struct buf body;
	struct events_batch batch;
};

static struct request *request_of(struct front_ask *ask)
{
	return (struct request *)(void *)((char *)ask - offsetof(struct request, ask));
}

/* --- ends --- */

static void free_content(struct request *request)
{
	request->events->bodies_bytes -= request->body.len;
	buf_done(&request->body);
	events_batch_done(&request->batch);
}

static void free_request(struct request *request)
{
	front_leave(&request->ask);
	free_content(request);
	free(request);
}

/* What the ingest thread has it gives back; the rest goes at once. */
static void on_abort(struct web_exchange *exchange, void *arg)
{
	struct request *request = arg;

	(void)exchange;
	request->exchange = NULL;
	if (request->phase != PHASE_SENT)
		free_request(request);
}

static struct web_exchange *take_exchange(struct request *request)
{
	struct web_exchange *exchange = request->exchange;

	request->exchange = NULL;
	if (exchange != NULL)
		web_on_abort(exchange, NULL, NULL);
	return exchange;
}

/* Before the ingest thread has it. */
static void refuse(struct request *request, struct err e)
{
	struct web_exchange *exchange = take_exchange(request);

	free_request(request);
	call_refuse(exchange, e);
}

/* --- the answer --- */

static void count(const struct request *request, const char *outcome, size_t n)
{
	const char *const labels[] = { outcome };

	if (n > 0)
		metrics_add(request->events->api->metrics.events, labels, (int64_t)n);
}

static void answer(struct request *request, struct web_exchange *exchange)
{
	static const struct web_field problem[] = {
		{ "Content-Type", { "application/problem+json", 24 } },
		{ NULL, { NULL, 0 } },
	};
	struct buf body SCOPED(buf_done) = BUF(ANSWER_MAX_BYTES);
	const enum err_code code = ERR_CODE_EVENTS_REFUSED;
	bool accepted = request->batch.accepted > 0;

	buf_add_str(&body, STR("{"));
	if (!accepted)
		buf_addf(&body,
			"\"type\":\"urn:esteira:error:%s\",\"title\":\"%s\",\"status\":%d,"
			"\"code\":\"%s\",",
			err_code_name(code), err_code_title(code), err_code_status(code),
			err_code_name(code));
	events_batch_write(&request->batch, &body);
	buf_add_str(&body, STR("}"));
	struct err e = buf_check(&body);
	if (e.kind != ERR_OK)
		call_refuse(exchange, err_retry(ERR_CODE_OVERLOADED, ""));
	else if (accepted)
		call_reply_json(exchange, 202, NULL, &body);
	else
		web_reply_send(exchange, err_code_status(code), problem, buf_str(&body));
}

static void done(struct ingest_job *job, struct err e)
{
	struct request *request = (struct request *)job;
	struct web_exchange *exchange = take_exchange(request);
	const struct events_batch *batch = &request->batch;

	request->phase = PHASE_OVER;
	count(request, "refused", batch->at - batch->accepted);
	count(request, e.kind == ERR_OK ? "accepted" : "unconfirmed", batch->accepted);
	for (size_t i = 0; e.kind == ERR_OK && i < batch->accepted; i++)
		events_marks_add(request->events->marks, request->ask.who.tenant, batch->ids[i]);
	if (exchange != NULL && e.kind == ERR_OK)
		answer(request, exchange);
	else if (exchange != NULL)
		call_refuse(exchange, e);
	free_content(request);
}

/* Kafka may hold on to the job for longer than its content is needed. */
static void drop(struct ingest_job *job)
{
	free(job);
}

/* --- the body --- */

static struct err next(struct ingest_job *job, struct arena *arena, struct ingest_item *ret_item)
{
	struct request *request = (struct request *)job;

	return events_batch_next(&request->batch, clock_wall_ms(), arena, ret_item);
}

static void on_piece(struct web_exchange *exchange, struct str bytes, void *arg)
{
	struct request *request = arg;
	struct events *events = request->events;
	size_t before = request->body.len;

	(void)exchange;
	if (events->bodies_bytes + bytes.len > BODIES_MAX_BYTES) {
		refuse(request, err_retry(ERR_CODE_OVERLOADED, ""));
		return;
	}
	buf_add_str(&request->body, bytes);
	events->bodies_bytes += request->body.len - before;
	if (request->body.overflow) /* of memory: the length was looked at */
		refuse(request, err_retry(ERR_CODE_OVERLOADED, ""));
}

static void on_end(struct web_exchange *exchange, void *arg)
{
	struct request *request = arg;

	(void)exchange;
	request->batch.request.body = buf_str(&request->body);
	request->job = (struct ingest_job){ .next = next, .done = done, .drop = drop };
	request->phase = PHASE_SENT;
	struct err e = ingest_submit(request->events->ingest, &request->job);
	if (e.kind == ERR_OK)
		return;
	request->phase = PHASE_BODY;
	refuse(request, e);
}

static const struct web_reader reader = { on_piece, on_end };

/* --- the head --- */

static struct err read_key(const struct web_exchange *exchange, char *ret_key)
{
	const struct str header = web_header(exchange, "idempotency-key");

	if (header.ptr == NULL)
		return err_ok();
	if (web_header_once(exchange, "idempotency-key").ptr == NULL)
		return err_reject(ERR_CODE_BAD_PARAMETER, "Idempotency-Key stands there twice");
	TRY(idempotency_read(header, ret_key));
	if (strlen(ret_key) > KEY_MAX)
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"Idempotency-Key is over 251 characters, too long to make ids of");
	return err_ok();
}

/* The front's answer, maybe inside events_post. */
static void on_front(struct front_ask *ask, struct err e)
{
	struct request *request = request_of(ask);
	struct events_batch_request *batch = &request->batch.request;
	struct api *api = request->events->api;

	if (e.kind == ERR_OK)
		e = read_key(request->exchange, batch->idempotency_key);
	if (e.kind != ERR_OK) {
		refuse(request, e);
		return;
	}
	batch->space = service_outbox(api->intake->service)->space;
	batch->from = (struct partner_sender){
		.partner = ask->who.partner, .tenant = ask->who.tenant, .slug = ask->who.slug
	};
	request->phase = PHASE_BODY;
	web_read(request->exchange, &reader, request);
}

void events_post(struct web_exchange *exchange, void *arg)
{
	struct api *api = arg;
	struct request *request = calloc(1, sizeof *request);

	if (request == NULL) {
		call_refuse(exchange, err_retry(ERR_CODE_OVERLOADED, ""));
		return;
	}
	request->events = api->events;
	request->exchange = exchange;
	request->body = BUF(EVENTS_BATCH_BYTES);
	request->ask.exchange = exchange;
	request->ask.done = on_front;
	events_batch_init(&request->batch);
	api_note_request(api, exchange, request->batch.request.traceparent);
	web_on_abort(exchange, on_abort, request);
	front_ask(api->guards.front, &request->ask);
}

/* --- opening and closing --- */

static void on_fail(void *arg, struct err e)
{
	const struct events *events = arg;

	service_fail(events->api->intake->service, e);
}

struct err events_open(struct api *api, struct events **ret_events)
{
	struct service_context *service = api->intake->service;
	const struct intake_conf *conf = api->intake->conf;
	struct events *events = calloc(1, sizeof *events);

	if (events == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	*ret_events = events;
	events->api = api;
	const struct ingest_conf ingest = { .loop = api->loop,
		.kafka = *service_kafka(service),
		.arena_bytes = EVENTS_BATCH_ARENA_BYTES,
		.fail = on_fail,
		.arg = events };
	TRY(events_marks_open(api->loop, conf, &events->marks));
	return ingest_open(&ingest, &events->ingest);
}

void events_stop(struct events *events)
{
	if (events != NULL)
		ingest_stop(events->ingest);
}

void events_close(struct events *events)
{
	if (events == NULL)
		return;
	events_marks_close(events->marks);
	ingest_free(events->ingest);
	free(events);
}

struct redis *events_redis(const struct events *events)
{
	return events_marks_redis(events->marks);
}
