#include "model/foreign.h"

#include <string.h>

#include "base/clock.h"
#include "model/codec.h"
#include "model/slice.h"

/* What the tables below read into: the event, and what is checked and forgotten. */
struct wire {
	struct foreign event;
	const char *specversion;
	const char *datacontenttype;
};

#define TEXT(name, member, required)                                                               \
	{                                                                                          \
		(name), CODEC_TEXT, CODEC_PLAIN, (required), offsetof(struct wire, member),        \
			FOREIGN_TEXT_MAX, NULL                                                     \
	}
#define TIME(name)                                                                                 \
	{                                                                                          \
		(name), CODEC_TIME, CODEC_PLAIN, false, offsetof(struct wire, event.time_ms), 0,   \
			NULL                                                                       \
	}

static const struct codec_field cloudevent_fields[] = {
	TEXT("specversion", specversion, true),
	TEXT("id", event.id, false),
	TEXT("type", event.type, true),
	TEXT("source", event.source, false),
	TEXT("subject", event.subject, false),
	TIME("time"),
	TEXT("dataschema", event.dataschema, false),
	TEXT("datacontenttype", datacontenttype, false),
	TEXT("traceparent", event.traceparent, false),
	TEXT("partitionkey", event.partitionkey, false),
	CODEC_END,
};
static const struct codec_field custom_fields[] = {
	TEXT("event_id", event.id, false),
	TEXT("event_type", event.type, false), /* required: see read_json() */
	TIME("timestamp"),
	TEXT("tenant_id", event.subject, false),
	CODEC_END,
};
static const struct codec_type cloudevent = { "event", sizeof(struct wire), cloudevent_fields };
static const struct codec_type custom = { "event", sizeof(struct wire), custom_fields };

/* Any object: the partner's own table is the business of whoever knows the type. */
static const struct codec_field no_fields[] = { CODEC_END };
static const struct codec_type any_object = { "data", 1, no_fields };

static struct err bad(const char *where, const char *name, const char *why, struct arena *arena)
{
	const char *msg = arena_printf(arena, "%s%s: %s", where, name, why);

	return err_reject(ERR_CODE_BAD_RECORD, msg == NULL ? why : msg);
}

/* C0, DEL and C1 (in UTF-8: C2 80 to C2 9F). 0x1F is what derived ids are joined with. */
static bool has_control(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			return true;
	return false;
}

static struct err check_text(
	const char *where, const char *name, const char *text, struct arena *arena)
{
	if (*text == '\0')
		return bad(where, name, "empty", arena);
	if (has_control(text))
		return bad(where, name, "with control characters", arena);
	return err_ok();
}

static bool is_text(const char *text)
{
	return *text != '\0' && !has_control(text);
}

/* What no URI has (RFC 3986); letters beyond ASCII are let pass (RFC 3987). */
static bool is_uri(const char *text)
{
	return text == NULL || text[strcspn(text, " <>\"{}|\\^`")] == '\0';
}

static struct str media_type(struct str content_type)
{
	struct str parameters;

	return str_trim(str_cut(content_type, ';', &parameters));
}

static bool is_json(struct str content_type)
{
	struct str media = media_type(content_type);
	struct str end = { media.ptr + (media.len < 5 ? 0 : media.len - 5), 5 };

	return str_ieq(media, STR("application/json")) || str_ieq(media, STR("text/json")) ||
	       (media.len > 5 && str_ieq(end, STR("+json")));
}

/* What all forms have in common once their attributes are in wire. */
static struct err finish(const struct codec_type *type, const char *where, struct wire *wire,
	struct arena *arena, struct foreign *ret_foreign)
{
	if (type == &cloudevent && strcmp(wire->specversion, "1.0") != 0)
		return bad(where, "specversion", "not 1.0", arena);
	if (!is_uri(wire->event.source))
		return bad(where, "source", "not a URI reference", arena);
	if (!is_uri(wire->event.dataschema))
		return bad(where, "dataschema", "not a URI", arena);
	if (wire->event.data.len > ENVELOPE_BYTES_MAX)
		return err_reject(ERR_CODE_RECORD_TOO_LARGE, "the data is over 256 KiB");
	*ret_foreign = wire->event;
	return err_ok();
}

/* --- one JSON text --- */

static struct err check_fields(
	const struct codec_type *type, const struct wire *wire, struct arena *arena)
{
	for (const struct codec_field *field = type->fields; field->name != NULL; field++) {
		const char *text;
		if (field->kind != CODEC_TEXT)
			continue;
		memcpy(&text, (const char *)wire + field->offset, sizeof text);
		if (text != NULL)
			TRY(check_text("field ", field->name, text, arena));
	}
	return err_ok();
}

static struct err read_json(const struct codec_type *type, struct str json, struct arena *arena,
	struct foreign *ret_foreign)
{
	const char *data_name = type == &cloudevent ? "data" : "payload";
	struct wire wire;

	if (json.len > FOREIGN_BYTES_MAX)
		return err_reject(ERR_CODE_RECORD_TOO_LARGE, "the event is over 272 KiB");
	TRY(codec_read(type, json, arena, &wire));
	if (wire.event.traceparent != NULL && !is_text(wire.event.traceparent))
		wire.event.traceparent = NULL; /* no reason to refuse an event */
	TRY(check_fields(type, &wire, arena));
	if (wire.event.type == NULL)
		return bad("field ", "event_type", "missing, and so is specversion", arena);
	wire.event.data = slice_member(json, data_name);
	if (type == &cloudevent && slice_member(json, "data_base64").ptr != NULL)
		return bad("field ", "data_base64", "not taken, only data", arena);
	if (wire.datacontenttype != NULL && !is_json(str_of(wire.datacontenttype)))
		return bad("field ", "datacontenttype", "not JSON", arena);
	if (wire.event.data.ptr == NULL)
		return bad("field ", data_name, "missing", arena);
	if (wire.event.data.ptr[0] != '{')
		return bad("field ", data_name, "not an object", arena);
	return finish(type, "field ", &wire, arena, ret_foreign);
}

struct err foreign_read_json(struct str json, struct arena *arena, struct foreign *ret_foreign)
{
	if (slice_member(json, "specversion").ptr != NULL)
		return read_json(&cloudevent, json, arena, ret_foreign);
	return read_json(&custom, json, arena, ret_foreign);
}

struct err foreign_split(struct str body, struct arena *arena, struct foreign_items *ret_items)
{
	struct str whole = slice_trim(body);
	bool batch = whole.len > 0 && whole.ptr[0] == '[';
	size_t count = 1;
	struct str *items =
		arena_alloc(arena, (batch ? FOREIGN_ITEMS_MAX : 1) * sizeof(struct str));
	if (items == NULL)
		return arena_overflow();
	if (!batch)
		items[0] = whole;
	else if (!slice_items(whole, items, FOREIGN_ITEMS_MAX, &count))
		return err_reject(ERR_CODE_BAD_REQUEST, "the array is not well-formed");
	if (count > FOREIGN_ITEMS_MAX)
		return err_reject(ERR_CODE_BODY_TOO_LARGE, "over 1,000 events");
	*ret_items = (struct foreign_items){ items, count };
	return err_ok();
}

/* --- a Kafka record --- */

static const char *header_of(const struct codec_field *field, struct arena *arena)
{
	if (strcmp(field->name, "datacontenttype") == 0)
		return "content-type";
	return arena_printf(arena, "ce_%s", field->name);
}

static bool is_repeated(const struct headers *headers, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < headers->count; i++)
		count += strcmp(headers->items[i].name, name) == 0;
	return count > 1;
}

static struct err take_text(
	const char *name, struct str value, struct arena *arena, const char **ret_text)
{
	if (value.len > FOREIGN_TEXT_MAX || !str_is_utf8(value))
		return bad("header ", name, "too long or not UTF-8", arena);
	const char *text = arena_strdup(arena, value);
	if (text == NULL)
		return arena_overflow();
	TRY(check_text("header ", name, text, arena));
	*ret_text = text;
	return err_ok();
}

/* A trace that nobody can read is no reason to refuse an event: it has none. */
static struct err take_trace(struct str value, struct arena *arena, const char **trace)
{
	const char *text = *trace;
	struct err e = take_text("traceparent", value, arena, &text);

	if (e.kind != ERR_OK && !err_is(e, ERR_CODE_BAD_RECORD))
		return e;
	*trace = text;
	return err_ok();
}

/* One attribute into its place in wire, as codec_read does it with a member. */
static struct err take_attribute(const struct codec_field *field, const struct headers *headers,
	struct arena *arena, struct wire *wire)
{
	const char *name = header_of(field, arena), *text;
	int64_t time_ms;

	if (name == NULL)
		return arena_overflow();
	struct str value = envelope_find(headers, name);
	if (is_repeated(headers, name))
		return bad("header ", name, "more than once", arena);
	if (value.ptr == NULL)
		return field->required ? bad("header ", name, "missing", arena) : err_ok();
	if (field->kind == CODEC_TIME) {
		if (!clock_parse(value, &time_ms))
			return bad("header ", name, "not an RFC 3339 time with a zone", arena);
		memcpy((char *)wire + field->offset, &time_ms, sizeof time_ms);
		return err_ok();
	}
	if (field->offset == offsetof(struct wire, event.traceparent))
		return take_trace(value, arena, &wire->event.traceparent);
	TRY(take_text(name, value, arena, &text));
	memcpy((char *)wire + field->offset, &text, sizeof text);
	return err_ok();
}

static struct err read_binary(const struct headers *headers, struct str value, struct arena *arena,
	struct foreign *ret_foreign)
{
	struct wire wire;
	char nothing;

	if (value.len > ENVELOPE_BYTES_MAX)
		return err_reject(ERR_CODE_RECORD_TOO_LARGE, "the data is over 256 KiB");
	codec_clear(&cloudevent, &wire);
	for (const struct codec_field *field = cloudevent_fields; field->name != NULL; field++)
		TRY(take_attribute(field, headers, arena, &wire));
	if (wire.datacontenttype != NULL && !is_json(str_of(wire.datacontenttype)))
		return bad("header ", "content-type", "not JSON", arena);
	TRY(codec_read(&any_object, value, arena, &nothing));
	wire.event.data = slice_trim(value);
	return finish(&cloudevent, "header ce_", &wire, arena, ret_foreign);
}

static struct err read_structured(
	struct str content_type, struct str value, struct arena *arena, struct foreign *ret_foreign)
{
	struct str media = media_type(content_type);

	if (!str_ieq(media, STR("application/cloudevents")) &&
		!str_ieq(media, STR("application/cloudevents+json")))
		return bad("header ", "content-type", "not one CloudEvent in JSON", arena);
	return read_json(&cloudevent, value, arena, ret_foreign);
}

static bool has_attributes(const struct headers *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		if (strncmp(headers->items[i].name, "ce_", 3) == 0)
			return true;
	return false;
}

static bool is_structured(struct str content_type)
{
	struct str prefix = STR("application/cloudevents");

	if (content_type.len < prefix.len)
		return false;
	return str_ieq((struct str){ content_type.ptr, prefix.len }, prefix);
}

static struct err read_form(const struct headers *headers, struct str value, struct arena *arena,
	struct foreign *ret_foreign)
{
	struct str content_type = envelope_find(headers, "content-type");

	if (is_structured(content_type))
		return read_structured(content_type, value, arena, ret_foreign);
	if (has_attributes(headers))
		return read_binary(headers, value, arena, ret_foreign);
	return foreign_read_json(value, arena, ret_foreign);
}

struct err foreign_read_record(const struct headers *headers, struct str value, struct arena *arena,
	struct foreign *ret_foreign)
{
	struct str hop = envelope_find(headers, "traceparent");
	struct foreign foreign;

	if (headers->count >= ENVELOPE_READ_MAX) /* there may have been more, unread */
		return err_reject(ERR_CODE_BAD_RECORD, "32 headers or more");
	TRY(read_form(headers, value, arena, &foreign));
	if (hop.ptr != NULL)
		TRY(take_trace(hop, arena, &foreign.traceparent));
	*ret_foreign = foreign;
	return err_ok();
}
