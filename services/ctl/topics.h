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
#include "frame/topic.h"
#include "command.h"

extern const struct command topics_commands[];

/* A topic as it should be and as it was found. */
struct topics_row {
	const char *topic;
	int64_t partitions;
	int64_t found;	   /* CODEC_NO_INT: there is none */
	const char *state; /* created, exists, missing, differs */
	bool dlq;
};
extern const struct codec_type topics_rows;

/* Every topic of the suite, each followed by its DLQs; a DLQ has its topic's partitions, because a
 * dead letter keeps its partition number. Structs topics_row in arena. ERR_REJECT record-too-large.
 */
struct err topics_plan(const struct topic_space *space, struct arena *arena,
	struct codec_list *ret_rows) ERR_MUST_USE;

/* What there is to say against the rows: the first that differs, else how many are missing. */
struct err topics_judge(const struct codec_list *rows, struct arena *arena) ERR_MUST_USE;

#endif
