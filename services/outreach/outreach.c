#include "outreach.h"

#include <stddef.h>
#include <stdlib.h>

#include "frame/metrics.h"
#include "frame/service.h"
#include "port/http.h"
#include "keep.h"

/* A thread for each call that may be under way: it waits, and does little else. How many go to whom
 * is decided by endpoint (frame/crowd), not by host: a host is many tenants' endpoints. */
enum { CALLS_MAX = 512, KEPT_MAX = 512, CONNECT_MS = 10000 };

#define AT(member) offsetof(struct outreach_conf, member)

const struct conf_item outreach_conf_items[] = {
	{ "ESTEIRA_OUTREACH_CALLS", CONF_INT, AT(calls), "128", 2, CALLS_MAX, NULL,
		"Webhook calls at once; 2 of them to one endpoint, up to 8 while they go well." },
	{ "ESTEIRA_OUTREACH_TIMEOUT_MS", CONF_INT, AT(timeout_ms), "30000", 100, 60000, NULL,
		"How long an endpoint may take for its answer, milliseconds." },
	{ "ESTEIRA_OUTREACH_SCHEDULE", CONF_TEXT, AT(schedule), "5s,5m,30m,2h,5h,10h", 0, 0, NULL,
		"The pauses between attempts; a delivery fails for good after the one behind the "
		"last." },
	{ "ESTEIRA_OUTREACH_CA_FILE", CONF_TEXT, AT(ca_file), "", 0, 0, NULL,
		"PEM file of the authorities that endpoints' certificates are checked against; "
		"empty: the system's." },
	KEYRING_CONF_ITEMS(offsetof(struct outreach_conf, seal)),
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};

int outreach_threads(const void *conf)
{
	return (int)((const struct outreach_conf *)conf)->calls;
}

static void register_metrics(struct outreach *outreach)
{
	static const double buckets[] = { 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30 };
	static const struct metrics_spec attempts = { METRICS_COUNTER,
		"esteira_webhook_attempts_total", "Calls to endpoints by what became of them.",
		{ "outcome" }, NULL, 0 };
	static const struct metrics_spec seconds = { METRICS_HISTOGRAM, "esteira_webhook_seconds",
		"From the call of an endpoint to the end of its answer.", { NULL }, buckets,
		sizeof buckets / sizeof *buckets };
	struct metrics *metrics = service_metrics(outreach->service);

	outreach->attempts = metrics_register(metrics, &attempts);
	outreach->seconds = metrics_register(metrics, &seconds);
}

static struct err open_parts(struct outreach *outreach)
{
	const struct outreach_conf *conf = outreach->conf;
	const struct http_limits limits = { .connect_timeout_ms = CONNECT_MS,
		.stall_timeout_ms = conf->timeout_ms,
		.connections_per_host = (size_t)conf->calls,
		.connections_kept = KEPT_MAX,
		.ca_file = conf->ca_file[0] == '\0' ? NULL : conf->ca_file };
	const struct keyring_of keys = { service_loop(outreach->service),
		service_health(outreach->service), service_metrics(outreach->service) };

	if (!decide_read_schedule(str_of(conf->schedule), &outreach->schedule))
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_OUTREACH_SCHEDULE: 1 to 16 of a number and ms, s, m or h, like "
			"5s,5m,2h");
	TRY(keyring_open(&keys, &conf->seal, &outreach->keyring));
	TRY(http_open(service_loop(outreach->service), &limits, &outreach->http));
	register_metrics(outreach);
	return keep_open(service_frame_pg(outreach->service), &outreach->keep);
}

struct err outreach_open(struct service_context *service, const void *conf, void **ret_state)
{
	struct outreach *outreach = calloc(1, sizeof *outreach);

	if (outreach == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	outreach->service = service;
	outreach->conf = conf;
	*ret_state = outreach; /* also after a failure: outreach_close ends what was opened */
	return open_parts(outreach);
}

void outreach_stop(void *state)
{
	struct outreach *outreach = state;

	keep_close(outreach->keep);
	outreach->keep = NULL;
}

void outreach_close(void *state)
{
	struct outreach *outreach = state;

	http_close(outreach->http);
	keyring_close(outreach->keyring);
	free(outreach);
}
