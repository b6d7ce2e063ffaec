#include "groups_look.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "model/codec.h"
#include "port/kafka.h"
#include "port/kafka_admin.h"
#include "port/kafka_admin_group.h"
#include "port/kafka_admin_topic.h"
#include "frame/topic.h"
#include "config.h"

enum { TIMEOUT_MS = 10000, READ_MS = 3000, TURN_MS = 5, TOPICS_MAX = 1024, PARTS_MAX = 10000 };

struct groups_look {
	const struct command_call *call;
	struct kafka_admin *admin;
	struct kafka_reader *reader;
};

struct err groups_look_open(const struct command_call *call, struct groups_look **ret_look)
{
	const struct kafka_conf conf = config_kafka(call->config);
	struct groups_look *look SCOPED(groups_look_close) = calloc(1, sizeof *look);

	if (look == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to look");
	look->call = call;
	TRY(kafka_admin_open(&conf, &look->admin));
	TRY(kafka_reader_open(&conf, &look->reader));
	*ret_look = look;
	look = NULL;
	return err_ok();
}

void groups_look_close(struct groups_look **look)
{
	if (*look == NULL)
		return;
	kafka_reader_close((*look)->reader);
	kafka_admin_close((*look)->admin);
	free(*look);
	*look = NULL;
}

/* --- which topics --- */

struct names {
	const char *items[TOPICS_MAX];
	size_t count;
};

static struct err add_name(struct names *names, const char *name)
{
	if (name == NULL || names->count == TOPICS_MAX)
		return arena_overflow();
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], name) == 0)
			return err_ok();
	names->items[names->count++] = name;
	return err_ok();
}

static struct err add_declared(const struct topic_space *space, const char *service,
	struct arena *arena, struct names *names)
{
	for (int topic = 0; topic < TOPIC_COUNT; topic++)
		for (const char *const *r = topic_readers((enum topic)topic); *r != NULL; r++)
			if (strcmp(*r, service) == 0)
				TRY(add_name(names, topic_name(space, (enum topic)topic, arena)));
	return err_ok();
}

/* --- how far --- */

struct committed {
	struct kafka_place *places;
	size_t count;
};

static int64_t committed_of(const struct committed *committed, const char *topic, int64_t partition)
{
	for (size_t i = 0; i < committed->count; i++)
		if (committed->places[i].partition == partition &&
			strcmp(committed->places[i].topic, topic) == 0)
			return committed->places[i].offset;
	return CODEC_NO_INT;
}

static struct err look_at_part(
	struct groups_look *look, const struct committed *committed, struct groups_look_part *part)
{
	const struct kafka_place place = { .topic = part->stored.topic,
		.partition = (int32_t)part->stored.partition };
	int64_t low;

	TRY(kafka_reader_range(look->reader, &place, TIMEOUT_MS, &low, &part->end));
	part->committed = committed_of(committed, part->stored.topic, part->stored.partition);
	part->stored.offset = part->committed < low ? low : part->committed;
	part->first_ms = CODEC_NO_INT;
	return err_ok();
}

static struct err look_at_topic(struct groups_look *look, const struct committed *committed,
	const char *topic, struct groups_look_group *group)
{
	struct kafka_admin_topic_view view;

	TRY(kafka_admin_topic_look(look->admin, topic, TIMEOUT_MS, &view));
	for (int64_t p = 0; p < view.partitions; p++) {
		struct groups_look_part *part = &group->parts[group->count];
		if (group->count == PARTS_MAX)
			return arena_overflow();
		*part = (struct groups_look_part){ .stored = { .topic = topic, .partition = p } };
		TRY(look_at_part(look, committed, part));
		group->count++;
	}
	return err_ok();
}

/* --- how old --- */

static void on_record(void *arg, const struct kafka_record *record)
{
	struct groups_look_part *part = arg;

	part->first_ms = record->time_ms == 0 ? CODEC_NO_INT : record->time_ms;
}

/* True when nothing more is to be expected. */
static bool ask_age(struct groups_look *look, struct groups_look_part *part)
{
	const char *topic = part->stored.topic;
	int32_t partition = (int32_t)part->stored.partition;

	if (kafka_reader_poll(look->reader, topic, partition, on_record, part) ==
		KAFKA_READER_NOTHING)
		return false;
	kafka_reader_stop(look->reader, topic, partition);
	return true;
}

static struct err read_ages(
	struct groups_look *look, struct groups_look_part **parts, size_t count, int64_t until_ms)
{
	for (size_t i = 0; i < count; i++) {
		const struct kafka_place place = { .topic = parts[i]->stored.topic,
			.partition = (int32_t)parts[i]->stored.partition,
			.offset = parts[i]->stored.offset };
		TRY(kafka_reader_start(look->reader, &place));
	}
	while (count > 0 && clock_mono_ms() < until_ms) {
		size_t left = 0;
		for (size_t i = 0; i < count; i++)
			if (!ask_age(look, parts[i]))
				parts[left++] = parts[i];
		count = left;
		if (count > 0)
			usleep(TURN_MS * 1000);
	}
	for (size_t i = 0; i < count; i++) /* too slow: unknown */
		kafka_reader_stop(
			look->reader, parts[i]->stored.topic, (int32_t)parts[i]->stored.partition);
	return err_ok();
}

static struct err look_at_ages(struct groups_look *look, struct groups_look_group *group)
{
	struct groups_look_part *some[KAFKA_READER_MAX];
	int64_t until_ms = clock_mono_ms() + READ_MS;
	size_t count = 0;

	for (size_t i = 0; i < group->count; i++) {
		if (group->parts[i].end > group->parts[i].stored.offset)
			some[count++] = &group->parts[i];
		if (count == KAFKA_READER_MAX || (count > 0 && i + 1 == group->count)) {
			TRY(read_ages(look, some, count, until_ms));
			count = 0;
		}
	}
	return err_ok();
}

/* --- a group --- */

struct err groups_look_at(struct groups_look *look, struct groups_look_group *group)
{
	const struct topic_space *space = &look->call->config->space;
	struct arena *arena = look->call->arena;
	struct committed committed;
	struct names names = { .count = 0 };
	struct kafka_admin_group_view view;

	group->name = topic_group(space, group->part, arena);
	group->parts = arena_alloc(arena, PARTS_MAX * sizeof *group->parts);
	if (group->name == NULL || group->parts == NULL)
		return arena_overflow();
	TRY(kafka_admin_group_look(look->admin, group->name, &view));
	group->state = view.state;
	group->members = view.members;
	TRY(kafka_admin_group_committed(
		look->admin, arena, group->name, &committed.places, &committed.count));
	TRY(add_declared(space, group->part, arena, &names));
	for (const char *const *t = group->more_topics; t != NULL && *t != NULL; t++)
		TRY(add_name(&names, *t));
	for (size_t i = 0; i < committed.count; i++)
		TRY(add_name(&names, committed.places[i].topic));
	for (size_t i = 0; i < names.count; i++)
		TRY(look_at_topic(look, &committed, names.items[i], group));
	return look_at_ages(look, group);
}
