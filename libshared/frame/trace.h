/*
 * W3C Trace Context: one trace from the HTTP request over Kafka to the child process. Only the
 * identifiers travel here; spans are exported elsewhere. Source: W3C Trace Context, section 3.2.
 */
#ifndef ESTEIRA_FRAME_TRACE_H
#define ESTEIRA_FRAME_TRACE_H

#include "base/str.h"

struct trace {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	bool sampled;
};

enum { TRACE_TEXT_BYTES = 56, TRACE_ID_TEXT_BYTES = 33 };

/* A new trace; aborts without kernel randomness. */
struct trace trace_new(void);

/* The same trace with a new span id. */
struct trace trace_child(struct trace parent);

/* "00-<trace id>-<span id>-<flags>"; false for anything malformed or all-zero. */
bool trace_parse(struct str traceparent, struct trace *ret_trace);

/* The trace of a traceparent, or a new one. */
struct trace trace_from(struct str traceparent);

void trace_format(struct trace trace, char *ret_text);	  /* TRACE_TEXT_BYTES */
void trace_format_id(struct trace trace, char *ret_text); /* TRACE_ID_TEXT_BYTES */

#endif
