#include "frame/trace.h"

#include <string.h>

#include "base/encode.h"
#include "port/digest.h"

struct trace trace_new(void)
{
	struct trace trace = { .sampled = true };

	digest_random(trace.trace_id, sizeof trace.trace_id);
	digest_random(trace.span_id, sizeof trace.span_id);
	return trace;
}

struct trace trace_child(struct trace parent)
{
	digest_random(parent.span_id, sizeof parent.span_id);
	return parent;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	while (len > 0)
		if (bytes[--len] != 0)
			return false;
	return true;
}

static bool is_lower_hex(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (strchr("0123456789abcdef", text.ptr[i]) == NULL)
			return false;
	return true;
}

bool trace_parse(struct str traceparent, struct trace *ret_trace)
{
	struct trace trace;
	uint8_t flags;
	struct str rest = traceparent;
	struct str version = str_cut(rest, '-', &rest);
	struct str trace_id = str_cut(rest, '-', &rest);
	struct str span_id = str_cut(rest, '-', &rest);

	/* later versions may append fields; version 00 may not */
	if (!str_eq(version, STR("00")) || rest.len != 2 || !is_lower_hex(trace_id) ||
		!is_lower_hex(span_id) || !is_lower_hex(rest))
		return false;
	if (!encode_hex_back(trace_id, trace.trace_id, sizeof trace.trace_id) ||
		!encode_hex_back(span_id, trace.span_id, sizeof trace.span_id) ||
		!encode_hex_back(rest, &flags, 1))
		return false;
	if (is_zero(trace.trace_id, sizeof trace.trace_id) ||
		is_zero(trace.span_id, sizeof trace.span_id))
		return false;
	trace.sampled = (flags & 1) != 0;
	*ret_trace = trace;
	return true;
}

struct trace trace_from(struct str traceparent)
{
	struct trace trace;

	return trace_parse(traceparent, &trace) ? trace : trace_new();
}

void trace_format(struct trace trace, char *ret_text)
{
	memcpy(ret_text, "00-", 3);
	encode_hex(trace.trace_id, sizeof trace.trace_id, ret_text + 3);
	ret_text[35] = '-';
	encode_hex(trace.span_id, sizeof trace.span_id, ret_text + 36);
	memcpy(ret_text + 52, trace.sampled ? "-01" : "-00", 4);
}

void trace_format_id(struct trace trace, char *ret_text)
{
	encode_hex(trace.trace_id, sizeof trace.trace_id, ret_text);
}
