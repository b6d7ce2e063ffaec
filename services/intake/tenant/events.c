#include "tenant/events.h"

enum { HASH_MAX = 64 };

#define F(member, kind, max)                                                                       \
	CODEC_FIELD(struct tenant_end, member, CODEC_##kind, CODEC_PLAIN, true, max)

static const struct codec_field end[] = {
	F(rows, INT, 0),
	F(proof, TEXT, HASH_MAX),
	F(occurred_at, TIME, 0),
	CODEC_END,
};
const struct codec_type tenant_erased = { "intake.tenant.erased.v1", sizeof(struct tenant_end),
	end };
