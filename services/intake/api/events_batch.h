/*
 * The events of one POST /v1/events, one after the other: each becomes a record or is refused with
 * an outcome of its own, in the order they came. No I/O. One thread at a time.
 */
#ifndef ESTEIRA_INTAKE_API_EVENTS_BATCH_H
#define ESTEIRA_INTAKE_API_EVENTS_BATCH_H

#include "api/idempotency.h"
#include "api/ingest.h"
#include "base/arena.h"
#include "base/str.h"
#include "frame/topic.h"
#include "frame/trace.h"
#include "model/foreign.h"
#include "partner/map.h"

enum {
	EVENTS_BATCH_BYTES = 4 << 20, /* of a request's body */
	/* of a record on its way: the texts of an event, and its data three times */
	EVENTS_BATCH_ARENA_BYTES = 4 << 20,
};

/* What a request brought, and who sent it; all borrowed but for the texts in place. */
struct events_batch_request {
	const struct topic_space *space;
	struct partner_sender from;
	struct str body;
	char traceparent[TRACE_TEXT_BYTES];	     /* of events that name none; "" = none */
	char idempotency_key[IDEMPOTENCY_KEY_BYTES]; /* "" = none */
};

struct events_batch {
	struct events_batch_request request;
	struct arena *arena; /* of the two below; NULL before the first event */
	struct foreign_items items;
	struct id *ids; /* of the accepted ones */
	size_t at, accepted;
	struct buf outcomes; /* JSON objects, comma-separated */
};

/* An empty batch; request is set by the caller before events_batch_next. */
void events_batch_init(struct events_batch *batch);
void events_batch_done(struct events_batch *batch);

/*
 * The next event as a record in arena, or INGEST_NOTHING when it is refused. ERR_REJECT for the
 * whole request, with a static message: bad-request (nothing there, or an array that does not end),
 * body-too-large (over 1,000 events). ERR_RETRY overloaded without memory.
 */
struct err events_batch_next(struct events_batch *batch, int64_t now_ms, struct arena *arena,
	struct ingest_item *ret_item) ERR_MUST_USE;

/* Appends the members "accepted", "refused" and "items" of the answer, without braces. */
void events_batch_write(const struct events_batch *batch, struct buf *out);

#endif
