#include "partner/map.h"

#include <string.h>

#include "base/clock.h"
#include "frame/foreign_id.h"
#include "frame/trace.h"
#include "model/envelope.h"
#include "partner/types.h"

static struct err check_sender(const struct foreign *foreign, const struct partner_sender *from)
{
	if (foreign->id == NULL)
		return err_reject(ERR_CODE_BAD_RECORD, "id (event_id): missing");
	if (foreign->subject != NULL && strcmp(foreign->subject, from->slug) != 0)
		return err_reject(ERR_CODE_TENANT_MISMATCH,
			"subject (tenant_id): not the tenant this is sent for");
	return err_ok();
}

static struct err find_type(
	const char *name, struct arena *arena, const struct types_row **ret_type)
{
	*ret_type = types_find(name);
	if (*ret_type != NULL)
		return err_ok();
	const char *msg = arena_printf(arena, "type %s: not one that partners may send", name);
	return err_reject(ERR_CODE_UNKNOWN_TYPE, msg == NULL ? "not a type to be sent" : msg);
}

/* A trace that nobody can read is no reason to refuse an event. */
static const char *sound_trace(const char *traceparent)
{
	struct trace trace;

	return trace_parse(str_of(traceparent), &trace) ? traceparent : NULL;
}

/* Everything of the record but its value. */
static struct err address(const struct topic_space *space, const struct event *event,
	struct arena *arena, struct kafka_record *ret_record)
{
	char *key = arena_alloc(arena, ID_TEXT_BYTES);
	char *topic = topic_name(space, TOPIC_INTAKE_EVENTS, arena);
	struct event known = *event;

	if (key == NULL || topic == NULL)
		return arena_overflow();
	id_format(event->tenant.id, key);
	if (known.ordering_key == NULL)
		known.ordering_key = key;
	TRY(envelope_write(&known, arena, &ret_record->headers));
	ret_record->topic = topic;
	ret_record->partition = topic_partition_of(
		space, TOPIC_INTAKE_EVENTS, event->tenant, str_of(known.ordering_key));
	ret_record->key = str_of(key);
	return err_ok();
}

struct err partner_map(const struct topic_space *space, const struct foreign *foreign,
	const struct partner_sender *from, int64_t now_ms, struct arena *arena,
	struct partner_event *ret_event)
{
	struct partner_event made = { .record = { .topic = NULL } };
	const struct types_row *type;

	TRY(check_sender(foreign, from));
	TRY(find_type(foreign->type, arena, &type));
	TRY(types_rewrite(type, foreign->data, arena, &made.record.value));
	made.id = foreign_id(from->tenant, from->partner, foreign->source, foreign->id);
	const struct event event = {
		.id = made.id,
		.type = type->codec->name,
		.source = arena_printf(arena, "/partners/%s", from->partner),
		.tenant = from->tenant,
		.time_ms = foreign->time_ms == CODEC_NO_INT ? now_ms : foreign->time_ms,
		.ordering_key = foreign->partitionkey,
		.traceparent = sound_trace(foreign->traceparent),
		.slug = arena_strdup(arena, str_of(from->slug)),
	};
	if (event.source == NULL || event.slug == NULL)
		return arena_overflow();
	TRY(address(space, &event, arena, &made.record));
	*ret_event = made;
	return err_ok();
}
