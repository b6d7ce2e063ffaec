/*
 * What the programs make of topics and headers, as JSON: what tests/contract/test_asyncapi.py holds
 * against schemas/asyncapi.yaml. Settings are read from the environment as estctl reads them.
 *
 *   contract-topics          every topic, its settings, its spread and readers; the headers of an
 *                            event and of a dead letter
 *   contract-topics SLUG     what estctl partner add prints for that partner
 *   contract-topics SLUG CLUSTER    the same for a Strimzi cluster
 *
 * Exit code: 0, 1 (why is on standard error).
 */
#include <stdio.h>

#include "base/id.h"
#include "model/envelope.h"
#include "frame/reason.h"
#include "config.h"
#include "partner.h"
#include "topics.h"

enum { ARENA_BYTES = 1 << 20, KEYS = 1000, PARTITIONS_MAX = 1000 };

static void print_headers(const char *name, const struct headers *headers)
{
	printf(",\n\"%s\":{", name);
	for (size_t i = 0; i < headers->count; i++)
		printf("%s\"%s\":\"%.*s\"", i == 0 ? "" : ",", headers->items[i].name,
			(int)headers->items[i].value.len, headers->items[i].value.ptr);
	putchar('}');
}

static struct err print_event(struct arena *arena)
{
	const struct event event = { .id = id_v7(),
		.type = "intake.document.received.v1",
		.source = "/esteira/intake",
		.tenant = { id_v7() },
		.time_ms = 1,
		.ordering_key = "key",
		.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		.slug = "loja-1" };
	struct headers headers;

	TRY(envelope_write(&event, arena, &headers));
	print_headers("event", &headers);
	return err_ok();
}

static struct err print_dead_letter(struct arena *arena)
{
	const struct reason reason = { .topic = "topic",
		.group = "group",
		.version = "1",
		.attempts = 1,
		.why = err_reject(ERR_CODE_BAD_RECORD, "field x: missing") };
	struct headers headers = { .count = 0 };

	TRY(reason_add(&reason, arena, &headers));
	print_headers("dead_letter", &headers);
	return err_ok();
}

static struct err print_settings(const char *name, bool dlq, int64_t replicas, struct arena *arena)
{
	struct kafka_admin_topic_setting settings[TOPICS_SETTINGS];

	TRY(topics_settings(dlq, replicas, arena, settings));
	printf(",\n\"%s\":{\"replicas\":%lld", name, (long long)replicas);
	for (size_t i = 0; i < TOPICS_SETTINGS; i++)
		printf(",\"%s\":\"%s\"", settings[i].name, settings[i].value);
	putchar('}');
	return err_ok();
}

static struct err print_plan(const struct topic_space *space, struct arena *arena)
{
	struct codec_list rows;

	TRY(topics_plan(space, arena, &rows));
	const struct topics_row *row = rows.items;
	fputs("{\"plan\":[", stdout);
	for (size_t i = 0; i < rows.count; i++)
		printf("%s\n{\"topic\":\"%s\",\"partitions\":%lld,\"dlq\":%s}", i == 0 ? "" : ",",
			row[i].topic, (long long)row[i].partitions, row[i].dlq ? "true" : "false");
	putchar(']');
	return err_ok();
}

/* Over how many partitions the records of one tenant go. */
static int spread_of(const struct topic_space *space, enum topic topic)
{
	const struct tenant tenant = { id_v7() };
	bool seen[PARTITIONS_MAX] = { false };
	int count = 0;

	for (int i = 0; i < KEYS; i++) {
		char key[ID_TEXT_BYTES];
		id_format(id_v7(), key);
		bool *place = &seen[topic_partition_of(space, topic, tenant, str_of(key))];
		count += !*place;
		*place = true;
	}
	return count;
}

static struct err print_topic(
	const struct topic_space *space, enum topic topic, struct arena *arena)
{
	const char *name = topic_name(space, topic, arena);

	if (name == NULL)
		return arena_overflow();
	printf("%s\n\"%s\":{\"spread\":%d,\"readers\":{", topic == 0 ? "" : ",", name,
		spread_of(space, topic));
	for (const char *const *reader = topic_readers(topic); *reader != NULL; reader++)
		printf("%s\"%s\":\"%s\"", reader == topic_readers(topic) ? "" : ",", *reader,
			topic_group(space, *reader, arena));
	fputs("}}", stdout);
	return err_ok();
}

static struct err print_all(const struct config *config, struct arena *arena)
{
	TRY(print_plan(&config->space, arena));
	fputs(",\n\"topics\":{", stdout);
	for (int topic = 0; topic < TOPIC_COUNT; topic++)
		TRY(print_topic(&config->space, (enum topic)topic, arena));
	putchar('}');
	TRY(print_settings("settings", false, config->replicas, arena));
	TRY(print_settings("settings_dlq", true, config->replicas, arena));
	TRY(print_event(arena));
	TRY(print_dead_letter(arena));
	puts("}");
	return err_ok();
}

int main(int argc, char **argv)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(ARENA_BYTES);
	struct config config;

	if (arena == NULL)
		return 1;
	struct err e = config_read(CONFIG_KAFKA, arena, &config);
	if (e.kind == ERR_OK && argc == 2)
		partner_print_acls(config.space.prefix, argv[1], stdout);
	else if (e.kind == ERR_OK && argc == 3)
		partner_print_user(config.space.prefix, argv[1], argv[2], stdout);
	else if (e.kind == ERR_OK)
		e = print_all(&config, arena);
	if (e.kind != ERR_OK)
		fprintf(stderr, "%s: %s\n", err_code_name(e.code), e.msg);
	return e.kind == ERR_OK ? 0 : 1;
}
