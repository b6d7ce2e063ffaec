/*
 * An entry of audit.operations from any service: who did what to which thing, and why. The event's
 * fields are audit.operation.recorded.v1.
 */
#ifndef ESTEIRA_FRAME_OPERATION_H
#define ESTEIRA_FRAME_OPERATION_H

#include "frame/outbox.h"

struct replay_counts;

struct operation {
	struct id id; /* deterministic: of what happened, so that telling it twice is one entry */
	struct tenant tenant;			      /* nil: about no tenant, or about all */
	const char *actor, *action, *object, *reason; /* UTF-8, at most OPERATION_TEXT_MAX bytes */
	int64_t occurred_at;			      /* wall ms */
	int64_t count;				      /* CODEC_NO_INT: none */
	const struct replay_counts *replay;	      /* how a replay went; NULL: none */
};

enum { OPERATION_TEXT_MAX = 255 };

/* The event's field table, for the contract test. */
extern const struct codec_type operation_recorded;

/* Collects the event; failures: outbox_emit. */
struct err operation_emit(struct outbox *outbox, const struct operation *operation) ERR_MUST_USE;

#endif
