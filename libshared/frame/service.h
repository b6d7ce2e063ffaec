/*
 * A program of the suite: configuration, threads, signals, admin port, drain - everything a service
 * has in common. A service is a table of routes and a few functions; service_run() is its main().
 *
 * Threads: the main thread runs the loop (signals, admin HTTP, the service's own HTTP), one thread
 * polls Kafka, `threads` threads handle records, one thread relays the outbox and renews claims.
 */
#ifndef ESTEIRA_FRAME_SERVICE_H
#define ESTEIRA_FRAME_SERVICE_H

#include "frame/conf.h"
#include "frame/health.h"
#include "frame/route.h"
#include "frame/topic.h"

struct buf;
struct erase_plan;
struct kafka_conf;
struct loop;
struct metrics;
struct pg_conf;
struct pg_pool;
struct relay;
struct secret;
struct service_context;
struct spans;

struct service {
	const char *name; /* "intake": schema, role, group and log name follow from it */
	const struct route *routes;
	const enum topic *topics; /* what it reads; ends with TOPIC_COUNT */
	const struct conf_item *conf;
	size_t conf_size; /* of the struct the table fills; 0 = none */
	int threads;	  /* handlers at once; 0 = 2 */
	/* The same when the configuration decides. May be NULL. */
	int (*threads_of)(const void *conf);
	/* Postgres URI of a pooler for service_pooled_pg(), NULL = none. May be NULL. */
	struct secret *(*pooler_of)(const void *conf);
	/* Before any thread exists (fork here); conf is filled, and members behind its table may be
	 * set for open. May be NULL. */
	struct err (*prepare)(void *conf, struct arena *arena);
	/* Opens what the service needs on the loop; *ret_state goes into every scope. May be NULL.
	 */
	struct err (*open)(struct service_context *context, const void *conf, void **ret_state);
	/* SIGTERM: take nothing new. Called on the loop; call service_drained() when the service's
	 * own part is empty. May be NULL. */
	void (*drain)(void *state);
	/* Ends the service's own threads: on a thread of its own while the loop still runs, so that
	 * their calls can end. Also after open failed. May be NULL. */
	void (*stop)(void *state);
	/* Frees everything; the loop runs its closing callbacks afterwards. Loop thread. May be
	 * NULL. */
	void (*close)(void *state);
	/* Appends the service's own part to /readyz: false = not ready. May be NULL. */
	bool (*ready)(void *state, struct buf *out);
	/* What it keeps of a tenant, and how that goes. NULL: nothing but the frame's tables. */
	const struct erase_plan *erase;
};

/* main(): reads the arguments (--help, --version, --check-config, --print-config,
 * --markdown) and the environment,
 * runs until SIGTERM or a fatal error. The process's exit code: 0, 1 (fatal), 2 (usage or
 * configuration). */
int service_run(const struct service *service, int argc, char **argv);

/* What the frame offers to the service's own parts; all borrowed, valid from open to close. */
struct loop *service_loop(struct service_context *context);
struct health *service_health(struct service_context *context);
struct metrics *service_metrics(struct service_context *context);
struct spans *service_spans(struct service_context *context); /* NULL: traces are off */
struct relay *service_relay(struct service_context *context);
const struct outbox_conf *service_outbox(struct service_context *context);
const struct pg_conf *service_pg(struct service_context *context); /* esteira_<service> */
const struct pg_conf *service_frame_pg(
	struct service_context *context); /* esteira_frame_<service> */
/* The service's role through its pooler, which serves one transaction at a time; service_pg()
 * when there is none. */
const struct pg_conf *service_pooled_pg(struct service_context *context);
const struct kafka_conf *service_kafka(struct service_context *context);
const char *service_instance(struct service_context *context);
struct pg_pool *service_pool(struct service_context *context); /* of the workers; give back soon */

/* The process has to end: exit code 1. Any thread. */
void service_fail(struct service_context *context, struct err e);

/* The service's own part has drained. Loop thread. */
void service_drained(struct service_context *context);

#endif
