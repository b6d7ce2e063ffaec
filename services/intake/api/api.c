#include "api/api.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api_store.h"
#include "api/events.h"
#include "api/front.h"
#include "api/pressure.h"
#include "api/routes.h"
#include "api/secure.h"
#include "api/sse.h"
#include "api/status.h"
#include "base/arena.h"
#include "base/log.h"
#include "frame/metrics.h"
#include "frame/pool.h"
#include "frame/service.h"
#include "intake.h"
#include "port/digest.h"
#include "port/loop.h"
#include "port/pg.h"
#include "port/seal.h"
#include "port/web.h"

enum {
	WATCH_ARENA_BYTES = 4 << 20,
	WATCH_QUEUE_MAX = 16,
	DRAIN_MS = 50000,
	SCRATCH_MAX_BYTES = SEAL_CHUNK_BYTES + 1024,
};

/* What scripts of listed origins may send and read, beside what Fetch lets them. */
#define CORS_ACCEPTED                                                                              \
	"X-API-Key, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id, traceparent"
#define CORS_EXPOSED "X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, Location, Result-Salt"

/* --- every answer --- */

void api_note_request(struct api *api, struct web_exchange *exchange, char *ret_traceparent)
{
	struct arena *arena = web_arena(exchange);
	struct api_note *note = arena == NULL ? NULL : arena_alloc(arena, sizeof *note);
	struct span spare, *span = note == NULL ? &spare : &note->span;

	span_begin(service_spans(api->intake->service), OTLP_SERVER,
		web_header(exchange, "traceparent"), span);
	trace_format(span->trace, ret_traceparent);
	if (note != NULL)
		note->tenant[0] = '\0';
	web_set_user(exchange, note);
}

/* The template of its route stands for the path, which may hold ids. Who left before the answer is
 * no failure of ours. */
static void end_span(
	const struct api *api, struct api_note *note, const char *const *labels, const char *method)
{
	struct span *span = &note->span;
	uint64_t status = 0;

	(void)str_to_u64(str_of(labels[1]), &status);
	span_add_text(span, OTLP_HTTP_METHOD, method);
	span_add_text(span, OTLP_HTTP_ROUTE, labels[0]);
	span_add_text(
		span, OTLP_URL_SCHEME, secure_tls(api->guards.secure) == NULL ? "http" : "https");
	span_add_number(span, OTLP_HTTP_STATUS, (int64_t)status);
	span_add_text(span, OTLP_TENANT, note->tenant[0] == '\0' ? NULL : note->tenant);
	if (status >= 500)
		span_fail(span, labels[1]);
	span_end(span, method, labels[0]);
}

static void on_answered(
	const struct web_exchange *exchange, int status, int64_t duration_us, void *arg)
{
	const struct api *api = arg;
	const struct web_route *route = web_route_of(exchange);
	struct api_note *note = web_user(exchange);
	const char *pattern = route == NULL ? "none" : route->pattern;
	char status_text[12], method[12], trace[TRACE_ID_TEXT_BYTES] = "";
	char span[SPAN_ID_TEXT_BYTES] = "";
	const struct str sent = web_method(exchange), id = web_request_id(exchange);

	snprintf(status_text, sizeof status_text, "%d", status);
	snprintf(method, sizeof method, "%.*s", (int)sent.len, sent.ptr == NULL ? "" : sent.ptr);
	const char *const labels[] = { pattern, status_text };
	metrics_add(api->metrics.requests, labels, 1);
	metrics_observe(api->metrics.seconds, labels, (double)duration_us / 1e6);
	if (note != NULL) {
		trace_format_id(note->span.trace, trace);
		span_format_id(&note->span, span);
		end_span(api, note, labels, method);
	}
	LOG(LOG_INFO, "http.request", LOG_TEXT("method", method), LOG_TEXT("route", pattern),
		LOG_INT("status", status), LOG_INT("duration_us", duration_us),
		LOG_TEXT("tenant", note == NULL ? "" : note->tenant),
		LOG_TEXT("request_id", id.ptr), LOG_TEXT("trace_id", trace),
		LOG_TEXT("span_id", span));
}

static void register_metrics(struct api *api)
{
	static const struct metrics_spec specs[] = {
		{ METRICS_COUNTER, "esteira_http_requests_total", "Answered requests.",
			{ "route", "status" }, NULL, 0 },
		{ METRICS_HISTOGRAM, "esteira_http_request_seconds",
			"From a request's headers to the end of its answer.", { "route" }, NULL,
			0 },
		{ METRICS_GAUGE, "esteira_uploads_running", "Documents on their way in.", { NULL },
			NULL, 0 },
		{ METRICS_COUNTER, "esteira_upload_bytes_total", "Bytes of request bodies taken.",
			{ NULL }, NULL, 0 },
		{ METRICS_GAUGE, "esteira_event_streams", "Open event streams.", { NULL }, NULL,
			0 },
		{ METRICS_COUNTER, "esteira_results_lost_total",
			"Results that were asked for in time and were not there.", { NULL }, NULL,
			0 },
		{ METRICS_COUNTER, "esteira_http_events_total",
			"Events of POST /v1/events by what became of them.", { "outcome" }, NULL,
			0 },
	};
	struct metrics *metrics = service_metrics(api->intake->service);

	api->metrics = (struct api_metrics){
		.requests = metrics_register(metrics, &specs[0]),
		.seconds = metrics_register(metrics, &specs[1]),
		.uploads = metrics_register(metrics, &specs[2]),
		.upload_bytes = metrics_register(metrics, &specs[3]),
		.streams = metrics_register(metrics, &specs[4]),
		.results_lost = metrics_register(metrics, &specs[5]),
		.events = metrics_register(metrics, &specs[6]),
	};
}

/* --- jobs under way --- */

static void tell_drained(struct api *api)
{
	void (*drained)(void *arg) = api->end.drained;

	if (drained == NULL || api->web != NULL || api->end.jobs > 0)
		return;
	api->end.drained = NULL;
	drained(api->end.arg);
}

struct err api_submit(struct api *api, struct pool_job *job)
{
	if (api->end.stopping)
		return err_retry(ERR_CODE_SHUTTING_DOWN, "");
	TRY(pool_submit(api->intake->pool, job));
	api->end.jobs++;
	return err_ok();
}

void api_job_done(struct api *api)
{
	api->end.jobs--;
	tell_drained(api);
}

/* --- opening and closing --- */

static struct err open_pools(struct api *api)
{
	struct pool_conf conf = { .loop = api->loop,
		.pg = service_frame_pg(api->intake->service),
		.threads = 1,
		.arena_bytes = WATCH_ARENA_BYTES,
		.queue_max = WATCH_QUEUE_MAX };

	TRY(pool_open(&conf, &api->watch));
	return pool_open(&conf, &api->probe);
}

static struct web_limits limits_of(const struct intake_limits *conf)
{
	struct web_limits limits = web_limits_default();

	limits.line_bytes = (size_t)conf->line_bytes;
	limits.header_bytes = (size_t)conf->header_bytes;
	limits.header_fields = (size_t)conf->header_fields;
	limits.header_ms = (uint64_t)conf->header_ms;
	limits.body_idle_ms = (uint64_t)conf->body_idle_ms;
	return limits;
}

/* Postgres was there a moment ago: whoever waits for it is frame/service. */
static struct err read_cursor_key(struct api *api)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(WATCH_ARENA_BYTES);
	struct pg *pg = pg_new(service_frame_pg(api->intake->service));

	if (arena == NULL || pg == NULL) {
		pg_free(pg);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	}
	const struct err e = api_store_cursor_key(pg, arena, api->cursor_key);
	pg_free(pg);
	if (e.kind == ERR_RETRY)
		return err_retry(e.code, "the key of cursors cannot be read yet");
	return e.kind == ERR_OK ? e : err_fatal(e.code, "the key of cursors cannot be read");
}

static struct err open_parts(struct api *api)
{
	struct web_conf web = { .loop = api->loop,
		.address = api->intake->conf->http_listen,
		.routes = routes_all,
		.limits = limits_of(&api->intake->conf->limits),
		.cors = { api->intake->conf->wires.http_cors_origins, CORS_ACCEPTED, CORS_EXPOSED },
		.proxies = api->intake->conf->wires.http_proxies,
		.arg = api,
		.on_done = on_answered };

	register_metrics(api);
	TRY(open_pools(api));
	TRY(front_open(api, &api->guards.front));
	TRY(read_cursor_key(api));
	TRY(pressure_open(api, &api->pressure));
	TRY(status_open(api, &api->status));
	TRY(sse_open(api, &api->streams));
	TRY(events_open(api, &api->events));
	TRY(secure_open(api->intake, &api->guards.secure));
	web.tls = secure_tls(api->guards.secure);
	return web_open(&web, &api->web);
}

struct err api_open(struct intake *intake, struct api **ret_api)
{
	struct api *api = calloc(1, sizeof *api);

	if (api == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	api->intake = intake;
	api->loop = service_loop(intake->service);
	api->scratch = BUF(SCRATCH_MAX_BYTES);
	*ret_api = api; /* also after a failure: api_stop and api_close end what was opened */
	return open_parts(api);
}

static void on_web_closed(void *arg)
{
	struct api *api = arg;

	api->web = NULL;
	tell_drained(api);
}

void api_drain(struct api *api, void (*done)(void *arg), void *arg)
{
	api->end.drained = done;
	api->end.arg = arg;
	api->end.closing = true;
	sse_stop(api->streams);
	web_close(api->web, DRAIN_MS, on_web_closed, api);
}

static void stop_parts(struct api *api)
{
	api->end.stopping = true;
	sse_stop(api->streams);
	pressure_stop(api->pressure);
	status_stop(api->status);
}

struct stop {
	struct api *api;
	sem_t stopped;
};

static void on_stopped(void *arg)
{
	sem_post(&((struct stop *)arg)->stopped);
}

/* A drain that is under way is not waited for: it had its time. */
static void on_stop(void *arg)
{
	struct stop *stop = arg;
	struct api *api = stop->api;

	stop_parts(api);
	if (api->end.closing || api->web == NULL) {
		on_stopped(stop);
		return;
	}
	api->end.closing = true;
	api->end.drained = on_stopped;
	api->end.arg = stop;
	web_close(api->web, 0, on_web_closed, api);
}

void api_stop(struct api *api)
{
	struct stop stop = { .api = api };

	if (api == NULL)
		return;
	sem_init(&stop.stopped, 0, 0);
	if (loop_post(api->loop, on_stop, &stop))
		sem_wait(&stop.stopped);
	sem_destroy(&stop.stopped);
	events_stop(api->events);
	pool_close(api->watch);
	pool_close(api->probe);
	api->watch = NULL;
	api->probe = NULL;
}

void api_close(struct api *api)
{
	if (api == NULL)
		return;
	stop_parts(api);
	if (api->web != NULL)
		return; /* requests still hold on to it; the process ends */
	secure_close(api->guards.secure);
	sse_close(api->streams);
	events_close(api->events);
	front_close(api->guards.front);
	status_close(api->status);
	pressure_free(api->pressure);
	buf_done(&api->scratch);
	digest_wipe(api->cursor_key, sizeof api->cursor_key);
	free(api);
}
