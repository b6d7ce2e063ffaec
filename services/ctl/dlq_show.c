#include "dlq_show.h"

#include <string.h>

#include "base/encode.h"
#include "model/envelope.h"
#include "port/digest.h"
#include "list.h"

enum { VALUE_MAX = 255 };

struct header_row {
	const char *name;
	int64_t size_bytes;
	const char *value; /* NULL: not shown */
};

/* What the letter held. */
struct bytes_view {
	int64_t key_bytes, headers_bytes, payload_bytes; /* CODEC_NO_INT: erased, or never there */
	const char *payload_sha256;
};

struct view {
	struct store_dlq_letter letter;
	struct store_dlq_detail detail;
	struct bytes_view bytes;
	struct codec_list headers; /* of struct header_row */
};

#define LETTER(member, kind, required)                                                             \
	{                                                                                          \
#member, (kind), CODEC_PLAIN, (required), offsetof(struct view, letter.member), 0, \
			NULL                                                                       \
	}
#define DETAIL(name, member, kind, required)                                                       \
	{                                                                                          \
		(name), (kind), CODEC_PLAIN, (required), offsetof(struct view, detail.member), 0,  \
			NULL                                                                       \
	}
#define BYTES(member, kind)                                                                        \
	{                                                                                          \
#member, (kind), CODEC_PLAIN, false, offsetof(struct view, bytes.member), 0, NULL  \
	}

static const struct codec_field header_fields[] = {
	CODEC_FIELD(struct header_row, name, CODEC_TEXT, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct header_row, size_bytes, CODEC_INT, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct header_row, value, CODEC_TEXT, CODEC_PLAIN, false, 0),
	CODEC_END,
};
static const struct codec_type header_type = { "estctl.dlq.header", sizeof(struct header_row),
	header_fields };

static const struct codec_field fields[] = {
	LETTER(id, CODEC_TEXT, true),
	LETTER(service, CODEC_TEXT, true),
	LETTER(tenant, CODEC_TEXT, false),
	LETTER(state, CODEC_TEXT, true),
	DETAIL("group", group, CODEC_TEXT, true),
	LETTER(topic, CODEC_TEXT, true),
	LETTER(partition, CODEC_INT, true),
	LETTER(offset, CODEC_INT, true),
	DETAIL("epoch", epoch, CODEC_INT, true),
	DETAIL("event_id", event_id, CODEC_TEXT, false),
	DETAIL("ordering_key", ordering_key, CODEC_TEXT, false),
	LETTER(class, CODEC_TEXT, true),
	LETTER(code, CODEC_TEXT, false),
	DETAIL("message", message, CODEC_TEXT, false),
	LETTER(attempts, CODEC_INT, true),
	LETTER(redrives, CODEC_INT, true),
	DETAIL("blocks_its_key", blocks, CODEC_BOOL, true),
	DETAIL("handler_version", version, CODEC_TEXT, false),
	DETAIL("first_failed_at", first_failed_at, CODEC_TIME, false),
	LETTER(created_at, CODEC_TIME, true),
	LETTER(updated_at, CODEC_TIME, true),
	LETTER(decided_by, CODEC_TEXT, false),
	BYTES(key_bytes, CODEC_INT),
	BYTES(headers_bytes, CODEC_INT),
	BYTES(payload_bytes, CODEC_INT),
	BYTES(payload_sha256, CODEC_TEXT),
	CODEC_SUB(struct view, headers, CODEC_LIST, true, ENVELOPE_HEADERS_MAX, &header_type),
	CODEC_END,
};
static const struct codec_type view_type = { "estctl.dlq.show", sizeof(struct view), fields };

/* --- headers --- */

/* Bytes of somebody else's must not steer the terminal: neither control characters nor those of
 * U+0080 to U+009F. */
static bool is_printable(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];
		bool wide = i > 0 && (unsigned char)text.ptr[i - 1] == 0xc2 && byte < 0xa0;
		if (byte < 0x20 || byte == 0x7f || wide)
			return false;
	}
	return str_is_utf8(text);
}

bool dlq_show_may(const char *name, struct str value)
{
	static const char *const plain[] = { "ce_id", "ce_type", "ce_source", "ce_time",
		"ce_specversion", "ce_dataschema", "ce_tenantid", "ce_tenantslug",
		"ce_partitionkey", "ce_supersedes", "content-type", "traceparent" };

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (strcmp(plain[i], name) == 0)
			return value.len <= VALUE_MAX && is_printable(value);
	return false;
}

static struct err read_headers(
	struct arena *arena, const struct store_dlq_detail *detail, struct codec_list *ret_list)
{
	struct headers headers = { .count = 0 };

	if (detail->headers.ptr != NULL)
		TRY(envelope_unpack(detail->headers, arena, &headers));
	struct header_row *rows = arena_alloc(arena, (headers.count + 1) * sizeof *rows);
	if (rows == NULL)
		return arena_overflow();
	for (size_t i = 0; i < headers.count; i++) {
		const struct header *header = &headers.items[i];
		rows[i] = (struct header_row){ .name = is_printable(str_of(header->name))
							       ? header->name
							       : "(not printable)",
			.size_bytes = (int64_t)header->value.len,
			.value = dlq_show_may(header->name, header->value)
					 ? arena_strdup(arena, header->value)
					 : NULL };
	}
	*ret_list = (struct codec_list){ rows, headers.count };
	return err_ok();
}

static int64_t size_of(struct str bytes)
{
	return bytes.ptr == NULL ? CODEC_NO_INT : (int64_t)bytes.len;
}

static struct err make_view(struct arena *arena, struct view *view)
{
	const struct store_dlq_detail *detail = &view->detail;
	uint8_t hash[DIGEST_BYTES];
	char *hex = arena_alloc(arena, DIGEST_HEX_BYTES);

	if (hex == NULL)
		return arena_overflow();
	view->bytes = (struct bytes_view){ .key_bytes = size_of(detail->key),
		.headers_bytes = size_of(detail->headers),
		.payload_bytes = size_of(detail->payload) };
	if (detail->payload.ptr != NULL) {
		digest_sha256(detail->payload, hash);
		encode_hex(hash, sizeof hash, hex);
		view->bytes.payload_sha256 = hex;
	}
	return read_headers(arena, detail, &view->headers);
}

struct err dlq_show_print(struct arena *arena, const struct store_dlq_letter *letter,
	const struct store_dlq_detail *detail, bool json, FILE *out)
{
	struct view view = { .letter = *letter, .detail = *detail };

	TRY(make_view(arena, &view));
	TRY(list_print_one(&view_type, &view, json, out));
	if (json || view.headers.count == 0)
		return err_ok();
	fputc('\n', out);
	return list_print(&header_type, &view.headers, false, out);
}
