#include "model/envelope.h"

#include <string.h>

#include "base/clock.h"
#include "base/sabotage.h"

enum { TEXT_MAX = 255 };

static const char left_out[] = "x-headers-left-out";

bool envelope_add(struct headers *headers, const char *name, struct str value)
{
	if (headers->count == ENVELOPE_HEADERS_MAX)
		return false;
	headers->items[headers->count++] = (struct header){ name, value };
	return true;
}

struct str envelope_find(const struct headers *headers, const char *name)
{
	for (size_t i = 0; i < headers->count; i++)
		if (strcmp(headers->items[i].name, name) == 0)
			return headers->items[i].value;
	return (struct str){ NULL, 0 };
}

struct err envelope_write(
	const struct event *event, struct arena *arena, struct headers *ret_headers)
{
	char *id = arena_alloc(arena, ID_TEXT_BYTES);
	char *tenant = arena_alloc(arena, ID_TEXT_BYTES);
	char *time = arena_alloc(arena, CLOCK_TEXT_BYTES);
	char *schema = arena_printf(arena, "urn:esteira:schema:%s", event->type);
	struct id owner = event->tenant.id;

	if (id == NULL || tenant == NULL || time == NULL || schema == NULL)
		return arena_overflow();
	id_format(event->id, id);
	sabotage_swap("record_header", &owner);
	id_format(owner, tenant);
	clock_format(event->time_ms, time);
	const struct header all[] = {
		{ "ce_specversion", STR("1.0") },
		{ "ce_id", str_of(id) },
		{ "ce_type", str_of(event->type) },
		{ "ce_source", str_of(event->source) },
		{ "ce_time", str_of(time) },
		{ "ce_tenantid", str_of(tenant) },
		{ "ce_partitionkey", str_of(event->ordering_key) },
		{ "ce_dataschema", str_of(schema) },
		{ "content-type", STR("application/json") },
		{ "traceparent", str_of(event->traceparent) },
		{ "ce_tenantslug", str_of(event->slug) },
	};
	struct headers headers = { .count = 0 };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].value.ptr != NULL)
			envelope_add(&headers, all[i].name, all[i].value);
	*ret_headers = headers;
	return err_ok();
}

static struct err bad_header(const char *name, const char *why, struct arena *arena)
{
	const char *msg = arena_printf(arena, "header %s: %s", name, why);

	return err_reject(ERR_CODE_BAD_RECORD, msg == NULL ? why : msg);
}

/* A text attribute of 1 to 255 bytes of UTF-8; NULL when it is absent and may be. */
static struct err take_text(const struct headers *headers, const char *name, bool required,
	struct arena *arena, const char **ret_text)
{
	struct str value = envelope_find(headers, name);

	if (value.ptr == NULL && !required) {
		*ret_text = NULL;
		return err_ok();
	}
	if (value.len == 0 || value.len > TEXT_MAX || !str_is_utf8(value))
		return bad_header(name, "missing, too long or not UTF-8", arena);
	*ret_text = arena_strdup(arena, value);
	return *ret_text == NULL ? arena_overflow() : err_ok();
}

static struct err take_tenant(const struct headers *headers, struct str key, struct arena *arena,
	struct tenant *ret_tenant)
{
	struct tenant of_key;

	if (!id_parse(envelope_find(headers, "ce_tenantid"), &ret_tenant->id))
		return bad_header("ce_tenantid", "not a UUID", arena);
	if (!id_parse(key, &of_key.id) || !tenant_eq(of_key, *ret_tenant))
		return err_reject(ERR_CODE_TENANT_MISMATCH, "the key is not the header's tenant");
	return err_ok();
}

static struct err read_attributes(
	const struct headers *headers, struct str key, struct arena *arena, struct event *ret_event)
{
	struct event event = { .payload = STR("") };

	if (!str_eq(envelope_find(headers, "ce_specversion"), STR("1.0")))
		return bad_header("ce_specversion", "not 1.0", arena);
	if (!id_parse(envelope_find(headers, "ce_id"), &event.id))
		return bad_header("ce_id", "not a UUID", arena);
	if (!clock_parse(envelope_find(headers, "ce_time"), &event.time_ms))
		return bad_header("ce_time", "not an RFC 3339 time with a zone", arena);
	TRY(take_text(headers, "ce_type", true, arena, &event.type));
	TRY(take_text(headers, "ce_source", true, arena, &event.source));
	TRY(take_text(headers, "ce_partitionkey", false, arena, &event.ordering_key));
	TRY(take_text(headers, "traceparent", false, arena, &event.traceparent));
	TRY(take_text(headers, "ce_tenantslug", false, arena, &event.slug));
	TRY(take_tenant(headers, key, arena, &event.tenant));
	if (event.ordering_key == NULL)
		event.ordering_key = arena_strdup(arena, key);
	if (event.ordering_key == NULL)
		return arena_overflow();
	*ret_event = event;
	return err_ok();
}

struct err envelope_read(const struct headers *headers, struct str key, struct str value,
	struct arena *arena, struct event *ret_event)
{
	bool cut = envelope_find(headers, left_out).ptr != NULL;
	struct err e = read_attributes(headers, key, arena, ret_event);

	/* whose it was is still worth knowing */
	if (cut || value.len > ENVELOPE_BYTES_MAX)
		return err_reject(ERR_CODE_RECORD_TOO_LARGE,
			cut ? "headers over 64 KiB" : "the payload is over 256 KiB");
	if (e.kind == ERR_OK)
		ret_event->payload = value;
	return e;
}

static void pack_number(struct buf *out, uint32_t number, unsigned bytes)
{
	unsigned char data[4];

	for (unsigned i = 0; i < bytes; i++)
		data[i] = (unsigned char)(number >> (8 * (bytes - 1 - i)));
	buf_add(out, data, bytes);
}

void envelope_pack(const struct headers *headers, struct buf *out)
{
	for (size_t i = 0; i < headers->count; i++) {
		struct str name = str_of(headers->items[i].name);
		struct str value = headers->items[i].value;

		pack_number(out, (uint32_t)name.len, 2);
		buf_add_str(out, name);
		pack_number(out, (uint32_t)value.len, 4);
		buf_add_str(out, value);
	}
}

static bool is_own(const char *name)
{
	static const char *const names[] = { "ce_specversion", "ce_id", "ce_type", "ce_source",
		"ce_time", "ce_tenantid", "ce_partitionkey", "ce_dataschema", "content-type",
		"traceparent", "ce_tenantslug" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

void envelope_pack_own(const struct headers *headers, struct buf *out)
{
	struct headers own = { .count = 0 };

	for (size_t i = 0; i < headers->count && own.count < ENVELOPE_READ_MAX - 1; i++)
		if (is_own(headers->items[i].name) && headers->items[i].value.len <= TEXT_MAX)
			envelope_add(&own, headers->items[i].name, headers->items[i].value);
	envelope_add(&own, left_out, STR("1"));
	envelope_pack(&own, out);
}

/* A length of `bytes` bytes and that many bytes after it, consumed. */
static bool unpack_part(struct str *packed, unsigned bytes, struct str *ret_part)
{
	size_t len = 0;

	if (packed->len < bytes)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		len = len << 8 | (unsigned char)packed->ptr[i];
	if (packed->len - bytes < len)
		return false;
	*ret_part = (struct str){ packed->ptr + bytes, len };
	packed->ptr += bytes + len;
	packed->len -= bytes + len;
	return true;
}

struct err envelope_unpack(struct str packed, struct arena *arena, struct headers *ret_headers)
{
	struct headers headers = { .count = 0 };

	while (packed.len > 0) {
		struct str name, value;
		if (!unpack_part(&packed, 2, &name) || !unpack_part(&packed, 4, &value))
			return err_reject(ERR_CODE_BAD_RECORD, "packed headers are cut short");
		const char *copy = arena_strdup(arena, name);
		if (copy == NULL)
			return arena_overflow();
		if (!envelope_add(&headers, copy, value))
			return err_reject(ERR_CODE_BAD_RECORD, "more headers than allowed");
	}
	*ret_headers = headers;
	return err_ok();
}
