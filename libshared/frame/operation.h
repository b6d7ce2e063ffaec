/*
 * An entry of audit.operations from any service: who did what to which thing, and why. The event's
 * fields are audit.operation.recorded.v1.
 */
#ifndef ESTEIRA_FRAME_OPERATION_H
#define ESTEIRA_FRAME_OPERATION_H

#include "frame/outbox.h"

struct operation {
	struct id id; /* deterministic: of what happened, so that telling it twice is one entry */
	struct tenant tenant;
	const char *actor, *action, *object, *reason;
	int64_t occurred_at; /* wall ms */
	int64_t count;
};

/* Collects the event; failures: outbox_emit. */
struct err operation_emit(struct outbox *outbox, const struct operation *operation) ERR_MUST_USE;

#endif
