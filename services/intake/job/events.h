/*
 * The messages of intake's jobs: structs and their field tables, contract-tested against schemas/.
 * Absent optional values: NULL, CODEC_NO_INT, NAN.
 */
#ifndef ESTEIRA_INTAKE_JOB_EVENTS_H
#define ESTEIRA_INTAKE_JOB_EVENTS_H

#include "model/codec.h"
#include "model/tenant.h"

/* Out, on ocr.jobs: a document waits at the signed paths. */
struct events_received {
	struct id job_id;
	const char *get_path, *head_path, *delete_path;
	int64_t object_bytes;
	const char *document_hash;
	int64_t received_at, expires_at;
};
extern const struct codec_type events_document_received;

/* In, from ocr.events. */
struct events_started {
	struct id job_id;
};
extern const struct codec_type events_document_started;

struct events_completed {
	struct id job_id;
	const char *result_hash;
	int64_t result_bytes;
	int64_t pages_total, pages_text, pages_ocr;
	double confidence_avg;
	int64_t processing_ms;
	int64_t result_expires_at;
};
extern const struct codec_type events_document_completed;

struct events_failed {
	struct id job_id;
	const char *error_code;
	int64_t pages_total;
	int64_t processing_ms;
};
extern const struct codec_type events_document_failed;

struct events_deleted {
	struct id job_id;
};
extern const struct codec_type events_document_deleted;

/* Out, on intake.events: the same struct under five types. */
struct events_ended {
	struct id job_id;
	const char *document_hash, *result_hash, *error_code;
	int64_t pages_total;
	int64_t occurred_at;
};
extern const struct codec_type events_ended_completed, events_ended_failed, events_ended_expired,
	events_ended_cancelled, events_ended_purged;

/* Out, on audit.trail. */
struct events_entry_metadata {
	const char *what, *error_code;
	int64_t pages_total, pages_text, pages_ocr;
	double confidence_avg;
	int64_t processing_ms, size_bytes;
	const char *delivered_to;
	int64_t deletion_confirmed;
};

struct events_entry {
	struct id job_id;
	const char *action;
	const char *document_hash, *result_hash, *ip_hash;
	int64_t occurred_at;
	struct events_entry_metadata metadata;
};
extern const struct codec_type events_entry_recorded;

/* Every table of this service, ended by NULL: for the contract tests. */
const struct codec_type *const *events_all(void);

#endif
