/*
 * Finished spans as OTLP over HTTP wants them in JSON: the proto3 mapping of
 * ExportTraceServiceRequest, with the exceptions of OTLP (ids in hex, enums as integers). A request
 * is otlp_begin, spans with commas between them, otlp_end; the spans are written one by one, so
 * that they can wait as bytes whose number is known. A name that is not in otlp_names.def cannot be
 * written. Source: OpenTelemetry protocol 1.11, "OTLP/HTTP, JSON Protobuf Encoding".
 */
#ifndef ESTEIRA_MODEL_OTLP_H
#define ESTEIRA_MODEL_OTLP_H

#include "base/str.h"

#include <stdint.h>

enum otlp_name {
#define X(name, text, type, where, what) OTLP_##name,
#include "model/otlp_names.def"
#undef X
	OTLP_NAMES
};

/* Numbers of the protocol. */
enum otlp_kind {
	OTLP_INTERNAL = 1,
	OTLP_SERVER = 2,
	OTLP_CLIENT = 3,
	OTLP_PRODUCER = 4,
	OTLP_CONSUMER = 5
};

/* text or number, by the name's type. */
struct otlp_attribute {
	enum otlp_name name;
	const char *text;
	int64_t number;
};

/* Everything borrowed. */
struct otlp_span {
	const uint8_t *trace_id, *span_id; /* 16 and 8 bytes */
	const uint8_t *parent_id;	   /* 8 bytes; NULL: a root */
	enum otlp_kind kind;
	const char *verb, *object;  /* the name is "verb object"; object may be NULL */
	int64_t began_us, ended_us; /* since 1970 */
	const struct otlp_attribute *attributes;
	size_t attribute_count;
	bool failed; /* the status is an error */
};

struct otlp_resource {
	const char *service; /* "intake" is written as esteira-intake */
	const char *version, *instance;
};

enum { OTLP_TEXT_MAX = 256, OTLP_SPAN_MAX_BYTES = 32768 };

/* The part of a request before its spans, and behind them. Any thread. */
void otlp_begin(const struct otlp_resource *resource, struct buf *out);
void otlp_end(struct buf *out);

/* Appends one span. A text longer than OTLP_TEXT_MAX is cut, one that is not UTF-8 is not shown.
 * Any thread. */
void otlp_add(const struct otlp_span *span, struct buf *out);

/* How many spans of a request the receiver says it refused (partialSuccess); 0 when it says
 * nothing, or nothing that can be read. */
int64_t otlp_rejected(struct str answer);

#endif
