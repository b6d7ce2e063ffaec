/* Any bytes as the headers, key and value of a record: first a byte with the key's length, then
 * key, two bytes with the length of the packed headers, headers, value. */
#include "model/envelope.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str cut(struct str *rest, size_t len)
{
	struct str part = { rest->ptr, len < rest->len ? len : rest->len };

	rest->ptr += part.len;
	rest->len -= part.len;
	return part;
}

static size_t number(struct str *rest, size_t bytes)
{
	struct str part = cut(rest, bytes);
	size_t value = 0;

	for (size_t i = 0; i < part.len; i++)
		value = value << 8 | (unsigned char)part.ptr[i];
	return value;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* An event that was read can be written, and says the same when read again. */
static void round_trip(const struct event *event, struct str key, struct arena *arena)
{
	struct headers headers;
	struct event again;

	if (envelope_write(event, arena, &headers).kind != ERR_OK ||
		envelope_read(&headers, key, event->payload, arena, &again).kind != ERR_OK)
		__builtin_trap();
	if (!id_eq(again.id, event->id) || !tenant_eq(again.tenant, event->tenant) ||
		!same_text(again.type, event->type) || !same_text(again.source, event->source) ||
		!same_text(again.ordering_key, event->ordering_key) ||
		!same_text(again.traceparent, event->traceparent) ||
		!same_text(again.slug, event->slug))
		__builtin_trap();
}

/* Names end at NUL, so only packed headers without one in a name come back as they were. */
static void repack(const struct headers *headers, struct str packed)
{
	struct buf out = BUF(1 << 20);

	envelope_pack(headers, &out);
	if (buf_check(&out).kind != ERR_OK || out.len > packed.len ||
		(out.len == packed.len && !str_eq(buf_str(&out), packed)))
		__builtin_trap();
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct arena *arena = arena_new(1 << 20);
	struct headers headers;
	struct event event;

	struct str key = cut(&rest, number(&rest, 1));
	struct str packed = cut(&rest, number(&rest, 2));
	if (envelope_unpack(packed, arena, &headers).kind == ERR_OK) {
		repack(&headers, packed);
		if (envelope_read(&headers, key, rest, arena, &event).kind == ERR_OK)
			round_trip(&event, key, arena);
	}
	arena_free(arena);
	return 0;
}
