/*
 * What outreach reads and writes: events of other services that tenants may want to be told of, and
 * its own commands. Structs and their field tables, contract-tested against schemas/. Absent
 * optional values: NULL, CODEC_NO_INT, the nil id.
 */
#ifndef ESTEIRA_OUTREACH_EVENTS_H
#define ESTEIRA_OUTREACH_EVENTS_H

#include "base/id.h"
#include "model/codec.h"

/* In, from intake.events: the same struct under five types. */
struct events_document {
	struct id job_id;
	const char *document_hash, *result_hash, *error_code;
	int64_t pages_total;
	int64_t occurred_at;
};
extern const struct codec_type events_document_completed, events_document_failed,
	events_document_expired, events_document_cancelled, events_document_purged;

/* In and out, on outreach.commands: call the endpoint. */
struct events_delivery {
	struct id delivery_id, endpoint_id;
	int64_t round; /* how often somebody asked to have it sent again */
};
extern const struct codec_type events_delivery_requested;

/* In, on outreach.commands, from intake: an event of the type webhook.test for this endpoint. */
struct events_test {
	struct id endpoint_id;
};
extern const struct codec_type events_test_requested;

/* In, likewise: send again what is not under way: one, or all of a state and a time. */
struct events_resend {
	struct id endpoint_id;
	struct id delivery_id; /* or nil */
	const char *state;     /* "failed", "delivered"; NULL = both */
	int64_t from, to;      /* when they were made: [from, to) */
	int64_t asked;	       /* when it was asked for; absent: the event's time */
};
extern const struct codec_type events_resend_requested;

/* Out, on outreach.events: it answered 410, nobody calls it any more. */
struct events_disabled {
	struct id endpoint_id;
	const char *reason;
	int64_t occurred_at;
};
extern const struct codec_type events_endpoint_disabled;

/* Every table of this service, ended by NULL: for the contract tests. */
const struct codec_type *const *events_all(void);

/* "document.completed" of "intake.document.completed.v1", as filters name it; false when the name
 * has no such form, or is longer than the EVENTS_FILTER_BYTES that ret_filter takes. Any thread. */
enum { EVENTS_FILTER_BYTES = 64 };
bool events_filter_of(const char *type, char *ret_filter);

#endif
