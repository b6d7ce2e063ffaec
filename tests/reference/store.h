/* The rows of the reference service; all by business key, but the total. */
#ifndef ESTEIRA_REFERENCE_STORE_H
#define ESTEIRA_REFERENCE_STORE_H

#include "model/envelope.h"
#include "events.h"

struct pg;

/* Queue one statement each; the transaction and its tenant are the caller's. Failures: pg_push. */
struct err store_commit_entry(
	struct pg *pg, const struct event *event, const struct events_entry *entry) ERR_MUST_USE;
struct err store_commit_note(
	struct pg *pg, const struct event *event, const struct events_entry *entry) ERR_MUST_USE;
struct err store_commit_charge(struct pg *pg, const struct event *event,
	const struct events_charge *charge, const struct events_charge_settled *settled)
	ERR_MUST_USE;
struct err store_commit_count(
	struct pg *pg, const struct event *event, const struct events_count *count) ERR_MUST_USE;

#endif
