#include "config.h"

#include <stddef.h>

#include "port/kafka.h"
#include "frame/conf.h"
#include "frame/kafka_conf.h"

#include "config_check.h"

#define AT(member) offsetof(struct config, member)
#define END                                                                                        \
	{                                                                                          \
		NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL                                         \
	}

static const struct conf_item kafka_items[] = {
	{ "ESTEIRA_KAFKA_BROKERS", CONF_TEXT, AT(brokers), NULL, 0, 0, NULL,
		"Kafka bootstrap servers, host:port, comma-separated." },
	{ "ESTEIRA_KAFKA_TOPIC_PREFIX", CONF_TEXT, AT(space.prefix), "esteira.", 0, 0, NULL,
		"Prefix of every topic and group name." },
	{ "ESTEIRA_TOPICS_PARTITIONS", CONF_INT, AT(space.partitions), "12", 1, 1000, NULL,
		"Partitions of every topic but ocr.jobs; fixed at birth." },
	{ "ESTEIRA_TOPICS_OCR_PARTITIONS", CONF_INT, AT(space.ocr_partitions), "60", 1, 1000, NULL,
		"Partitions of ocr.jobs: the most OCR workers that can share it; fixed at birth." },
	{ "ESTEIRA_TOPICS_REPLICAS", CONF_INT, AT(replicas), "3", 1, 9, NULL,
		"Brokers that hold each record; all but one of them must have it before it counts "
		"as written." },
	END,
};

static const struct conf_item pg_items[] = {
	{ "ESTEIRA_PG_OWNER_URL", CONF_SECRET, AT(pg_owner_url), NULL, 0, 0, NULL,
		"Postgres URI of a role that passes row-level security: a superuser or "
		"esteira_migrator." },
	END,
};

static const struct conf_item seal_items[] = {
	MASTER_CONF_ITEMS(offsetof(struct config, seal)),
	END,
};

static const struct {
	unsigned setting;
	const struct conf_item *items;
	size_t at; /* where in struct config their struct begins */
} tables[] = {
	{ CONFIG_KAFKA, kafka_items, 0 },
	{ CONFIG_KAFKA, kafka_conf_items, AT(security) },
	{ CONFIG_PG, pg_items, 0 },
	{ CONFIG_SEAL, seal_items, 0 },
};

enum { TABLES = sizeof tables / sizeof *tables };

struct err config_read(unsigned settings, struct arena *arena, struct config *ret_config)
{
	struct config config = { 0 };

	for (size_t i = 0; i < TABLES; i++)
		if ((settings & tables[i].setting) != 0)
			TRY(conf_read(tables[i].items, arena, (char *)&config + tables[i].at));
	if ((settings & CONFIG_KAFKA) != 0)
		TRY(kafka_security_try(&config.security, arena));
	*ret_config = config;
	return err_ok();
}

struct kafka_conf config_kafka(const struct config *config)
{
	return (struct kafka_conf){
		.brokers = config->brokers, .client = "estctl", .security = &config->security
	};
}

struct outbox_conf config_outbox(const struct config *config)
{
	return (struct outbox_conf){ &config->space, "ctl" };
}

void config_help(unsigned settings, FILE *out)
{
	for (size_t i = 0; i < TABLES; i++)
		if ((settings & tables[i].setting) != 0)
			conf_help(tables[i].items, out);
}

const struct conf_item *config_table(size_t number)
{
	return number < TABLES ? tables[number].items : NULL;
}

static struct err list(const struct command_call *call)
{
	bool markdown = command_value(call, "--markdown") != NULL;

	for (size_t i = 0; i < TABLES; i++)
		(markdown ? conf_markdown : conf_help)(tables[i].items, stdout);
	return err_ok();
}

static const struct command_option list_options[] = {
	{ "--markdown", NULL, false, "Rows of a Markdown table." },
	{ NULL, NULL, false, NULL },
};

const struct command config_commands[] = {
	{ "config", "list", NULL, list_options, 0, "Lists the environment variables estctl reads.",
		list },
	{ "config", "check", NULL, config_check_options, 0,
		"Shows what a program would be told by this environment, and what is wrong with "
		"it.",
		config_check },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
