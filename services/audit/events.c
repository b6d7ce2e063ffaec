#include "events.h"

#include <string.h>

enum { HASH_MAX = 64, WORD_MAX = 32, TEXT_MAX = 255 };

#define FIELD(member, kind, required, max)                                                         \
	CODEC_FIELD(struct events_entry, member, kind, CODEC_PLAIN, required, max)
#define DETAIL(member, kind, max)                                                                  \
	CODEC_FIELD(struct events_entry_metadata, member, kind, CODEC_PLAIN, false, max)
#define OPERATION(member, kind, required, max)                                                     \
	CODEC_FIELD(struct events_operation, member, kind, CODEC_PLAIN, required, max)
#define NUMBER(member)                                                                             \
	CODEC_FIELD(struct events_operation_metadata, member, CODEC_INT, CODEC_PLAIN, false, 0)

static const struct codec_field entry_metadata_fields[] = {
	DETAIL(what, CODEC_TEXT, WORD_MAX),
	DETAIL(error_code, CODEC_TEXT, WORD_MAX),
	DETAIL(pages_total, CODEC_INT, 0),
	DETAIL(pages_text, CODEC_INT, 0),
	DETAIL(pages_ocr, CODEC_INT, 0),
	DETAIL(confidence_avg, CODEC_REAL, 0),
	DETAIL(processing_ms, CODEC_INT, 0),
	DETAIL(size_bytes, CODEC_INT, 0),
	DETAIL(delivered_to, CODEC_TEXT, HASH_MAX),
	DETAIL(deletion_confirmed, CODEC_INT, 0),
	CODEC_END,
};

const struct codec_type events_entry_metadata = { "audit.entry.metadata",
	sizeof(struct events_entry_metadata), entry_metadata_fields };

static const struct codec_field entry_fields[] = {
	FIELD(job_id, CODEC_ID, true, 0),
	FIELD(action, CODEC_TEXT, true, WORD_MAX),
	FIELD(document_hash, CODEC_TEXT, true, HASH_MAX),
	FIELD(result_hash, CODEC_TEXT, false, HASH_MAX),
	FIELD(ip_hash, CODEC_TEXT, false, HASH_MAX),
	FIELD(occurred_at, CODEC_TIME, true, 0),
	CODEC_SUB(struct events_entry, metadata, CODEC_OBJECT, true, 0, &events_entry_metadata),
	CODEC_END,
};

const struct codec_type events_entry_recorded = { "audit.entry.recorded.v1",
	sizeof(struct events_entry), entry_fields };

static const struct codec_field operation_metadata_fields[] = {
	NUMBER(count),
	NUMBER(done),
	NUMBER(same),
	NUMBER(different),
	NUMBER(gone),
	NUMBER(failed),
	NUMBER(held),
	CODEC_END,
};

const struct codec_type events_operation_metadata = { "audit.operation.metadata",
	sizeof(struct events_operation_metadata), operation_metadata_fields };

static const struct codec_field operation_fields[] = {
	OPERATION(actor, CODEC_TEXT, true, TEXT_MAX),
	OPERATION(action, CODEC_TEXT, true, TEXT_MAX),
	OPERATION(object, CODEC_TEXT, true, TEXT_MAX),
	OPERATION(reason, CODEC_TEXT, true, TEXT_MAX),
	OPERATION(occurred_at, CODEC_TIME, true, 0),
	CODEC_SUB(struct events_operation, metadata, CODEC_OBJECT, true, 0,
		&events_operation_metadata),
	CODEC_END,
};

const struct codec_type events_operation_recorded = { "audit.operation.recorded.v1",
	sizeof(struct events_operation), operation_fields };

const struct codec_type *const *events_all(void)
{
	static const struct codec_type *const all[] = { &events_entry_recorded,
		&events_operation_recorded, NULL };

	return all;
}

bool events_is_action(const char *action)
{
	static const char *const actions[] = { "RECEIVED", "PROCESSING", "COMPLETED", "FAILED",
		"DELIVERED", "PURGED" };

	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (strcmp(action, actions[i]) == 0)
			return true;
	return false;
}
