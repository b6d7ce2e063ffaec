/*
 * What the parts of intake share: opened here, handed to job/ as scope->state and to api/ with
 * every request. Nothing in it is written after start but by the part that owns it.
 */
#ifndef ESTEIRA_INTAKE_INTAKE_H
#define ESTEIRA_INTAKE_INTAKE_H

#include "frame/conf.h"
#include "frame/keyring.h"

#include <stdint.h>

struct api;
struct bridge;
struct buf;
struct http;
struct metric;
struct partner_book;
struct pool;
struct purge;
struct redis;
struct s3;
struct secret;
struct service_context;

/* What a client may cost; port/web.h says what each means. */
struct intake_limits {
	int64_t line_bytes, header_bytes, header_fields;
	int64_t header_ms, body_idle_ms;
	int64_t rate_redis_ms;	/* api/rate.h */
	int64_t tenant_streams; /* api/sse.h */
};

/* Who may talk to the public port and how it and the servers we call are proven; all but
 * http_tls_min may be "": not asked for. */
struct intake_wires {
	const char *http_cert_file, *http_key_file, *http_client_ca_file;
	const char *http_tls_min; /* "1.3" or "1.2" */
	const char *http_cors_origins, *http_proxies;
	const char *redis_ca_file, *s3_ca_file;
	struct secret *redis_password; /* NULL: the URL's */
};

/* The threads that answer requests, and their way to Postgres. */
struct intake_pool {
	int64_t threads;
	struct secret *pg_url; /* NULL = the workers' */
};

struct intake_conf {
	const char *http_listen;
	struct intake_limits limits;
	struct intake_wires wires;
	int64_t document_max_bytes;
	struct intake_pool pool;
	int64_t lag_max; /* pending jobs that answer 503; 0 = off */
	int64_t orphan_age_s;
	const char *redis_url;
	const char *s3_endpoint, *s3_bucket, *s3_region;
	struct secret *s3_access_key, *s3_secret_key;
	struct keyring_conf seal;
};

extern const struct conf_item intake_conf_items[];

struct intake {
	struct service_context *service;
	const struct intake_conf *conf;
	struct keyring *keyring; /* tenants' keys */
	struct http *http;
	struct s3 *s3;
	struct redis *redis;	  /* commands that answer at once */
	struct redis *redis_tail; /* the one blocking XREAD */
	struct pool *pool;	  /* request threads with Postgres (role esteira_intake) */
	struct api *api;
	struct purge *purge;
	struct partner_book *partners;
	struct bridge *bridge; /* from partners' topics into the suite */
	struct metric *results_late;
	int draining; /* parts that SIGTERM still waits for; loop thread */
};

/* The hooks of struct service; conf is a struct intake_conf, state a struct intake. */
struct secret *intake_pooler(const void *conf);
struct err intake_open(struct service_context *service, const void *conf, void **ret_state)
	ERR_MUST_USE;
void intake_drain(void *state);
void intake_stop(void *state);
void intake_close(void *state);
bool intake_ready(void *state, struct buf *out);

#endif
