/*
 * A span: what one step of a trace did, from when to when. It is a value of whoever does the step,
 * belongs to one thread at a time, and leaves the process when it ends (frame/spans). One that is
 * off - no receiver, or its trace is not recorded - carries the ids all the same, and everything
 * else here does nothing with it. What may be written on it is the table model/otlp_names.def.
 */
#ifndef ESTEIRA_FRAME_SPAN_H
#define ESTEIRA_FRAME_SPAN_H

#include "frame/trace.h"
#include "model/otlp.h"

struct spans;

enum { SPAN_ATTRIBUTES_MAX = 14 };

struct span {
	struct spans *spans; /* NULL: off */
	struct trace trace;  /* of this span: what its children follow from */
	uint8_t parent_id[8];
	bool has_parent, failed;
	enum otlp_kind kind;
	int64_t began_us, began_mono_us;
	size_t count;
	struct otlp_attribute attributes[SPAN_ATTRIBUTES_MAX];
};

/* A child of what traceparent names, or, when that is nothing, the root of a new trace, recorded by
 * the ratio. spans NULL: off. Any thread. */
void span_begin(
	struct spans *spans, enum otlp_kind kind, struct str traceparent, struct span *ret_span);

/* A child of one of this process; off when that is. */
void span_begin_in(const struct span *parent, enum otlp_kind kind, struct span *ret_span);

/* It began ms earlier. */
void span_backdate(struct span *span, int64_t ms);

/* A fact, by the type of its name. text must stay until span_end; NULL is left out, and so is what
 * SPAN_ATTRIBUTES_MAX has no room for. */
void span_add_text(struct span *span, enum otlp_name name, const char *text);
void span_add_number(struct span *span, enum otlp_name name, int64_t number);

/* It failed; type is a code, never a sentence. */
void span_fail(struct span *span, const char *type);

/* Hands it over, once; it is off then. Its name is "verb object"; object NULL: verb alone. */
void span_end(struct span *span, const char *verb, const char *object);

/* "" unless it is on: for log lines. */
enum { SPAN_ID_TEXT_BYTES = 17 };
void span_format_id(const struct span *span, char *ret_text);

#endif
