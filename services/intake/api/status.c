#include "api/status.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/api_store.h"
#include "api/call.h"
#include "base/clock.h"
#include "frame/health.h"
#include "frame/pool.h"
#include "frame/relay.h"
#include "frame/service.h"
#include "intake.h"
#include "model/rediskey.h"
#include "port/loop.h"
#include "port/redis.h"
#include "port/s3.h"
#include "port/web.h"

enum {
	PERIOD_MS = 5000,
	REDIS_TIMEOUT_MS = 4000,
	KAFKA_SLOW_MS = 5000, /* rows wait that long: the relay gets nothing through */
	SCANS_MAX = 200,      /* steps of 1,000 keys */
	BODY_MAX_BYTES = 2048,
};

enum ocr_state { OCR_UNKNOWN, OCR_UP, OCR_DOWN };

struct probe {
	struct pool_job job; /* first */
	struct status *status;
	int64_t took_us;
	bool busy;
};

struct status {
	struct api *api;
	struct loop_timer *timer;
	struct probe postgres, storage;
	size_t commands; /* that Redis has not answered */
	bool closed;
	int64_t ping_us; /* when the PING was sent */
	enum ocr_state ocr;
	int64_t scan_us; /* when the search for a live ocr began; its latency when found */
	int64_t ocr_latency_us;
	unsigned scans;
};

static struct health *health_of(const struct status *status)
{
	return service_health(status->api->intake->service);
}

/* --- Postgres and the storage --- */

static struct err ask_postgres(struct pool_job *job, struct pg *pg, struct arena *arena)
{
	struct probe *probe = (struct probe *)job;

	TRY(api_store_ping(pg, arena)); /* connects */
	int64_t from_us = clock_mono_us();
	TRY(api_store_ping(pg, arena));
	probe->took_us = clock_mono_us() - from_us;
	return err_ok();
}

static struct err ask_storage(struct pool_job *job, struct pg *pg, struct arena *arena)
{
	struct probe *probe = (struct probe *)job;

	(void)pg;
	(void)arena;
	return s3_health(probe->status->api->intake->s3, &probe->took_us);
}

static void on_postgres(struct pool_job *job, struct err e)
{
	struct probe *probe = (struct probe *)job;

	probe->busy = false;
	health_report(health_of(probe->status), HEALTH_POSTGRES, e, probe->took_us);
}

static void on_storage(struct pool_job *job, struct err e)
{
	struct probe *probe = (struct probe *)job;

	probe->busy = false;
	health_report(health_of(probe->status), HEALTH_STORAGE, e, probe->took_us);
}

static void start(struct probe *probe, struct pool *pool)
{
	if (!probe->busy)
		probe->busy = pool_submit(pool, &probe->job).kind == ERR_OK;
}

/* --- Redis and OCR --- */

/* Counts an answered command; false: the owner has gone and status may be too. */
static bool answered(struct status *status)
{
	status->commands--;
	if (!status->closed)
		return true;
	if (status->commands == 0)
		free(status);
	return false;
}

static void on_pong(void *arg, struct err result, const struct redis_reply *reply)
{
	struct status *status = arg;

	(void)reply;
	if (!answered(status))
		return;
	health_report(health_of(status), HEALTH_REDIS, result, clock_mono_us() - status->ping_us);
}

static void on_scanned(void *arg, struct err result, const struct redis_reply *reply);

static void scan(struct status *status, struct str cursor)
{
	const struct str argv[] = { STR("SCAN"), cursor, STR("MATCH"), STR(REDISKEY_ALIVE_PATTERN),
		STR("COUNT"), STR("1000") };
	const struct redis_command command = { argv, 6, REDIS_TIMEOUT_MS };

	status->commands++;
	status->scans++;
	redis_send(status->api->intake->redis, &command, on_scanned, status);
}

static void on_scanned(void *arg, struct err result, const struct redis_reply *reply)
{
	struct status *status = arg;

	if (!answered(status))
		return;
	bool good = result.kind == ERR_OK && reply->kind == REDIS_ARRAY && reply->count == 2;
	if (!good) {
		status->ocr = OCR_UNKNOWN;
	} else if (reply->items[1].count > 0) {
		status->ocr = OCR_UP;
		status->ocr_latency_us = clock_mono_us() - status->scan_us;
	} else if (str_eq(reply->items[0].text, STR("0"))) {
		status->ocr = OCR_DOWN;
	} else if (status->scans >= SCANS_MAX) {
		status->ocr = OCR_UNKNOWN;
	} else {
		scan(status, reply->items[0].text);
	}
}

static void ask_redis(struct status *status)
{
	const struct str argv[] = { STR("PING") };
	const struct redis_command command = { argv, 1, REDIS_TIMEOUT_MS };

	if (status->commands > 0)
		return; /* of the last round */
	status->ping_us = clock_mono_us();
	status->commands++;
	redis_send(status->api->intake->redis, &command, on_pong, status);
	status->scan_us = clock_mono_us();
	status->scans = 0;
	scan(status, STR("0"));
}

static void on_timer(void *arg)
{
	struct status *status = arg;

	start(&status->postgres, status->api->watch);
	start(&status->storage, status->api->probe);
	ask_redis(status);
}

/* --- the answer --- */

static void look_at_kafka(const struct status *status, struct health_view *ret_view)
{
	struct relay_view relay;

	health_look(health_of(status), HEALTH_KAFKA, ret_view);
	relay_look(service_relay(status->api->intake->service), &relay);
	if (relay.kafka_away_ms > KAFKA_SLOW_MS)
		*ret_view = (struct health_view){ .known = true, .latency_us = -1 };
}

static bool write_check(const char *name, const struct health_view *view, struct buf *out)
{
	const char *state = !view->known ? "unknown" : view->up ? "up" : "down";

	buf_addf(out, "\"%s\":{\"status\":\"%s\"", name, state);
	if (view->known && view->up && view->latency_us >= 0)
		buf_addf(out, ",\"latency_ms\":%.3f", (double)view->latency_us / 1000);
	buf_addf(out, "}");
	return !view->known || view->up;
}

void status_get(struct web_exchange *exchange, void *arg)
{
	const struct status *status = ((const struct api *)arg)->status;
	struct buf checks SCOPED(buf_done) = BUF(BODY_MAX_BYTES);
	struct buf body SCOPED(buf_done) = BUF(BODY_MAX_BYTES);
	const struct health_view ocr = { .known = status->ocr != OCR_UNKNOWN,
		.up = status->ocr == OCR_UP,
		.latency_us = status->ocr_latency_us };
	bool good = true;

	for (int part = 0; part < HEALTH_PARTS; part++) {
		struct health_view view;
		if (part == HEALTH_KAFKA)
			look_at_kafka(status, &view);
		else
			health_look(health_of(status), (enum health_part)part, &view);
		good = write_check(health_part_name((enum health_part)part), &view, &checks) &&
		       good;
		buf_add_str(&checks, STR(","));
	}
	good = write_check("ocr", &ocr, &checks) && good;
	buf_addf(
		&body, "{\"status\":\"%s\",\"checks\":{%s}}", good ? "ok" : "degraded", checks.ptr);
	call_reply_json(exchange, 200, NULL, &body);
}

/* --- opening and closing --- */

struct err status_open(struct api *api, struct status **ret_status)
{
	struct status *status = calloc(1, sizeof *status);

	if (status == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	status->api = api;
	status->postgres = (struct probe){
		.job = { .run = ask_postgres, .done = on_postgres }, .status = status, .took_us = -1
	};
	status->storage = (struct probe){
		.job = { .run = ask_storage, .done = on_storage }, .status = status, .took_us = -1
	};
	struct err e = loop_timer_new(api->loop, on_timer, status, &status->timer);
	if (e.kind != ERR_OK) {
		free(status);
		return e;
	}
	loop_timer_start(status->timer, 0, PERIOD_MS);
	*ret_status = status;
	return err_ok();
}

void status_stop(struct status *status)
{
	if (status == NULL)
		return;
	loop_timer_free(status->timer);
	status->timer = NULL;
}

void status_close(struct status *status)
{
	if (status == NULL)
		return;
	status_stop(status);
	status->closed = true;
	if (status->commands == 0)
		free(status);
}
