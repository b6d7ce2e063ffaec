/*
 * What intake tells outreach to do about an endpoint, and what it hears back: structs and their
 * field tables, contract-tested against schemas/. outreach has its own of the same types. Absent
 * optional values: NULL, CODEC_NO_INT, the nil id.
 */
#ifndef ESTEIRA_INTAKE_WEBHOOK_EVENTS_H
#define ESTEIRA_INTAKE_WEBHOOK_EVENTS_H

#include "base/id.h"
#include "model/codec.h"

/* Out, on outreach.commands: an event of the type webhook.test for this endpoint. */
struct webhook_test {
	struct id endpoint_id;
};
extern const struct codec_type webhook_test_requested;

/* Out, likewise: send again what is not under way, one or all of a state and a time. */
struct webhook_resend {
	struct id endpoint_id;
	struct id delivery_id; /* or nil */
	const char *state;     /* "failed", "delivered", "cancelled"; NULL = all three */
	int64_t from, to;      /* when they were made: [from, to) */
	int64_t asked;	       /* when it was asked for; absent: the event's time */
};
extern const struct codec_type webhook_resend_requested;

/* In, from outreach.events: it answered 410, nobody calls it any more. */
struct webhook_disabled {
	struct id endpoint_id;
	const char *reason;
	int64_t occurred_at;
};
extern const struct codec_type webhook_endpoint_disabled;

#endif
