#include "frame/topic.h"

#include <assert.h>

#include "model/partition.h"

#define EVERY_SERVICE "intake", "ocr", "outreach", "audit"

static const struct {
	const char *suffix;
	uint32_t spread; /* k: how many partitions one tenant may use */
	const char *readers[3], *writers[5];
} topics[TOPIC_COUNT] = {
	[TOPIC_INTAKE_EVENTS] = { "intake.events", 1, { "outreach", NULL }, { "intake", NULL } },
	[TOPIC_OCR_JOBS] = { "ocr.jobs", 8, { "ocr", NULL }, { "intake", NULL } },
	[TOPIC_OCR_EVENTS] = { "ocr.events", 1, { "intake", NULL }, { "ocr", NULL } },
	[TOPIC_AUDIT_TRAIL] = { "audit.trail", 1, { "audit", NULL }, { EVERY_SERVICE, NULL } },
	[TOPIC_OUTREACH_COMMANDS] = { "outreach.commands", 8, { "outreach", NULL },
		{ EVERY_SERVICE, NULL } },
	[TOPIC_OUTREACH_EVENTS] = { "outreach.events", 1, { "intake", NULL },
		{ "outreach", NULL } },
};

const char *topic_suffix(enum topic topic)
{
	assert(topic < TOPIC_COUNT);
	return topics[topic].suffix;
}

uint32_t topic_partitions(const struct topic_space *space, enum topic topic)
{
	return (uint32_t)(topic == TOPIC_OCR_JOBS ? space->ocr_partitions : space->partitions);
}

char *topic_name(const struct topic_space *space, enum topic topic, struct arena *arena)
{
	return arena_printf(arena, "%s%s", space->prefix, topic_suffix(topic));
}

char *topic_dlq(const char *full_name, const char *group, struct arena *arena)
{
	return arena_printf(arena, "%s.%s.dlq", full_name, group);
}

char *topic_group(const struct topic_space *space, const char *service, struct arena *arena)
{
	return arena_printf(arena, "%s%s", space->prefix, service);
}

const char *const *topic_readers(enum topic topic)
{
	return topics[topic].readers;
}

const char *const *topic_writers(enum topic topic)
{
	return topics[topic].writers;
}

int32_t topic_partition_of(const struct topic_space *space, enum topic topic, struct tenant tenant,
	struct str ordering_key)
{
	return partition_of(
		tenant, ordering_key, topics[topic].spread, topic_partitions(space, topic));
}
