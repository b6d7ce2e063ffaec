#include "api/pressure.h"

#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "frame/metrics.h"
#include "frame/pool.h"
#include "frame/service.h"
#include "intake.h"
#include "port/loop.h"

enum {
	PERIOD_MS = 1000,
	STALE_MS = 10000,
	RATE_OVER_S = 60,
	RETRY_AFTER_MIN_S = 3,
	RETRY_AFTER_MAX_S = 300,
	DEADLINE_S = 600, /* a tenant's who was given none */
};

struct pressure {
	struct pool_job job;
	struct api *api;
	struct loop_timer *timer;
	bool busy;
	int64_t read_ms;	       /* when known was read; 0 = never */
	struct api_store_load known;   /* the loop's */
	struct api_store_load reading; /* the job's */
	struct {
		struct metric *on, *wait, *pending;
	} metrics;
};

static const struct metrics_spec on_spec = { METRICS_GAUGE, "esteira_back_pressure",
	"1 while a document with the default deadline would be refused.", { NULL }, NULL, 0 };
static const struct metrics_spec wait_spec = { METRICS_GAUGE, "esteira_upload_wait_seconds",
	"How long a document taken now would take to be read, estimated.", { NULL }, NULL, 0 };
static const struct metrics_spec pending_spec = { METRICS_GAUGE, "esteira_jobs_pending",
	"Jobs of all tenants that nobody has begun.", { NULL }, NULL, 0 };

/* A backlog younger than the window says nothing about the whole of it: the rate is taken over its
 * age. With nothing ended there is no rate, and the age of the oldest speaks alone. */
double pressure_estimate_s(const struct api_store_load *load)
{
	double window_s = load->oldest_s < 1 ? 1 : load->oldest_s;

	if (window_s > (double)RATE_OVER_S)
		window_s = RATE_OVER_S;
	if (load->ended == 0)
		return load->oldest_s;
	return load->oldest_s + (double)load->pending * window_s / (double)load->ended;
}

/* Not sooner than what is known can be new: it is read once a second. */
unsigned pressure_decide(const struct api_store_load *load, int64_t deadline_s, int64_t pending_max)
{
	double estimate_s = pressure_estimate_s(load);

	if (estimate_s <= (double)deadline_s / 2 &&
		(pending_max == 0 || load->pending < pending_max))
		return 0;
	if (estimate_s > (double)RETRY_AFTER_MAX_S)
		return RETRY_AFTER_MAX_S;
	return estimate_s < RETRY_AFTER_MIN_S ? RETRY_AFTER_MIN_S : (unsigned)estimate_s;
}

/* What was read too long ago is no reason to refuse: Postgres itself will. */
unsigned pressure_ask(const struct pressure *pressure, int64_t deadline_s)
{
	if (pressure->read_ms == 0 || clock_mono_ms() - pressure->read_ms > STALE_MS)
		return 0;
	return pressure_decide(&pressure->known, deadline_s, pressure->api->intake->conf->lag_max);
}

static struct err run(struct pool_job *job, struct pg *pg, struct arena *arena)
{
	return api_store_load(pg, arena, &((struct pressure *)job)->reading);
}

static void tell(const struct pressure *pressure)
{
	unsigned again_s =
		pressure_decide(&pressure->known, DEADLINE_S, pressure->api->intake->conf->lag_max);

	metrics_set(pressure->metrics.on, NULL, again_s > 0 ? 1 : 0);
	metrics_set(pressure->metrics.wait, NULL, pressure_estimate_s(&pressure->known));
	metrics_set(pressure->metrics.pending, NULL, (double)pressure->known.pending);
}

static void done(struct pool_job *job, struct err e)
{
	struct pressure *pressure = (struct pressure *)job;

	pressure->busy = false;
	if (e.kind != ERR_OK)
		return;
	pressure->known = pressure->reading;
	pressure->read_ms = clock_mono_ms();
	tell(pressure);
}

static void on_timer(void *arg)
{
	struct pressure *pressure = arg;

	if (!pressure->busy)
		pressure->busy = pool_submit(pressure->api->watch, &pressure->job).kind == ERR_OK;
}

struct err pressure_open(struct api *api, struct pressure **ret_pressure)
{
	struct pressure *pressure = calloc(1, sizeof *pressure);

	if (pressure == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	pressure->api = api;
	struct metrics *metrics = service_metrics(api->intake->service);
	pressure->metrics.on = metrics_register(metrics, &on_spec);
	pressure->metrics.wait = metrics_register(metrics, &wait_spec);
	pressure->metrics.pending = metrics_register(metrics, &pending_spec);
	pressure->job = (struct pool_job){ .run = run, .done = done };
	struct err e = loop_timer_new(api->loop, on_timer, pressure, &pressure->timer);
	if (e.kind != ERR_OK) {
		free(pressure);
		return e;
	}
	loop_timer_start(pressure->timer, 0, PERIOD_MS);
	*ret_pressure = pressure;
	return err_ok();
}

void pressure_stop(struct pressure *pressure)
{
	if (pressure == NULL)
		return;
	loop_timer_free(pressure->timer);
	pressure->timer = NULL;
}

void pressure_free(struct pressure *pressure)
{
	free(pressure);
}
