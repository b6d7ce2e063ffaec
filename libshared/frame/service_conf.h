/* The settings every service has; for frame/service*.c alone. */
#ifndef ESTEIRA_FRAME_SERVICE_CONF_H
#define ESTEIRA_FRAME_SERVICE_CONF_H

#include "frame/conf.h"
#include "frame/engine.h"

struct service;

struct service_conf {
	const char *kafka_brokers, *kafka_prefix;
	int64_t kafka_session_ms;
	int64_t partitions, ocr_partitions;
	const char *pg_url, *pg_frame_url;
	const char *admin_listen;
	const char *instance;
	int64_t drain_ms, step_max_ms, work_max_ms, replay_max;
	const char *log_level;
};

extern const struct conf_item service_conf_items[];

/* Both tables from the environment; *ret_own is the struct of service->conf. ERR_FATAL bad-config.
 */
struct err service_conf_read(const struct service *service, struct arena *arena,
	struct service_conf *ret_conf, void **ret_own) ERR_MUST_USE;

/* What follows from the configuration: group, topics, connections, owner. Texts in arena. */
struct err service_conf_names(const struct service *service, const struct service_conf *conf,
	struct arena *arena, struct engine_names *ret_names) ERR_MUST_USE;

#endif
