#include "frame/operation.h"

#include "frame/replay.h"

struct metadata {
	int64_t count;
	int64_t done, same, different, gone, failed, held;
};

struct payload {
	const char *actor, *action, *object, *reason;
	int64_t occurred_at;
	struct metadata metadata;
};

#define TEXT(member)                                                                               \
	CODEC_FIELD(struct payload, member, CODEC_TEXT, CODEC_PLAIN, true, OPERATION_TEXT_MAX)
#define COUNT(member) CODEC_FIELD(struct metadata, member, CODEC_INT, CODEC_PLAIN, false, 0)

static const struct codec_field metadata_fields[] = {
	COUNT(count),
	COUNT(done),
	COUNT(same),
	COUNT(different),
	COUNT(gone),
	COUNT(failed),
	COUNT(held),
	CODEC_END,
};
static const struct codec_type metadata_type = { "metadata", sizeof(struct metadata),
	metadata_fields };

static const struct codec_field fields[] = {
	TEXT(actor),
	TEXT(action),
	TEXT(object),
	TEXT(reason),
	CODEC_FIELD(struct payload, occurred_at, CODEC_TIME, CODEC_PLAIN, true, 0),
	CODEC_SUB(struct payload, metadata, CODEC_OBJECT, true, 0, &metadata_type),
	CODEC_END,
};
const struct codec_type operation_recorded = { "audit.operation.recorded.v1",
	sizeof(struct payload), fields };

static void set_counts(const struct replay_counts *counts, struct metadata *ret_metadata)
{
	ret_metadata->done = counts->done;
	ret_metadata->same = counts->same;
	ret_metadata->different = counts->different;
	ret_metadata->gone = counts->gone;
	ret_metadata->failed = counts->failed;
	ret_metadata->held = counts->held;
}

struct err operation_emit(struct outbox *outbox, const struct operation *operation)
{
	struct payload payload;
	const struct outbox_event event = {
		.topic = TOPIC_AUDIT_TRAIL,
		.id = operation->id,
		.type = &operation_recorded,
		.payload = &payload,
		.tenant = operation->tenant,
		.sink = CODEC_TO_TOPIC,
	};

	codec_clear(&operation_recorded, &payload);
	payload.actor = operation->actor;
	payload.action = operation->action;
	payload.object = operation->object;
	payload.reason = operation->reason;
	payload.occurred_at = operation->occurred_at;
	payload.metadata.count = operation->count;
	if (operation->replay != NULL)
		set_counts(operation->replay, &payload.metadata);
	return outbox_emit(outbox, &event);
}
