/*
 * Where a record came from and why nobody took it, as headers behind its own: under the names that
 * Kafka's own tools read (__connect.errors.*) and under ours. What frame/deadletter writes for
 * records of the suite, and intake for those of partners.
 */
#ifndef ESTEIRA_FRAME_REASON_H
#define ESTEIRA_FRAME_REASON_H

#include "base/arena.h"
#include "base/err.h"
#include "model/envelope.h"

/* What of key and value fits into a record of a DLQ beside its headers. */
enum {
	REASON_MESSAGE_MAX = 1024,
	REASON_VALUE_MAX = 768 * 1024,
	REASON_KEY_MAX = 64 * 1024,
};

struct reason {
	const char *topic;
	int32_t partition;
	int64_t offset;
	const char *group;
	const char *version; /* of the program that gave up */
	int attempts;
	struct err why;
	bool key_left_out, value_left_out;
};

/* Appends to headers, of which at most ENVELOPE_READ_MAX are there; texts in the arena or borrowed
 * from reason. ERR_REJECT record-too-large: the arena is full. Any thread. */
struct err reason_add(const struct reason *reason, struct arena *arena, struct headers *headers)
	ERR_MUST_USE;

#endif
