#include "webhook/events.h"

enum { WORD_MAX = 32 };

#define F(type, member, kind, required, max)                                                       \
	CODEC_FIELD(struct type, member, CODEC_##kind, CODEC_PLAIN, required, max)

static const struct codec_field test[] = {
	F(webhook_test, endpoint_id, ID, true, 0),
	CODEC_END,
};
const struct codec_type webhook_test_requested = { "outreach.test.requested.v1",
	sizeof(struct webhook_test), test };

static const struct codec_field resend[] = {
	F(webhook_resend, endpoint_id, ID, true, 0),
	F(webhook_resend, delivery_id, ID, false, 0),
	F(webhook_resend, state, TEXT, false, WORD_MAX),
	F(webhook_resend, from, TIME, false, 0),
	F(webhook_resend, to, TIME, false, 0),
	F(webhook_resend, asked, TIME, false, 0),
	CODEC_END,
};
const struct codec_type webhook_resend_requested = { "outreach.resend.requested.v1",
	sizeof(struct webhook_resend), resend };

static const struct codec_field disabled[] = {
	F(webhook_disabled, endpoint_id, ID, true, 0),
	F(webhook_disabled, reason, TEXT, true, WORD_MAX),
	F(webhook_disabled, occurred_at, TIME, true, 0),
	CODEC_END,
};
const struct codec_type webhook_endpoint_disabled = { "outreach.endpoint.disabled.v1",
	sizeof(struct webhook_disabled), disabled };
