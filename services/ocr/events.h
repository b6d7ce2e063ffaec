/*
 * What the ocr service reads from ocr.jobs and writes to ocr.events. The tables are the contract,
 * compared with schemas/ by tests/contract. Absent optional values: CODEC_NO_INT, NAN.
 */
#ifndef ESTEIRA_OCR_EVENTS_H
#define ESTEIRA_OCR_EVENTS_H

#include "base/id.h"
#include "model/codec.h"

/* In, intake.document.received.v1: a document waits at the signed paths. */
struct events_received {
	struct id job_id;
	const char *get_path, *head_path, *delete_path; /* capabilities: never into a log */
	int64_t object_bytes;
	const char *document_hash;	 /* hex SHA-256 */
	int64_t received_at, expires_at; /* wall ms */
};

/* Out. */
struct events_started {
	struct id job_id;
};

struct events_completed {
	struct id job_id;
	const char *result_hash; /* hex SHA-256 of salt and body */
	int64_t result_bytes;	 /* of the body */
	int64_t pages_total, pages_text, pages_ocr;
	double confidence_avg; /* 0..100 */
	int64_t processing_ms;
	int64_t result_expires_at; /* wall ms */
};

struct events_failed {
	struct id job_id;
	const char *error_code;
	int64_t pages_total; /* may be absent */
	int64_t processing_ms;
};

struct events_deleted {
	struct id job_id;
};

extern const struct codec_type events_document_received;
extern const struct codec_type events_document_started;
extern const struct codec_type events_document_completed;
extern const struct codec_type events_document_failed;
extern const struct codec_type events_document_deleted;

/* Every event type of this service; ends with NULL. */
const struct codec_type *const *events_all(void);

#endif
