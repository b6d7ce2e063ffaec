#include "frame/service_conf.h"

#include <stddef.h>

#define AT(member) offsetof(struct service_conf, member)

const struct conf_item service_conf_items[] = {
	{ "ESTEIRA_KAFKA_BROKERS", CONF_TEXT, AT(kafka_brokers), NULL, 0, 0, NULL,
		"Kafka bootstrap servers, host:port, comma-separated." },
	{ "ESTEIRA_KAFKA_TOPIC_PREFIX", CONF_TEXT, AT(kafka_prefix), "esteira.", 0, 0, NULL,
		"Prefix of every topic and group name." },
	{ "ESTEIRA_KAFKA_SESSION_MS", CONF_INT, AT(kafka_session_ms), "45000", 6000, 300000, NULL,
		"How long a silent consumer stays in its group, milliseconds." },
	{ "ESTEIRA_TOPICS_PARTITIONS", CONF_INT, AT(partitions), "12", 1, 1000, NULL,
		"Partitions of every topic but ocr.jobs; fixed at birth." },
	{ "ESTEIRA_TOPICS_OCR_PARTITIONS", CONF_INT, AT(ocr_partitions), "60", 1, 1000, NULL,
		"Partitions of ocr.jobs: the most OCR workers that can share it; fixed at birth." },
	{ "ESTEIRA_PG_URL", CONF_SECRET, AT(pg_url), NULL, 0, 0, NULL,
		"Postgres URI of the role esteira_<service>." },
	{ "ESTEIRA_PG_FRAME_URL", CONF_SECRET, AT(pg_frame_url), NULL, 0, 0, NULL,
		"Postgres URI of the role esteira_frame_<service> (relay, claims, progress)." },
	{ "ESTEIRA_ADMIN_LISTEN", CONF_TEXT, AT(admin_listen), "0.0.0.0:9464", 0, 0, NULL,
		"Address of /livez, /readyz and /metrics." },
	{ "ESTEIRA_SERVICE_INSTANCE", CONF_TEXT, AT(instance), "", 0, 0, NULL,
		"Name of this process in logs and claims; default host name and pid." },
	{ "ESTEIRA_DRAIN_MS", CONF_INT, AT(drain_ms), "55000", 0, 600000, NULL,
		"How long SIGTERM waits for work in hand, milliseconds." },
	{ "ESTEIRA_LOG_LEVEL", CONF_CHOICE, AT(log_level), "info", 0, 0, "debug|info|warn|error",
		"The least level that is written." },
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};
