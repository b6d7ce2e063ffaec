/* The settings every service has; for frame/service*.c alone. */
#ifndef ESTEIRA_FRAME_SERVICE_CONF_H
#define ESTEIRA_FRAME_SERVICE_CONF_H

#include "frame/conf.h"
#include "frame/engine.h"
#include "frame/spans.h"
#include "port/kafka_security.h"

struct secret;
struct service;

struct service_kafka_conf {
	const char *brokers, *prefix;
	int64_t session_ms, partitions, ocr_partitions;
	struct kafka_security security;
};

struct service_conf {
	struct service_kafka_conf kafka;
	struct {
		struct secret *url, *password;
	} pg, pg_frame;
	struct spans_conf spans;
	const char *admin_listen;
	const char *instance;
	int64_t drain_ms, step_max_ms, work_max_ms, replay_max;
	const char *log_level;
};

/* The tables of a service and where their structs are, ended by items NULL. */
enum { SERVICE_CONF_TABLES = 4 };
struct service_conf_table {
	const struct conf_item *items;
	void *base;
};
void service_conf_tables(const struct service *service, struct service_conf *conf, void *own,
	struct service_conf_table *ret_tables);

/* All of them from the environment; *ret_own is the struct of service->conf. ERR_FATAL bad-config.
 */
struct err service_conf_read(const struct service *service, struct arena *arena,
	struct service_conf *ret_conf, void **ret_own) ERR_MUST_USE;

/* What follows from the configuration: group, topics, connections, owner. Texts in arena. */
struct err service_conf_names(const struct service *service, const struct service_conf *conf,
	struct arena *arena, struct engine_names *ret_names) ERR_MUST_USE;

#endif
