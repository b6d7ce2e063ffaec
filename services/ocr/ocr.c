#include "ocr.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "frame/metrics.h"
#include "frame/metrics_wire.h"
#include "frame/service.h"
#include "port/http.h"
#include "port/redis.h"
#include "port/redis_policy.h"

#include "alive.h"
#include "document.h"

#define AT(member) offsetof(struct ocr_conf, member)

const struct conf_item ocr_conf_items[] = {
	{ "ESTEIRA_REDIS_URL", CONF_SECRET, AT(wires.redis_url), NULL, 0, 0, NULL,
		"redis(s)://[[user]:password@]host:port/db; must neither persist nor evict." },
	{ "ESTEIRA_REDIS_PASSWORD", CONF_LIVE, AT(wires.redis_password), "", 0, 0, NULL,
		"Password of Redis, in place of the URL's." },
	{ "ESTEIRA_REDIS_CA_FILE", CONF_TEXT, AT(wires.redis_ca_file), "", 0, 0, NULL,
		"PEM file of the authorities that a rediss:// server's certificate is checked "
		"against; empty: the system's." },
	{ "ESTEIRA_S3_ENDPOINT", CONF_TEXT, AT(wires.s3_endpoint), NULL, 0, 0, NULL,
		"http(s)://host:port of the document storage." },
	{ "ESTEIRA_S3_CA_FILE", CONF_TEXT, AT(wires.s3_ca_file), "", 0, 0, NULL,
		"PEM file of the authorities that an https storage's certificate is checked "
		"against; empty: the system's." },
	KEYRING_CONF_ITEMS(offsetof(struct ocr_conf, seal)),
	{ "ESTEIRA_OCR_JAIL", CONF_CHOICE, AT(jail), "require", 0, 0, "require|best-effort",
		"Whether to start where the kernel refuses landlock or seccomp." },
	{ "ESTEIRA_OCR_JAIL_PATH", CONF_TEXT, AT(jail_path), "", 0, 0, NULL,
		"The program esteira-ocr-jail; default beside this program." },
	{ "ESTEIRA_OCR_JOBS", CONF_INT, AT(jobs), "4", 1, 64, NULL, "Documents at once." },
	{ "ESTEIRA_OCR_RECOGNISERS", CONF_INT, AT(recognisers), "0", 0, 64, NULL,
		"Pages under OCR at once; 0 = one per core." },
	{ "ESTEIRA_OCR_OBJECT_MAX_BYTES", CONF_INT, AT(object_max_bytes), "67108864", 4096,
		1LL << 31, NULL, "Largest encrypted document, bytes." },
	{ "ESTEIRA_OCR_PAGES_MAX", CONF_INT, AT(pages_max), "500", 1, 10000, NULL,
		"Most pages of a document." },
	{ "ESTEIRA_OCR_PIXELS_MAX", CONF_INT, AT(pixels_max), "40000000", 1000000, 400000000, NULL,
		"Largest page image, pixels." },
	{ "ESTEIRA_OCR_CPU_S", CONF_INT, AT(cpu_s), "60", 1, 3600, NULL,
		"Processor time of one child of the jail, seconds." },
	{ "ESTEIRA_OCR_CHILD_MEMORY_BYTES", CONF_INT, AT(child_memory_bytes), "1073741824",
		64 << 20, 64LL << 30, NULL, "Address space of one child of the jail, bytes." },
	{ "ESTEIRA_OCR_TEXT_MAX_BYTES", CONF_INT, AT(text_max_bytes), "8388608", 1024, 15 << 20,
		NULL, "Largest text of a document, bytes." },
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};

int ocr_threads(const void *conf)
{
	return (int)((const struct ocr_conf *)conf)->jobs;
}

struct err ocr_prepare(void *conf, struct arena *arena)
{
	struct ocr_conf *ocr = conf;
	const struct document_conf limits = {
		.jail_path = *ocr->jail_path == '\0' ? NULL : ocr->jail_path,
		.jail = strcmp(ocr->jail, "require") == 0 ? DOCUMENT_JAIL_REQUIRE
							  : DOCUMENT_JAIL_BEST_EFFORT,
		.recognisers = (unsigned)ocr->recognisers,
		.pages_max = (unsigned)ocr->pages_max,
		.pixels_max = (uint32_t)ocr->pixels_max,
		.cpu_s = (uint32_t)ocr->cpu_s,
		.memory_bytes = (uint64_t)ocr->child_memory_bytes,
		.text_bytes = (uint64_t)ocr->text_max_bytes,
	};

	(void)arena;
	TRY(document_open(&limits, &ocr->reader));
	return document_memory_check(ocr->reader);
}

/* --- opening --- */

static const struct metrics_spec documents_spec = { METRICS_COUNTER, "esteira_ocr_documents_total",
	"Documents by how they ended: completed, gone, or an error code.", { "outcome" }, NULL, 0 };
static const struct metrics_spec pages_spec = { METRICS_COUNTER, "esteira_ocr_pages_total",
	"Pages by where their text came from.", { "source" }, NULL, 0 };
static const struct metrics_spec page_seconds_spec = { METRICS_HISTOGRAM,
	"esteira_ocr_page_seconds", "Time spent on a page.", { "source" }, NULL, 0 };

static void on_redis_policy(void *arg, struct err e)
{
	struct ocr *ocr = arg;

	if (e.kind == ERR_OK)
		ocr->store_is_safe = true;
	else
		service_fail(ocr->service, e);
}

static void on_alive_fatal(void *arg, struct err e)
{
	struct ocr *ocr = arg;

	service_fail(ocr->service, e);
}

static void register_metrics(struct ocr *ocr)
{
	struct metrics *metrics = service_metrics(ocr->service);

	ocr->documents = metrics_register(metrics, &documents_spec);
	ocr->pages = metrics_register(metrics, &pages_spec);
	ocr->page_seconds = metrics_register(metrics, &page_seconds_spec);
	ocr->storage = metrics_wire_storage(metrics);
	document_measure(ocr->conf->reader, metrics);
}

static struct err open_parts(struct ocr *ocr)
{
	struct loop *loop = service_loop(ocr->service);
	const struct redis_limits limits = { .queued_max_bytes = 64U << 20,
		.name = "esteira-ocr",
		.ca_file = ocr->conf->wires.redis_ca_file,
		.password = ocr->conf->wires.redis_password,
		.ear = metrics_wire_redis(service_metrics(ocr->service)) };
	const char *ca_file = ocr->conf->wires.s3_ca_file;
	const struct http_limits http = { .ca_file = *ca_file == '\0' ? NULL : ca_file };
	const struct keyring_of keys = { loop, service_health(ocr->service),
		service_metrics(ocr->service) };

	TRY(keyring_open(&keys, &ocr->conf->seal, &ocr->keyring));
	TRY(http_open(loop, &http, &ocr->http));
	TRY(redis_open(loop, ocr->conf->wires.redis_url, &limits, &ocr->redis));
	TRY(redis_policy_check(ocr->redis, loop, on_redis_policy, ocr));
	const struct alive_conf alive = {
		.loop = loop,
		.redis = ocr->redis,
		.health = service_health(ocr->service),
		.reader = ocr->conf->reader,
		.instance = service_instance(ocr->service),
		.fatal = on_alive_fatal,
		.arg = ocr,
	};
	return alive_open(&alive, &ocr->alive);
}

struct err ocr_open(struct service_context *service, const void *conf, void **ret_state)
{
	struct ocr *ocr = calloc(1, sizeof *ocr);

	if (ocr == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	ocr->service = service;
	ocr->conf = conf;
	*ret_state = ocr; /* also after a failure: ocr_close ends what was opened */
	const char *missing = document_jail_missing(ocr->conf->reader);
	if (*missing != '\0')
		LOG(LOG_WARN, "ocr.jail_incomplete", LOG_TEXT("missing", missing));
	register_metrics(ocr);
	return open_parts(ocr);
}

void ocr_close(void *state)
{
	struct ocr *ocr = state;

	http_close(ocr->http);
	redis_close(ocr->redis);
	alive_close(ocr->alive);
	document_close(ocr->conf->reader);
	keyring_close(ocr->keyring);
	free(ocr);
}

bool ocr_ready(void *state, struct buf *out)
{
	const struct ocr *ocr = state;
	const char *missing = document_jail_missing(ocr->conf->reader);

	buf_addf(out, ",\"ocr\":{\"jail\":\"%s\",\"jail_missing\":\"%s\",\"jobs\":%lld",
		*missing == '\0' ? "complete" : "incomplete", missing, (long long)ocr->conf->jobs);
	buf_addf(out, ",\"jail_restarts\":%u", document_jail_restarts(ocr->conf->reader));
	buf_addf(out, ",\"recognised_ms_ago\":%lld,\"store_checked\":%s}",
		(long long)alive_age_ms(ocr->alive), ocr->store_is_safe ? "true" : "false");
	return ocr->store_is_safe;
}
