#include "topics.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "port/kafka.h"
#include "port/kafka_admin.h"
#include "config.h"
#include "list.h"

enum { TIMEOUT_MS = 10000, VISIBLE_MS = 10000, TURN_MS = 50, ROWS_MAX = 64 };

#define DAY_MS INT64_C(86400000)

static const struct codec_field row_fields[] = {
	CODEC_FIELD(struct topics_row, topic, CODEC_TEXT, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct topics_row, partitions, CODEC_INT, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct topics_row, found, CODEC_INT, CODEC_PLAIN, false, 0),
	CODEC_FIELD(struct topics_row, replicas, CODEC_INT, CODEC_PLAIN, false, 0),
	CODEC_FIELD(struct topics_row, dlq, CODEC_BOOL, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct topics_row, state, CODEC_TEXT, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct topics_row, difference, CODEC_TEXT, CODEC_PLAIN, false, 0),
	CODEC_END,
};

const struct codec_type topics_rows = { "estctl.topic", sizeof(struct topics_row), row_fields };

/* --- what should be there --- */

static struct err add_row(struct codec_list *rows, const char *name, uint32_t partitions, bool dlq)
{
	struct topics_row *row = (struct topics_row *)rows->items + rows->count;

	if (name == NULL || rows->count == ROWS_MAX)
		return arena_overflow();
	*row = (struct topics_row){ .topic = name,
		.partitions = partitions,
		.found = CODEC_NO_INT,
		.replicas = CODEC_NO_INT,
		.state = "missing",
		.dlq = dlq };
	rows->count++;
	return err_ok();
}

static struct err add_topic(const struct topic_space *space, enum topic topic, struct arena *arena,
	struct codec_list *rows)
{
	const char *name = topic_name(space, topic, arena);
	uint32_t partitions = topic_partitions(space, topic);

	TRY(add_row(rows, name, partitions, false));
	for (const char *const *reader = topic_readers(topic); *reader != NULL; reader++) {
		const char *group = topic_group(space, *reader, arena);
		if (group == NULL)
			return arena_overflow();
		TRY(add_row(rows, topic_dlq(name, group, arena), partitions, true));
	}
	return err_ok();
}

struct err topics_plan(
	const struct topic_space *space, struct arena *arena, struct codec_list *ret_rows)
{
	struct codec_list rows = { arena_alloc(arena, ROWS_MAX * sizeof(struct topics_row)), 0 };

	if (rows.items == NULL)
		return arena_overflow();
	for (int topic = 0; topic < TOPIC_COUNT; topic++)
		TRY(add_topic(space, (enum topic)topic, arena, &rows));
	*ret_rows = rows;
	return err_ok();
}

struct err topics_settings(bool dlq, int64_t replicas, struct arena *arena,
	struct kafka_admin_topic_setting *ret_settings)
{
	const char *retention = arena_printf(arena, "%lld", (long long)((dlq ? 30 : 7) * DAY_MS));
	const char *in_sync =
		arena_printf(arena, "%lld", (long long)(replicas > 1 ? replicas - 1 : 1));
	const struct kafka_admin_topic_setting settings[TOPICS_SETTINGS] = {
		{ "retention.ms", retention },
		{ "min.insync.replicas", in_sync },
		{ "message.timestamp.type", "LogAppendTime" },
		{ "cleanup.policy", "delete" },
		{ "max.message.bytes", "1048576" },
	};

	if (retention == NULL || in_sync == NULL)
		return arena_overflow();
	memcpy(ret_settings, settings, sizeof settings);
	return err_ok();
}

/* --- what is to be said about it --- */

static struct err note(struct arena *arena, struct topics_row *row, const char *what)
{
	if (row->difference != NULL && what != NULL)
		what = arena_printf(arena, "%s; %s", row->difference, what);
	if (what == NULL)
		return arena_overflow();
	row->difference = what;
	row->state = "differs";
	return err_ok();
}

struct err topics_compare(struct topics_row *row, int64_t replicas,
	const struct kafka_admin_topic_setting *settings,
	const struct kafka_admin_topic_setting *found, struct arena *arena)
{
	row->state = "exists";
	if (row->found != row->partitions)
		TRY(note(arena, row,
			arena_printf(arena,
				"%lld partitions where %lld are configured; the count is fixed at "
				"birth",
				(long long)row->found, (long long)row->partitions)));
	if (row->replicas != replicas)
		TRY(note(arena, row,
			arena_printf(arena, "%lld replicas where %lld are configured",
				(long long)row->replicas, (long long)replicas)));
	for (size_t i = 0; i < TOPICS_SETTINGS; i++)
		if (found[i].value == NULL || strcmp(settings[i].value, found[i].value) != 0)
			TRY(note(arena, row,
				arena_printf(arena, "%s is %s, declared %s", settings[i].name,
					found[i].value == NULL ? "unknown" : found[i].value,
					settings[i].value)));
	return err_ok();
}

struct err topics_judge(const struct codec_list *rows, struct arena *arena)
{
	const struct topics_row *row = rows->items;
	const char *msg = NULL;
	size_t missing = 0, differ = 0;

	for (size_t i = 0; i < rows->count; i++) {
		missing += strcmp(row[i].state, "missing") == 0;
		if (strcmp(row[i].state, "differs") == 0 && differ++ == 0)
			msg = arena_printf(arena, "topic %s: %s", row[i].topic, row[i].difference);
	}
	if (differ > 1 && msg != NULL)
		msg = arena_printf(arena, "%zu topics differ, first %s", differ, msg);
	if (differ == 0 && missing > 0)
		msg = arena_printf(
			arena, "%zu topics are missing: run estctl topics create", missing);
	if (differ + missing == 0)
		return err_ok();
	return err_reject(ERR_CODE_BAD_CONFIG, msg == NULL ? "topics differ or are missing" : msg);
}

/* --- what is there --- */

static struct err open_admin(const struct config *config, struct kafka_admin **ret_admin)
{
	const struct kafka_conf conf = config_kafka(config);

	return kafka_admin_open(&conf, ret_admin);
}

static void close_admin(struct kafka_admin **admin)
{
	kafka_admin_close(*admin);
}

static struct err named(struct err e, const char *topic, struct arena *arena)
{
	const char *msg = arena_printf(arena, "topic %s: %s", topic, e.msg);

	if (e.kind != ERR_OK && msg != NULL)
		e.msg = msg;
	return e;
}

static struct err plan_of(const struct command_call *call, struct codec_list *ret_rows)
{
	return topics_plan(&call->config->space, call->arena, ret_rows);
}

static struct err look(
	struct kafka_admin *admin, const struct command_call *call, struct topics_row *row)
{
	struct arena *arena = call->arena;
	struct kafka_admin_topic_setting settings[TOPICS_SETTINGS], found[TOPICS_SETTINGS];
	struct kafka_admin_topic_view view;

	TRY(named(kafka_admin_topic_look(admin, row->topic, TIMEOUT_MS, &view), row->topic, arena));
	if (view.partitions == 0) {
		row->state = "missing";
		return err_ok();
	}
	row->found = view.partitions;
	row->replicas = view.replicas;
	TRY(topics_settings(row->dlq, call->config->replicas, arena, settings));
	memcpy(found, settings, sizeof found);
	TRY(named(kafka_admin_topic_settings(admin, arena, row->topic, found, TOPICS_SETTINGS),
		row->topic, arena));
	return topics_compare(row, call->config->replicas, settings, found, arena);
}

static struct err report(const struct command_call *call, const struct codec_list *rows)
{
	TRY(list_print(&topics_rows, rows, command_value(call, "--json") != NULL, stdout));
	return topics_judge(rows, call->arena);
}

static struct err check(const struct command_call *call)
{
	struct kafka_admin *admin SCOPED(close_admin) = NULL;
	struct codec_list rows;

	TRY(plan_of(call, &rows));
	TRY(open_admin(call->config, &admin));
	for (size_t i = 0; i < rows.count; i++)
		TRY(look(admin, call, (struct topics_row *)rows.items + i));
	return report(call, &rows);
}

/* --- create --- */

static struct err create_one(
	struct kafka_admin *admin, const struct command_call *call, struct topics_row *row)
{
	int64_t replicas = call->config->replicas;
	struct kafka_admin_topic_setting settings[TOPICS_SETTINGS];
	const char *pairs[2 * TOPICS_SETTINGS + 1] = { NULL };
	const struct kafka_admin_topic topic = { .name = row->topic,
		.partitions = (int)row->partitions,
		.replicas = (int)replicas,
		.settings = pairs };
	bool created = false;

	TRY(topics_settings(row->dlq, replicas, call->arena, settings));
	for (size_t i = 0; i < TOPICS_SETTINGS; i++) {
		pairs[2 * i] = settings[i].name;
		pairs[2 * i + 1] = settings[i].value;
	}
	TRY(named(
		kafka_admin_create(admin, &topic, TIMEOUT_MS, &created), row->topic, call->arena));
	if (!created)
		return look(admin, call, row);
	row->state = "created";
	row->replicas = replicas;
	return err_ok();
}

/* The broker answers before its metadata has the topic; who starts a service next must find it. */
static struct err await(struct kafka_admin *admin, struct arena *arena, struct topics_row *row)
{
	int64_t from_ms = clock_mono_ms();
	int found = 0;

	while (found != row->partitions) {
		TRY(named(kafka_admin_partitions(admin, row->topic, TIMEOUT_MS, &found), row->topic,
			arena));
		if (found == row->partitions)
			break;
		if (clock_mono_ms() - from_ms > VISIBLE_MS)
			return named(err_retry(ERR_CODE_KAFKA_AWAY,
					     "made, but the broker does not show it"),
				row->topic, arena);
		usleep(TURN_MS * 1000);
	}
	row->found = found;
	return err_ok();
}

static struct err create(const struct command_call *call)
{
	struct kafka_admin *admin SCOPED(close_admin) = NULL;
	struct codec_list rows;

	TRY(plan_of(call, &rows));
	TRY(open_admin(call->config, &admin));
	struct topics_row *row = rows.items;
	for (size_t i = 0; i < rows.count; i++)
		TRY(create_one(admin, call, &row[i]));
	for (size_t i = 0; i < rows.count; i++)
		if (strcmp(row[i].state, "created") == 0)
			TRY(await(admin, call->arena, &row[i]));
	return report(call, &rows);
}

static const struct command_option options[] = {
	{ "--json", NULL, false, "A JSON array instead of a table." },
	{ NULL, NULL, false, NULL },
};

const struct command topics_commands[] = {
	{ "topics", "create", NULL, options, CONFIG_KAFKA,
		"Makes every topic and DLQ that is missing; those that exist are compared.",
		create },
	{ "topics", "check", NULL, options, CONFIG_KAFKA,
		"Compares the topics there are with those that should be.", check },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
