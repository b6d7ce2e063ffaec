#include "job/events.h"

#include "tenant/events.h"
#include "webhook/events.h"

enum { HASH_MAX = 64, WORD_MAX = 32, PATH_MAX_BYTES = 2048 };

#define F(type, member, kind, required, max)                                                       \
	CODEC_FIELD(struct type, member, CODEC_##kind, CODEC_PLAIN, required, max)
#define CAPABILITY(type, member)                                                                   \
	CODEC_FIELD(struct type, member, CODEC_TEXT, CODEC_CAPABILITY, true, PATH_MAX_BYTES)

static const struct codec_field received[] = {
	F(events_received, job_id, ID, true, 0),
	CAPABILITY(events_received, get_path),
	CAPABILITY(events_received, head_path),
	CAPABILITY(events_received, delete_path),
	F(events_received, object_bytes, INT, true, 0),
	F(events_received, document_hash, TEXT, true, HASH_MAX),
	F(events_received, received_at, TIME, true, 0),
	F(events_received, expires_at, TIME, true, 0),
	CODEC_END,
};
const struct codec_type events_document_received = { "intake.document.received.v1",
	sizeof(struct events_received), received };

static const struct codec_field started[] = {
	F(events_started, job_id, ID, true, 0),
	CODEC_END,
};
const struct codec_type events_document_started = { "ocr.document.started.v1",
	sizeof(struct events_started), started };

static const struct codec_field completed[] = {
	F(events_completed, job_id, ID, true, 0),
	F(events_completed, result_hash, TEXT, true, HASH_MAX),
	F(events_completed, result_bytes, INT, true, 0),
	F(events_completed, pages_total, INT, true, 0),
	F(events_completed, pages_text, INT, true, 0),
	F(events_completed, pages_ocr, INT, true, 0),
	F(events_completed, confidence_avg, REAL, false, 0),
	F(events_completed, processing_ms, INT, true, 0),
	F(events_completed, result_expires_at, TIME, true, 0),
	CODEC_END,
};
const struct codec_type events_document_completed = { "ocr.document.completed.v1",
	sizeof(struct events_completed), completed };

static const struct codec_field failed[] = {
	F(events_failed, job_id, ID, true, 0),
	F(events_failed, error_code, TEXT, true, WORD_MAX),
	F(events_failed, pages_total, INT, false, 0),
	F(events_failed, processing_ms, INT, true, 0),
	CODEC_END,
};
const struct codec_type events_document_failed = { "ocr.document.failed.v1",
	sizeof(struct events_failed), failed };

static const struct codec_field deleted[] = {
	F(events_deleted, job_id, ID, true, 0),
	CODEC_END,
};
const struct codec_type events_document_deleted = { "ocr.document.deleted.v1",
	sizeof(struct events_deleted), deleted };

static const struct codec_field ended[] = {
	F(events_ended, job_id, ID, true, 0),
	F(events_ended, document_hash, TEXT, true, HASH_MAX),
	F(events_ended, result_hash, TEXT, false, HASH_MAX),
	F(events_ended, error_code, TEXT, false, WORD_MAX),
	F(events_ended, pages_total, INT, false, 0),
	F(events_ended, occurred_at, TIME, true, 0),
	CODEC_END,
};
const struct codec_type events_ended_completed = { "intake.document.completed.v1",
	sizeof(struct events_ended), ended };
const struct codec_type events_ended_failed = { "intake.document.failed.v1",
	sizeof(struct events_ended), ended };
const struct codec_type events_ended_expired = { "intake.document.expired.v1",
	sizeof(struct events_ended), ended };
const struct codec_type events_ended_cancelled = { "intake.document.cancelled.v1",
	sizeof(struct events_ended), ended };
const struct codec_type events_ended_purged = { "intake.document.purged.v1",
	sizeof(struct events_ended), ended };

static const struct codec_field entry_metadata[] = {
	F(events_entry_metadata, what, TEXT, false, WORD_MAX),
	F(events_entry_metadata, error_code, TEXT, false, WORD_MAX),
	F(events_entry_metadata, pages_total, INT, false, 0),
	F(events_entry_metadata, pages_text, INT, false, 0),
	F(events_entry_metadata, pages_ocr, INT, false, 0),
	F(events_entry_metadata, confidence_avg, REAL, false, 0),
	F(events_entry_metadata, processing_ms, INT, false, 0),
	F(events_entry_metadata, size_bytes, INT, false, 0),
	F(events_entry_metadata, delivered_to, TEXT, false, HASH_MAX),
	F(events_entry_metadata, deletion_confirmed, INT, false, 0),
	CODEC_END,
};
static const struct codec_type entry_metadata_type = { "metadata",
	sizeof(struct events_entry_metadata), entry_metadata };

static const struct codec_field entry[] = {
	F(events_entry, job_id, ID, true, 0),
	F(events_entry, action, TEXT, true, WORD_MAX),
	F(events_entry, document_hash, TEXT, true, HASH_MAX),
	F(events_entry, result_hash, TEXT, false, HASH_MAX),
	F(events_entry, ip_hash, TEXT, false, HASH_MAX),
	F(events_entry, occurred_at, TIME, true, 0),
	CODEC_SUB(struct events_entry, metadata, CODEC_OBJECT, true, 0, &entry_metadata_type),
	CODEC_END,
};
const struct codec_type events_entry_recorded = { "audit.entry.recorded.v1",
	sizeof(struct events_entry), entry };

const struct codec_type *const *events_all(void)
{
	static const struct codec_type *const all[] = { &events_document_received,
		&events_document_started, &events_document_completed, &events_document_failed,
		&events_document_deleted, &events_ended_completed, &events_ended_failed,
		&events_ended_expired, &events_ended_cancelled, &events_ended_purged,
		&events_entry_recorded, &webhook_test_requested, &webhook_resend_requested,
		&webhook_endpoint_disabled, &tenant_erased, NULL };

	return all;
}
