/*
 * A record nobody could handle: a row for people, a record on the DLQ topic for tools and an event
 * for the tenant's webhooks, written in one transaction through the outbox. Key, value and headers
 * stay as they were (what was sealed stays sealed); beside them where it came from and why, also
 * under the names that Kafka's own tools read.
 */
#ifndef ESTEIRA_FRAME_DEADLETTER_H
#define ESTEIRA_FRAME_DEADLETTER_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/outbox.h"
#include "frame/schedule.h"

struct pg;

struct deadletter {
	const struct record *record;
	const struct event *event; /* NULL when the record is none */
	const char *group;
	const char *version; /* of the program that gave up */
	struct err why;
	bool blocks; /* its key waits for a decision */
};

/* The event's field table, for its reader and the contract test. */
struct deadletter_created {
	struct id dead_letter_id; /* as GET /v1/dead-letters/{id} knows it */
	struct id event_id;
	const char *event_type, *group, *error_code;
	int64_t occurred_at;
};
extern const struct codec_type deadletter_created;

/*
 * Queues the row and collects the DLQ record and the event; the transaction is the caller's. There
 * is no event when no tenant is known, nor about a record of outreach.commands: it would end there
 * too, and be told again.
 */
struct err deadletter_write(struct pg *pg, struct arena *arena, const struct deadletter *letter,
	struct outbox *outbox) ERR_MUST_USE;

/* Queues: a redrive failed; the letter is open again, with the new reason. */
struct err deadletter_again(struct pg *pg, struct arena *arena, const struct deadletter *letter)
	ERR_MUST_USE;

/* Queues: a redrive was handled. */
struct err deadletter_redriven(struct pg *pg, struct id id) ERR_MUST_USE;

/* Removes 10,000 of those that were redriven or discarded 30 days ago. To be called once an hour.
 */
struct err deadletter_forget(struct pg *pg) ERR_MUST_USE;

/* Has the record, read in another epoch, a letter that nobody has decided about? */
struct err deadletter_is_open(struct pg *pg, struct arena *arena, const char *group,
	const struct record *record, bool *ret_open) ERR_MUST_USE;

#endif
