/*
 * The noun "topics": makes the declared topics and the DLQ of each reader, and compares what is
 * there. A topic's partition count decides which partition a tenant is in, so one that differs from
 * the declared count is an error and never changed.
 */
#ifndef ESTEIRA_CTL_TOPICS_H
#define ESTEIRA_CTL_TOPICS_H

#include "base/arena.h"
#include "base/err.h"
#include "model/codec.h"
#include "port/kafka_admin_topic.h"
#include "frame/topic.h"
#include "command.h"

extern const struct command topics_commands[];

/* A topic as it should be and as it was found. */
struct topics_row {
	const char *topic;
	int64_t partitions;
	int64_t found;	   /* CODEC_NO_INT: there is none */
	int64_t replicas;  /* found; CODEC_NO_INT likewise */
	const char *state; /* created, exists, missing, differs */
	bool dlq;
	const char *difference; /* in words; NULL = none */
};
extern const struct codec_type topics_rows;

/* Every topic of the suite, each followed by its DLQs; a DLQ has its topic's partitions, because a
 * dead letter keeps its partition number. Structs topics_row in arena. ERR_REJECT record-too-large.
 */
struct err topics_plan(const struct topic_space *space, struct arena *arena,
	struct codec_list *ret_rows) ERR_MUST_USE;

/* The settings a topic should have, TOPICS_SETTINGS of them, values in the arena. ERR_REJECT
 * record-too-large. */
enum { TOPICS_SETTINGS = 5 };
struct err topics_settings(bool dlq, int64_t replicas, struct arena *arena,
	struct kafka_admin_topic_setting *ret_settings) ERR_MUST_USE;

/* Sets state and difference of a row that was found, partitions and replicas too, by comparing
 * settings[i] with found[i] of the same names. ERR_REJECT record-too-large. PURE. */
struct err topics_compare(struct topics_row *row, int64_t replicas,
	const struct kafka_admin_topic_setting *settings,
	const struct kafka_admin_topic_setting *found, struct arena *arena) ERR_MUST_USE;

/* What there is to say against the rows: the first that differs, else how many are missing. */
struct err topics_judge(const struct codec_list *rows, struct arena *arena) ERR_MUST_USE;

#endif
