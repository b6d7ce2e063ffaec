/*
 * Where a process's finished spans go: a bounded queue (frame/span_queue), and from there in
 * batches to an OTLP receiver over HTTP, by the loop's own client. Whoever ends a span never waits;
 * what does not fit, is refused or finds no receiver in time is dropped and counted. Without an
 * endpoint there is no struct spans, and nothing of all this costs more than a look at NULL.
 */
#ifndef ESTEIRA_FRAME_SPANS_H
#define ESTEIRA_FRAME_SPANS_H

#include "base/err.h"
#include "base/str.h"
#include "frame/conf.h"

struct loop;
struct metrics;
struct secret;
struct spans;

/* ESTEIRA_OTLP_*; part of every service's settings. */
struct spans_conf {
	const char *endpoint, *ca_file; /* "": no traces; the system's authorities */
	const char *ratio;
	struct secret *headers; /* NULL: none */
	int64_t queue_spans, queue_bytes;
};

extern const struct conf_item spans_conf_items[];

/* What each item alone cannot show. ERR_FATAL bad-config names the variable. */
struct err spans_try(const struct spans_conf *conf) ERR_MUST_USE;

/* What a process lends its spans; texts are borrowed until spans_free. */
struct spans_of {
	struct loop *loop;
	struct metrics *metrics;
	const char *service, *version, *instance;
};

/* *ret_spans is NULL when conf names no endpoint. Loop thread. ERR_FATAL bad-config, out-of-memory;
 * failures of http_open. */
struct err spans_open(const struct spans_of *of, const struct spans_conf *conf,
	struct spans **ret_spans) ERR_MUST_USE;

/* Sends what waits, for at most SPANS_FLUSH_MS and without a second try; the rest is dropped. Any
 * thread but the loop's, which must be running. NULL is fine. */
enum { SPANS_FLUSH_MS = 3000 };
void spans_stop(struct spans *spans);

/* Ends the exporter; spans that end later are dropped. Loop thread. NULL is fine. */
void spans_close(struct spans *spans);

/* When nobody ends spans any more. NULL is fine. */
void spans_free(struct spans *spans);

/* Whether a new trace of this id (16 bytes) is one of the ratio that are recorded. Any thread. */
bool spans_samples(const struct spans *spans, const uint8_t *trace_id);

/* Takes one span as otlp_add wrote it. Any thread. */
void spans_put(struct spans *spans, struct str span);

#endif
