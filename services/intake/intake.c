#include "intake.h"

#include <stddef.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/secure.h"
#include "api/sse.h"
#include "base/log.h"
#include "frame/metrics.h"
#include "frame/metrics_wire.h"
#include "frame/outbox.h"
#include "frame/pool.h"
#include "frame/service.h"
#include "job/purge.h"
#include "partner/book.h"
#include "partner/bridge.h"
#include "port/http.h"
#include "port/redis.h"
#include "port/redis_policy.h"
#include "port/s3.h"

enum { REQUEST_ARENA_BYTES = 16 << 20, REQUEST_QUEUE_MAX = 512 };

#define AT(member) offsetof(struct intake_conf, member)

const struct conf_item intake_conf_items[] = {
	{ "ESTEIRA_HTTP_LISTEN", CONF_TEXT, AT(http_listen), "0.0.0.0:8080", 0, 0, NULL,
		"Address of the public API." },
	{ "ESTEIRA_HTTP_TLS_CERT_FILE", CONF_TEXT, AT(wires.http_cert_file), "", 0, 0, NULL,
		"PEM file of the public port's certificate and what leads to its authority; empty: "
		"the port is plain." },
	{ "ESTEIRA_HTTP_TLS_KEY_FILE", CONF_TEXT, AT(wires.http_key_file), "", 0, 0, NULL,
		"PEM file of that certificate's key." },
	{ "ESTEIRA_HTTP_TLS_MIN", CONF_CHOICE, AT(wires.http_tls_min), "1.3", 0, 0, "1.3|1.2",
		"The least version of TLS that the public port speaks." },
	{ "ESTEIRA_HTTP_TLS_CLIENT_CA_FILE", CONF_TEXT, AT(wires.http_client_ca_file), "", 0, 0,
		NULL,
		"PEM file of authorities; then clients must have a certificate of theirs. Empty: "
		"none is asked for." },
	{ "ESTEIRA_HTTP_CORS_ORIGINS", CONF_TEXT, AT(wires.http_cors_origins), "", 0, 0, NULL,
		"Origins whose pages may use the API, comma-separated scheme://host[:port]; empty: "
		"none." },
	{ "ESTEIRA_HTTP_PROXIES", CONF_TEXT, AT(wires.http_proxies), "", 0, 0, NULL,
		"Proxies before the public port whose X-Forwarded-For says who asked, "
		"comma-separated addresses or prefixes (10.0.0.0/8); empty: none." },
	{ "ESTEIRA_HTTP_DOCUMENT_MAX_BYTES", CONF_INT, AT(document_max_bytes), "52428800", 1024,
		1 << 30, NULL, "Largest document, bytes." },
	{ "ESTEIRA_HTTP_LINE_MAX_BYTES", CONF_INT, AT(limits.line_bytes), "8192", 256, 65536, NULL,
		"Longest request line, bytes; longer is answered 414." },
	{ "ESTEIRA_HTTP_HEADERS_MAX_BYTES", CONF_INT, AT(limits.header_bytes), "16384", 1024,
		1 << 20, NULL, "Most bytes of header fields; more is answered 431." },
	{ "ESTEIRA_HTTP_HEADERS_MAX", CONF_INT, AT(limits.header_fields), "64", 8, 1000, NULL,
		"Most header fields; more is answered 431." },
	{ "ESTEIRA_HTTP_HEADER_TIMEOUT_MS", CONF_INT, AT(limits.header_ms), "10000", 100, 600000,
		NULL, "How long a request's head may take, milliseconds; longer is answered 408." },
	{ "ESTEIRA_HTTP_BODY_IDLE_MS", CONF_INT, AT(limits.body_idle_ms), "30000", 100, 600000,
		NULL, "How long a body may stand still, milliseconds; longer is answered 408." },
	{ "ESTEIRA_HTTP_THREADS", CONF_INT, AT(pool.threads), "8", 1, 64, NULL,
		"Threads, each with a Postgres connection, that answer requests." },
	{ "ESTEIRA_INTAKE_PENDING_MAX", CONF_INT, AT(lag_max), "1000", 0, 1000000000, NULL,
		"Pending jobs from which uploads are answered 503; 0 = only the estimate counts." },
	{ "ESTEIRA_INTAKE_ORPHAN_AGE_S", CONF_INT, AT(orphan_age_s), "600", 30, 86400, NULL,
		"Age from which an object without a job is deleted, seconds." },
	{ "ESTEIRA_RATE_REDIS_MS", CONF_INT, AT(limits.rate_redis_ms), "100", 10, 60000, NULL,
		"How long a rate limit waits for Redis before this process counts for itself, "
		"milliseconds." },
	{ "ESTEIRA_HTTP_STREAMS_TENANT_MAX", CONF_INT, AT(limits.tenant_streams), "128", 1,
		SSE_STREAMS_MAX, NULL,
		"Most event streams of a tenant in this process, of the 512 there are; one more is "
		"answered 429." },
	{ "ESTEIRA_PG_REQUEST_URL", CONF_LIVE, AT(pool.pg_url), "", 0, 0, NULL,
		"Postgres URI of the role esteira_intake through PgBouncer, for what requests ask; "
		"default ESTEIRA_PG_URL." },
	{ "ESTEIRA_REDIS_URL", CONF_SECRET, AT(redis_url), NULL, 0, 0, NULL,
		"redis(s)://[[user]:password@]host:port/db; must neither persist nor evict." },
	{ "ESTEIRA_REDIS_PASSWORD", CONF_LIVE, AT(wires.redis_password), "", 0, 0, NULL,
		"Password of Redis, in place of the URL's." },
	{ "ESTEIRA_REDIS_CA_FILE", CONF_TEXT, AT(wires.redis_ca_file), "", 0, 0, NULL,
		"PEM file of the authorities that a rediss:// server's certificate is checked "
		"against; empty: the system's." },
	{ "ESTEIRA_S3_ENDPOINT", CONF_TEXT, AT(s3_endpoint), NULL, 0, 0, NULL,
		"http(s)://host:port of the document storage." },
	{ "ESTEIRA_S3_CA_FILE", CONF_TEXT, AT(wires.s3_ca_file), "", 0, 0, NULL,
		"PEM file of the authorities that an https storage's certificate is checked "
		"against; empty: the system's." },
	{ "ESTEIRA_S3_BUCKET", CONF_TEXT, AT(s3_bucket), "esteira-documents", 0, 0, NULL,
		"Bucket of the encrypted documents; without versioning and object lock." },
	{ "ESTEIRA_S3_REGION", CONF_TEXT, AT(s3_region), "us-east-1", 0, 0, NULL,
		"Region that signatures name." },
	{ "ESTEIRA_S3_ACCESS_KEY", CONF_LIVE, AT(s3_access_key), NULL, 0, 0, NULL,
		"Access key of the bucket." },
	{ "ESTEIRA_S3_SECRET_KEY", CONF_LIVE, AT(s3_secret_key), NULL, 0, 0, NULL,
		"Secret key of the bucket." },
	KEYRING_CONF_ITEMS(offsetof(struct intake_conf, seal)),
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};

struct secret *intake_pooler(const void *conf)
{
	return ((const struct intake_conf *)conf)->pool.pg_url;
}

static struct err open_storage(struct intake *intake)
{
	const struct intake_conf *conf = intake->conf;
	const struct s3_conf s3 = { .endpoint = conf->s3_endpoint,
		.bucket = conf->s3_bucket,
		.region = conf->s3_region,
		.live_access_key = conf->s3_access_key,
		.live_secret_key = conf->s3_secret_key,
		.ear = metrics_wire_storage(service_metrics(intake->service)) };

	const char *ca_file = conf->wires.s3_ca_file;
	const struct http_limits limits = { .ca_file = *ca_file == '\0' ? NULL : ca_file };

	TRY(http_open(service_loop(intake->service), &limits, &intake->http));
	return s3_open(intake->http, &s3, &intake->s3);
}

static void on_redis_policy(void *arg, struct err e)
{
	struct intake *intake = arg;

	if (e.kind == ERR_FATAL)
		service_fail(intake->service, e);
}

static struct err open_redis(struct intake *intake)
{
	const char *ca_file = intake->conf->wires.redis_ca_file;
	const struct redis_limits tail = { .name = "esteira-intake-tail",
		.ca_file = ca_file,
		.password = intake->conf->wires.redis_password };
	const struct redis_limits plain = { .name = "esteira-intake",
		.ca_file = ca_file,
		.password = intake->conf->wires.redis_password,
		.ear = metrics_wire_redis(service_metrics(intake->service)) };
	struct loop *loop = service_loop(intake->service);

	TRY(redis_open(loop, intake->conf->redis_url, &plain, &intake->redis));
	TRY(redis_open(loop, intake->conf->redis_url, &tail, &intake->redis_tail));
	return redis_policy_check(intake->redis, loop, on_redis_policy, intake);
}

static void on_bridge_failed(void *arg, struct err e)
{
	struct intake *intake = arg;

	service_fail(intake->service, e);
}

static struct err open_partners(struct intake *intake)
{
	struct service_context *service = intake->service;

	intake->partners = partner_book_new();
	if (intake->partners == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the book of partners");
	const struct bridge_conf bridge = { .kafka = service_kafka(service),
		.space = service_outbox(service)->space,
		.book = intake->partners,
		.metrics = service_metrics(service),
		.loop = service_loop(service),
		.fail = on_bridge_failed,
		.arg = intake };
	TRY(partner_book_start(intake->partners, service_frame_pg(service)));
	return bridge_open(&bridge, &intake->bridge);
}

static struct err open_parts(struct intake *intake)
{
	const struct pool_conf pool = {
		.loop = service_loop(intake->service),
		.pg = service_pooled_pg(intake->service),
		.threads = (unsigned)intake->conf->pool.threads,
		.arena_bytes = REQUEST_ARENA_BYTES,
		.queue_max = REQUEST_QUEUE_MAX,
		.name = "requests",
		.metrics = service_metrics(intake->service),
	};

	const struct keyring_of keys = { service_loop(intake->service),
		service_health(intake->service), service_metrics(intake->service) };

	TRY(keyring_open(&keys, &intake->conf->seal, &intake->keyring));
	TRY(open_storage(intake));
	TRY(open_redis(intake));
	TRY(pool_open(&pool, &intake->pool));
	TRY(purge_open(intake, &intake->purge));
	TRY(open_partners(intake));
	return api_open(intake, &intake->api);
}

struct err intake_open(struct service_context *service, const void *conf, void **ret_state)
{
	static const struct metrics_spec late = { METRICS_COUNTER, "esteira_results_late_total",
		"Results that came after their job had ended otherwise, and were dropped.",
		{ NULL }, NULL, 0 };
	struct intake *intake = calloc(1, sizeof *intake);

	if (intake == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	intake->service = service;
	intake->conf = conf;
	intake->results_late = metrics_register(service_metrics(service), &late);
	*ret_state = intake; /* also after a failure: intake_close ends what was opened */
	return open_parts(intake);
}

static void on_part_drained(void *arg)
{
	struct intake *intake = arg;

	if (--intake->draining == 0)
		service_drained(intake->service);
}

void intake_drain(void *state)
{
	struct intake *intake = state;

	intake->draining = 2;
	bridge_drain(intake->bridge, on_part_drained, intake);
	api_drain(intake->api, on_part_drained, intake);
}

void intake_stop(void *state)
{
	struct intake *intake = state;

	api_stop(intake->api);
	bridge_close(intake->bridge);
	intake->bridge = NULL;
	partner_book_free(intake->partners);
	intake->partners = NULL;
	purge_close(intake->purge);
	pool_close(intake->pool);
}

bool intake_ready(void *state, struct buf *out)
{
	const struct intake *intake = state;

	if (intake->api != NULL)
		secure_write(intake->api->guards.secure, out);
	return true;
}

void intake_close(void *state)
{
	struct intake *intake = state;

	api_close(intake->api);
	redis_close(intake->redis_tail);
	redis_close(intake->redis);
	s3_close(intake->s3);
	http_close(intake->http);
	keyring_close(intake->keyring);
	free(intake);
}
