#include "model/otlp.h"

#include "base/arena.h"
#include "base/encode.h"
#include "model/codec.h"

enum { TEXT, INT, ANSWER_BYTES = 64 << 10, ERROR = 2, SAMPLED = 1 };

#define SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"

static const struct {
	const char *text;
	int type;
} names[] = {
#define X(name, text, type, where, what) [OTLP_##name] = { text, type },
#include "model/otlp_names.def"
#undef X
};

/* --- writing --- */

/* At most OTLP_TEXT_MAX bytes, not in the middle of a character. */
static struct str shown(const char *text)
{
	struct str all = str_of(text);

	if (!str_is_utf8(all))
		return STR("(not UTF-8)");
	if (all.len <= OTLP_TEXT_MAX)
		return all;
	all.len = OTLP_TEXT_MAX;
	while (all.len > 0 && ((unsigned char)all.ptr[all.len] & 0xC0) == 0x80)
		all.len--;
	return all;
}

static void add_attribute(const struct otlp_attribute *attribute, struct buf *out)
{
	buf_addf(out, "{\"key\":\"%s\",\"value\":{", names[attribute->name].text);
	if (names[attribute->name].type == INT) {
		buf_addf(out, "\"intValue\":\"%lld\"}}", (long long)attribute->number);
		return;
	}
	buf_add_str(out, STR("\"stringValue\":"));
	codec_quote(shown(attribute->text), out);
	buf_add_str(out, STR("}}"));
}

static void add_attributes(const struct otlp_attribute *attributes, size_t count, struct buf *out)
{
	buf_add_str(out, STR("\"attributes\":["));
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_str(out, STR(","));
		add_attribute(&attributes[i], out);
	}
	buf_add_str(out, STR("]"));
}

static void add_id(const char *member, const uint8_t *id, size_t len, struct buf *out)
{
	char hex[33];

	encode_hex(id, len, hex);
	buf_addf(out, "\"%s\":\"%s\",", member, hex);
}

static void add_name(const struct otlp_span *span, struct buf *out)
{
	char name[2 * OTLP_TEXT_MAX + 2];
	const struct str verb = shown(span->verb), object = shown(span->object);
	struct buf text = BUF(sizeof name);

	buf_add_str(&text, verb);
	if (object.len > 0)
		buf_addf(&text, " %.*s", (int)object.len, object.ptr);
	buf_add_str(out, STR("\"name\":"));
	codec_quote(buf_str(&text), out);
	buf_done(&text);
}

void otlp_add(const struct otlp_span *span, struct buf *out)
{
	buf_add_str(out, STR("{"));
	add_id("traceId", span->trace_id, 16, out);
	add_id("spanId", span->span_id, 8, out);
	if (span->parent_id != NULL)
		add_id("parentSpanId", span->parent_id, 8, out);
	add_name(span, out);
	buf_addf(out,
		",\"flags\":%d,\"kind\":%d,\"startTimeUnixNano\":\"%lld000\","
		"\"endTimeUnixNano\":\"%lld000\",",
		SAMPLED, (int)span->kind, (long long)span->began_us, (long long)span->ended_us);
	add_attributes(span->attributes, span->attribute_count, out);
	if (span->failed)
		buf_addf(out, ",\"status\":{\"code\":%d}", ERROR);
	buf_add_str(out, STR("}"));
}

void otlp_begin(const struct otlp_resource *resource, struct buf *out)
{
	char service[64];
	struct buf text = BUF(sizeof service);

	buf_addf(&text, "esteira-%s", resource->service);
	const struct otlp_attribute attributes[] = {
		{ OTLP_SERVICE_NAME, text.ptr, 0 },
		{ OTLP_SERVICE_VERSION, resource->version, 0 },
		{ OTLP_SERVICE_INSTANCE, resource->instance, 0 },
	};
	buf_add_str(out, STR("{\"resourceSpans\":[{\"resource\":{"));
	add_attributes(attributes, sizeof attributes / sizeof *attributes, out);
	buf_add_str(out, STR("},\"scopeSpans\":[{\"scope\":{\"name\":\"esteira\",\"version\":"));
	codec_quote(shown(resource->version), out);
	buf_add_str(out, STR("},\"spans\":["));
	buf_done(&text);
}

void otlp_end(struct buf *out)
{
	buf_add_str(out, STR("],\"schemaUrl\":\"" SCHEMA_URL "\"}]}]}"));
}

/* --- reading --- */

struct partial {
	const char *rejectedSpans; /* an int64: a string in proto3 JSON */
};

struct answer {
	struct partial partialSuccess;
};

static const struct codec_field partial_fields[] = {
	CODEC_FIELD(struct partial, rejectedSpans, CODEC_TEXT, CODEC_PLAIN, false, 24),
	CODEC_END,
};
static const struct codec_type partial = { "partialSuccess", sizeof(struct partial),
	partial_fields };
static const struct codec_field answer_fields[] = {
	CODEC_SUB(struct answer, partialSuccess, CODEC_OBJECT, false, 0, &partial),
	CODEC_END,
};
static const struct codec_type answer_type = { "answer", sizeof(struct answer), answer_fields };

int64_t otlp_rejected(struct str text)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(ANSWER_BYTES);
	struct answer answer = { { NULL } };
	uint64_t count = 0;

	if (arena == NULL || text.len == 0 ||
		codec_read(&answer_type, text, arena, &answer).kind != ERR_OK ||
		!str_to_u64(str_of(answer.partialSuccess.rejectedSpans), &count) ||
		count > INT32_MAX)
		return 0;
	return (int64_t)count;
}
