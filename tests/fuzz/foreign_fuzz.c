/* Any bytes as a foreign record (two bytes with the length of the packed headers, headers, value)
 * and as the body of a request. What is read says the same when it is written down as one
 * CloudEvent in JSON and read again; an item of a batch lies in the body; its data is JSON for
 * codec, too. */
#include "model/foreign.h"

#include <string.h>

#include "base/clock.h"
#include "model/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct codec_field no_fields[] = { CODEC_END };
static const struct codec_type any_object = { "any", 1, no_fields };

static bool is_inside(struct str part, struct str whole)
{
	return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same(const struct foreign *a, const struct foreign *b)
{
	return same_text(a->id, b->id) && same_text(a->type, b->type) &&
	       same_text(a->source, b->source) && same_text(a->subject, b->subject) &&
	       a->time_ms == b->time_ms && same_text(a->dataschema, b->dataschema) &&
	       same_text(a->traceparent, b->traceparent) &&
	       same_text(a->partitionkey, b->partitionkey) && str_eq(a->data, b->data);
}

static void add(struct buf *out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	buf_addf(out, ",\"%s\":", name);
	codec_quote(str_of(text), out);
}

static void round_trip(const struct foreign *foreign, struct arena *arena)
{
	struct buf out = BUF(1 << 20);
	struct foreign again;
	char time[CLOCK_TEXT_BYTES] = "";
	bool timed = foreign->time_ms != CODEC_NO_INT;

	if (timed)
		clock_format(foreign->time_ms, time);
	buf_addf(&out, "{\"specversion\":\"1.0\"");
	add(&out, "id", foreign->id);
	add(&out, "type", foreign->type);
	add(&out, "source", foreign->source);
	add(&out, "subject", foreign->subject);
	add(&out, "time", timed ? time : NULL);
	add(&out, "dataschema", foreign->dataschema);
	add(&out, "traceparent", foreign->traceparent);
	add(&out, "partitionkey", foreign->partitionkey);
	buf_addf(&out, ",\"data\":");
	buf_add_str(&out, foreign->data);
	buf_add(&out, "}", 1);
	struct err e = foreign_read_json(buf_str(&out), arena, &again);
	/* in binary mode the data is a level less deep, and a year may end up outside 0..9999 */
	if (e.kind == ERR_OK ? !same(&again, foreign) && strncmp(time, "0000", 4) != 0 &&
				       strncmp(time, "9999", 4) != 0
			     : strstr(e.msg, "deeply") == NULL)
		__builtin_trap();
	buf_done(&out);
}

static void check(const struct foreign *foreign, struct str from, struct arena *arena)
{
	char nothing;

	if (!is_inside(foreign->data, from) || foreign->data.len > ENVELOPE_BYTES_MAX ||
		codec_read(&any_object, foreign->data, arena, &nothing).kind != ERR_OK)
		__builtin_trap();
	round_trip(foreign, arena);
}

static void read_body(struct str body, struct arena *arena)
{
	struct foreign_items items;
	struct foreign foreign;

	if (foreign_split(body, arena, &items).kind != ERR_OK)
		return;
	if (items.count > FOREIGN_ITEMS_MAX)
		__builtin_trap();
	for (size_t i = 0; i < items.count; i++) {
		if (!is_inside(items.items[i], body))
			__builtin_trap();
		if (foreign_read_json(items.items[i], arena, &foreign).kind == ERR_OK)
			check(&foreign, items.items[i], arena);
	}
}

static void read_record(struct str input, struct arena *arena)
{
	struct headers headers;
	struct foreign foreign;

	if (input.len < 2)
		return;
	size_t len = (size_t)((unsigned char)input.ptr[0] << 8 | (unsigned char)input.ptr[1]);
	if (len > input.len - 2)
		len = input.len - 2;
	struct str packed = { input.ptr + 2, len };
	struct str value = { packed.ptr + len, input.len - 2 - len };
	if (envelope_unpack(packed, arena, &headers).kind != ERR_OK)
		return;
	if (foreign_read_record(&headers, value, arena, &foreign).kind == ERR_OK)
		check(&foreign, value, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	struct arena *arena = arena_new(1 << 20);

	read_record(input, arena);
	read_body(input, arena);
	arena_free(arena);
	return 0;
}
