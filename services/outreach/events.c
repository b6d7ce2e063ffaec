#include "events.h"

#include <string.h>

#include "frame/deadletter.h"

enum { HASH_MAX = 64, WORD_MAX = 32 };

#define F(type, member, kind, required, max)                                                       \
	CODEC_FIELD(struct type, member, CODEC_##kind, CODEC_PLAIN, required, max)

static const struct codec_field document[] = {
	F(events_document, job_id, ID, true, 0),
	F(events_document, document_hash, TEXT, true, HASH_MAX),
	F(events_document, result_hash, TEXT, false, HASH_MAX),
	F(events_document, error_code, TEXT, false, WORD_MAX),
	F(events_document, pages_total, INT, false, 0),
	F(events_document, occurred_at, TIME, true, 0),
	CODEC_END,
};
const struct codec_type events_document_completed = { "intake.document.completed.v1",
	sizeof(struct events_document), document };
const struct codec_type events_document_failed = { "intake.document.failed.v1",
	sizeof(struct events_document), document };
const struct codec_type events_document_expired = { "intake.document.expired.v1",
	sizeof(struct events_document), document };
const struct codec_type events_document_cancelled = { "intake.document.cancelled.v1",
	sizeof(struct events_document), document };
const struct codec_type events_document_purged = { "intake.document.purged.v1",
	sizeof(struct events_document), document };

static const struct codec_field delivery[] = {
	F(events_delivery, delivery_id, ID, true, 0),
	F(events_delivery, endpoint_id, ID, true, 0),
	F(events_delivery, round, INT, true, 0),
	CODEC_END,
};
const struct codec_type events_delivery_requested = { "outreach.delivery.requested.v1",
	sizeof(struct events_delivery), delivery };

static const struct codec_field test[] = {
	F(events_test, endpoint_id, ID, true, 0),
	CODEC_END,
};
const struct codec_type events_test_requested = { "outreach.test.requested.v1",
	sizeof(struct events_test), test };

static const struct codec_field resend[] = {
	F(events_resend, endpoint_id, ID, true, 0),
	F(events_resend, delivery_id, ID, false, 0),
	F(events_resend, state, TEXT, false, WORD_MAX),
	F(events_resend, from, TIME, false, 0),
	F(events_resend, to, TIME, false, 0),
	F(events_resend, asked, TIME, false, 0),
	CODEC_END,
};
const struct codec_type events_resend_requested = { "outreach.resend.requested.v1",
	sizeof(struct events_resend), resend };

static const struct codec_field disabled[] = {
	F(events_disabled, endpoint_id, ID, true, 0),
	F(events_disabled, reason, TEXT, true, WORD_MAX),
	F(events_disabled, occurred_at, TIME, true, 0),
	CODEC_END,
};
const struct codec_type events_endpoint_disabled = { "outreach.endpoint.disabled.v1",
	sizeof(struct events_disabled), disabled };

const struct codec_type *const *events_all(void)
{
	static const struct codec_type *const all[] = { &events_document_completed,
		&events_document_failed, &events_document_expired, &events_document_cancelled,
		&events_document_purged, &deadletter_created, &events_delivery_requested,
		&events_test_requested, &events_resend_requested, &events_endpoint_disabled, NULL };

	return all;
}

bool events_filter_of(const char *type, char *ret_filter)
{
	const char *from = strchr(type, '.'), *to = strrchr(type, '.');

	if (from == NULL || to <= from + 1 || (size_t)(to - from) > EVENTS_FILTER_BYTES)
		return false;
	size_t len = (size_t)(to - from) - 1;
	memcpy(ret_filter, from + 1, len);
	ret_filter[len] = '\0';
	return true;
}
