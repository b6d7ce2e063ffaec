#include "events.h"

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

const struct codec_type *const *events_all(void)
{
	static const struct codec_type *const all[] = { &events_document_received,
		&events_document_started, &events_document_completed, &events_document_failed,
		&events_document_deleted, NULL };

	return all;
}
