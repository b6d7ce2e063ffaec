#include "frame/span.h"

#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "frame/spans.h"

static void start(struct spans *spans, enum otlp_kind kind, struct span *span)
{
	span->spans = spans != NULL && span->trace.sampled ? spans : NULL;
	if (span->spans == NULL)
		return;
	span->kind = kind;
	span->began_us = clock_wall_us();
	span->began_mono_us = clock_mono_us();
}

void span_begin(
	struct spans *spans, enum otlp_kind kind, struct str traceparent, struct span *ret_span)
{
	struct trace parent;

	*ret_span = (struct span){ .has_parent = trace_parse(traceparent, &parent) };
	if (ret_span->has_parent) {
		memcpy(ret_span->parent_id, parent.span_id, sizeof parent.span_id);
		ret_span->trace = trace_child(parent);
	} else {
		ret_span->trace = trace_new();
		if (spans != NULL)
			ret_span->trace.sampled = spans_samples(spans, ret_span->trace.trace_id);
	}
	start(spans, kind, ret_span);
}

void span_begin_in(const struct span *parent, enum otlp_kind kind, struct span *ret_span)
{
	*ret_span = (struct span){ .has_parent = true };
	if (parent->spans == NULL)
		return;
	memcpy(ret_span->parent_id, parent->trace.span_id, sizeof ret_span->parent_id);
	ret_span->trace = trace_child(parent->trace);
	start(parent->spans, kind, ret_span);
}

void span_backdate(struct span *span, int64_t ms)
{
	span->began_us -= ms * 1000;
	span->began_mono_us -= ms * 1000;
}

static void add(struct span *span, const struct otlp_attribute *attribute)
{
	if (span->spans != NULL && span->count < SPAN_ATTRIBUTES_MAX)
		span->attributes[span->count++] = *attribute;
}

void span_add_text(struct span *span, enum otlp_name name, const char *text)
{
	if (text != NULL)
		add(span, &(struct otlp_attribute){ name, text, 0 });
}

void span_add_number(struct span *span, enum otlp_name name, int64_t number)
{
	add(span, &(struct otlp_attribute){ name, NULL, number });
}

void span_fail(struct span *span, const char *type)
{
	if (!span->failed)
		span_add_text(span, OTLP_ERROR_TYPE, type);
	span->failed = true;
}

void span_end(struct span *span, const char *verb, const char *object)
{
	struct buf text = BUF(OTLP_SPAN_MAX_BYTES);

	if (span->spans == NULL)
		return;
	const struct otlp_span done = { .trace_id = span->trace.trace_id,
		.span_id = span->trace.span_id,
		.parent_id = span->has_parent ? span->parent_id : NULL,
		.kind = span->kind,
		.verb = verb,
		.object = object,
		.began_us = span->began_us,
		.ended_us = span->began_us + clock_mono_us() - span->began_mono_us,
		.attributes = span->attributes,
		.attribute_count = span->count,
		.failed = span->failed };
	otlp_add(&done, &text);
	if (!text.overflow)
		spans_put(span->spans, buf_str(&text));
	buf_done(&text);
	span->spans = NULL;
}

void span_format_id(const struct span *span, char *ret_text)
{
	ret_text[0] = '\0';
	if (span->spans != NULL)
		encode_hex(span->trace.span_id, sizeof span->trace.span_id, ret_text);
}
