/*
 * The trail's rows. A row is written by its event's id, so a repeated event - a duplicate, a replay
 * - changes nothing and the state after a replay is the state built fresh. Nothing here updates or
 * deletes; the tables refuse it.
 */
#ifndef ESTEIRA_AUDIT_STORE_H
#define ESTEIRA_AUDIT_STORE_H

#include "model/envelope.h"
#include "events.h"

struct pg;

/* Queue one INSERT into audit_logs or operations; the transaction and its tenant are the caller's.
 * Failures: ERR_REJECT record-too-large, those of pg_push. Worker thread. */
struct err store_commit_entry(
	struct pg *pg, const struct event *event, const struct events_entry *entry) ERR_MUST_USE;
struct err store_commit_operation(struct pg *pg, const struct event *event,
	const struct events_operation *operation) ERR_MUST_USE;

#endif
