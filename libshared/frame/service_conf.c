#include "frame/service_conf.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frame/kafka_conf.h"
#include "frame/service.h"

enum { MAX_POLL_MS = 300000 };

#define AT(member) offsetof(struct service_conf, member)

static const struct conf_item items[] = {
	{ "ESTEIRA_KAFKA_BROKERS", CONF_TEXT, AT(kafka.brokers), NULL, 0, 0, NULL,
		"Kafka bootstrap servers, host:port, comma-separated." },
	{ "ESTEIRA_KAFKA_TOPIC_PREFIX", CONF_TEXT, AT(kafka.prefix), "esteira.", 0, 0, NULL,
		"Prefix of every topic and group name." },
	{ "ESTEIRA_KAFKA_SESSION_MS", CONF_INT, AT(kafka.session_ms), "45000", 6000, 300000, NULL,
		"How long a silent consumer stays in its group, milliseconds." },
	{ "ESTEIRA_TOPICS_PARTITIONS", CONF_INT, AT(kafka.partitions), "12", 1, 1000, NULL,
		"Partitions of every topic but ocr.jobs; fixed at birth." },
	{ "ESTEIRA_TOPICS_OCR_PARTITIONS", CONF_INT, AT(kafka.ocr_partitions), "60", 1, 1000, NULL,
		"Partitions of ocr.jobs: the most OCR workers that can share it; fixed at birth." },
	{ "ESTEIRA_PG_URL", CONF_LIVE, AT(pg.url), NULL, 0, 0, NULL,
		"Postgres URI of the role esteira_<service>." },
	{ "ESTEIRA_PG_PASSWORD", CONF_LIVE, AT(pg.password), "", 0, 0, NULL,
		"Its password, in place of the URI's." },
	{ "ESTEIRA_PG_FRAME_URL", CONF_LIVE, AT(pg_frame.url), NULL, 0, 0, NULL,
		"Postgres URI of the role esteira_frame_<service> (relay, claims, progress)." },
	{ "ESTEIRA_PG_FRAME_PASSWORD", CONF_LIVE, AT(pg_frame.password), "", 0, 0, NULL,
		"Its password, in place of the URI's." },
	{ "ESTEIRA_ADMIN_LISTEN", CONF_TEXT, AT(admin_listen), "0.0.0.0:9464", 0, 0, NULL,
		"Address of /livez, /readyz and /metrics." },
	{ "ESTEIRA_SERVICE_INSTANCE", CONF_TEXT, AT(instance), "", 0, 0, NULL,
		"Name of this process in logs and claims; default host name and pid." },
	{ "ESTEIRA_DRAIN_MS", CONF_INT, AT(drain_ms), "55000", 0, 600000, NULL,
		"How long SIGTERM waits for work in hand, milliseconds." },
	{ "ESTEIRA_STEP_MAX_MS", CONF_INT, AT(step_max_ms), "60000", 1000, 3600000, NULL,
		"A handler that has had a record in a transaction for longer hangs: /livez is "
		"503." },
	{ "ESTEIRA_WORK_MAX_MS", CONF_INT, AT(work_max_ms), "3600000", 1000, 86400000, NULL,
		"The same for work outside of transactions, as a document's recognition is." },
	{ "ESTEIRA_REPLAY_MAX_RECORDS", CONF_INT, AT(replay_max), "100000", 0, INT32_MAX, NULL,
		"A rewind of more records in a partition waits for estctl replay confirm." },
	{ "ESTEIRA_LOG_LEVEL", CONF_CHOICE, AT(log_level), "info", 0, 0, "debug|info|warn|error",
		"The least level that is written." },
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};

void service_conf_tables(const struct service *service, struct service_conf *conf, void *own,
	struct service_conf_table *ret_tables)
{
	const struct service_conf_table tables[SERVICE_CONF_TABLES + 1] = {
		{ items, conf },
		{ kafka_conf_items, &conf->kafka.security },
		{ spans_conf_items, &conf->spans },
		{ service->conf, own },
	};

	memcpy(ret_tables, tables, sizeof tables);
}

struct err service_conf_read(const struct service *service, struct arena *arena,
	struct service_conf *ret_conf, void **ret_own)
{
	struct service_conf_table tables[SERVICE_CONF_TABLES + 1];

	*ret_own = arena_alloc(arena, service->conf_size + 1);
	if (*ret_own == NULL)
		return arena_overflow();
	service_conf_tables(service, ret_conf, *ret_own, tables);
	for (const struct service_conf_table *t = tables; t->items != NULL; t++)
		TRY(conf_read(t->items, arena, t->base));
	TRY(kafka_security_try(&ret_conf->kafka.security, arena));
	TRY(spans_try(&ret_conf->spans));
	if (ret_conf->instance[0] == '\0') {
		char host[64] = "host";
		gethostname(host, sizeof host - 1);
		ret_conf->instance = arena_printf(arena, "%s-%d", host, (int)getpid());
	}
	return ret_conf->instance == NULL ? arena_overflow() : err_ok();
}

static struct err name_topics(
	const struct service *service, struct arena *arena, struct engine_names *names)
{
	const char **topics = arena_alloc(arena, TOPIC_COUNT * sizeof *topics);

	names->group = topic_group(&names->space, service->name, arena);
	if (names->group == NULL || topics == NULL)
		return arena_overflow();
	for (const enum topic *t = service->topics; t != NULL && *t != TOPIC_COUNT; t++) {
		topics[names->topic_count] = topic_name(&names->space, *t, arena);
		if (topics[names->topic_count++] == NULL)
			return arena_overflow();
	}
	names->topics = topics;
	return err_ok();
}

struct err service_conf_names(const struct service *service, const struct service_conf *conf,
	struct arena *arena, struct engine_names *ret_names)
{
	char start[ID_TEXT_BYTES];

	*ret_names = (struct engine_names){
		.space = { conf->kafka.prefix, conf->kafka.partitions, conf->kafka.ocr_partitions },
		.pg = { .live_url = conf->pg.url,
			.password = conf->pg.password,
			.application = conf->instance },
		.frame = { .live_url = conf->pg_frame.url,
			.password = conf->pg_frame.password,
			.application = conf->instance },
		.kafka = { .brokers = conf->kafka.brokers,
			.client = conf->instance,
			.security = &conf->kafka.security,
			.session_ms = (int)conf->kafka.session_ms,
			.max_poll_ms = MAX_POLL_MS },
	};
	ret_names->replay_max = conf->replay_max;
	ret_names->outbox = (struct outbox_conf){ &ret_names->space, service->name };
	id_format(id_v7(), start);
	snprintf(ret_names->owner, sizeof ret_names->owner, "%.50s:%s", conf->instance, start);
	return name_topics(service, arena, ret_names);
}
