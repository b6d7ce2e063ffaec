/* The settings every service has; for frame/service*.c alone. */
#ifndef ESTEIRA_FRAME_SERVICE_CONF_H
#define ESTEIRA_FRAME_SERVICE_CONF_H

#include "frame/conf.h"

struct service_conf {
	const char *kafka_brokers, *kafka_prefix;
	int64_t kafka_session_ms;
	int64_t partitions, ocr_partitions;
	const char *pg_url, *pg_frame_url;
	const char *admin_listen;
	const char *instance;
	int64_t drain_ms;
	const char *log_level;
};

extern const struct conf_item service_conf_items[];

#endif
