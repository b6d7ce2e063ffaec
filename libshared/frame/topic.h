/*
 * The declared topics: names, partitions and spread are decided here and nowhere else, so that a
 * producer can choose a partition while Kafka is away. Names are frozen; DLQ topics are
 * <topic>.<group>.dlq.
 */
#ifndef ESTEIRA_FRAME_TOPIC_H
#define ESTEIRA_FRAME_TOPIC_H

#include "base/arena.h"
#include "base/str.h"
#include "model/tenant.h"

enum topic {
	TOPIC_INTAKE_EVENTS,
	TOPIC_OCR_JOBS,
	TOPIC_OCR_EVENTS,
	TOPIC_AUDIT_TRAIL,
	TOPIC_OUTREACH_COMMANDS,
	TOPIC_OUTREACH_EVENTS,
	TOPIC_COUNT,
};

/* What an installation may change. */
struct topic_space {
	const char *prefix; /* "esteira." */
	int64_t partitions; /* of every topic but ocr.jobs */
	int64_t ocr_partitions;
};

/* "ocr.jobs": without the prefix. */
const char *topic_suffix(enum topic topic);
uint32_t topic_partitions(const struct topic_space *space, enum topic topic);

/* prefix + suffix; NULL when the arena is full. */
char *topic_name(const struct topic_space *space, enum topic topic, struct arena *arena);

/* The DLQ of a full topic name for a group: "<topic>.<group>.dlq". */
char *topic_dlq(const char *full_name, const char *group, struct arena *arena);

/* "esteira.ocr": the consumer group of a service. */
char *topic_group(const struct topic_space *space, const char *service, struct arena *arena);

/* The services that read the topic, ended by NULL: the owners of its DLQs. */
const char *const *topic_readers(enum topic topic);

/* The services whose outbox holds events for the topic, ended by NULL. What any service may have to
 * tell is every service's: an audited operation, a dead letter that somebody subscribed to. */
const char *const *topic_writers(enum topic topic);

/* Where an event goes (model/partition.h, with this topic's k and N). */
int32_t topic_partition_of(const struct topic_space *space, enum topic topic, struct tenant tenant,
	struct str ordering_key);

#endif
