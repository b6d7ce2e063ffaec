/*
 * What the world is told about a job: audit entries and public events, always through the outbox of
 * the transaction that made it true. Ids follow from the job, so telling twice is telling once.
 */
#ifndef ESTEIRA_INTAKE_JOB_ANNOUNCE_H
#define ESTEIRA_INTAKE_JOB_ANNOUNCE_H

#include "frame/outbox.h"
#include "job/events.h"
#include "job/store.h"

/* An audit entry with nothing but the job's hashes; fill metadata, ip_hash, result_hash as needed.
 */
struct events_entry announce_entry(const struct store_job *job, const char *action);

/* The id of that entry's event. */
struct id announce_entry_id(struct id job_id, const char *action, const char *extra);

/* extra: what tells two entries of the same action apart ("" usually). */
struct err announce_audit(struct outbox *outbox, const struct store_job *job,
	const struct events_entry *entry, const char *extra) ERR_MUST_USE;

/* On intake.events, as one of events_ended_*. */
struct err announce_ended(struct outbox *outbox, const struct store_job *job,
	const struct codec_type *type, const char *error_code) ERR_MUST_USE;

/* On ocr.jobs. */
struct err announce_received(struct outbox *outbox, struct tenant tenant,
	const struct events_received *event) ERR_MUST_USE;

#endif
