/*
 * What the audit service reads from audit.trail: an entry about a document, and an operation that
 * is about none. The tables are the contract, compared with schemas/ by tests/contract; every field
 * is plain, for the trail is kept five years and read by people.
 */
#ifndef ESTEIRA_AUDIT_EVENTS_H
#define ESTEIRA_AUDIT_EVENTS_H

#include "base/id.h"
#include "model/codec.h"

/* What is known of the document at that moment; each field may be absent. */
struct events_entry_metadata {
	const char *what; /* what was purged: "document" or "result" */
	const char *error_code;
	int64_t pages_total, pages_text, pages_ocr;
	double confidence_avg;
	int64_t processing_ms;
	int64_t size_bytes;
	const char *delivered_to; /* hex SHA-256 of the API key */
	int64_t deletion_confirmed;
};

/* audit.entry.recorded.v1 */
struct events_entry {
	struct id job_id;
	const char *action; /* events_is_action */
	const char *document_hash;
	const char *result_hash; /* may be absent */
	const char *ip_hash;	 /* may be absent */
	int64_t occurred_at;	 /* wall ms */
	struct events_entry_metadata metadata;
};

/* Each may be absent. */
struct events_operation_metadata {
	int64_t count;
	int64_t done, same, different, gone, failed, held; /* how a replay went */
};

/* audit.operation.recorded.v1 */
struct events_operation {
	const char *actor, *action, *object, *reason;
	int64_t occurred_at; /* wall ms */
	struct events_operation_metadata metadata;
};

extern const struct codec_type events_entry_metadata;
extern const struct codec_type events_entry_recorded;
extern const struct codec_type events_operation_metadata;
extern const struct codec_type events_operation_recorded;

/* Every event type of this service; ends with NULL. */
const struct codec_type *const *events_all(void);

/* One of RECEIVED, PROCESSING, COMPLETED, FAILED, DELIVERED, PURGED: the words of the table's
 * CHECK. Any thread. */
bool events_is_action(const char *action);

#endif
