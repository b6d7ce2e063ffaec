/*
 * The numbers of a process, for Prometheus: counters, gauges and histograms with a fixed set of
 * label names each. A label value is data and could be anything, so a metric keeps at most
 * METRICS_CHILDREN_MAX combinations; what comes later is counted under the value "other". Updates
 * take no lock, but the first one of a combination does.
 *
 * Formats: Prometheus text 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/)
 * and OpenMetrics 1.0.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/).
 */
#ifndef ESTEIRA_FRAME_METRICS_H
#define ESTEIRA_FRAME_METRICS_H

#include "base/err.h"
#include "base/str.h"

enum {
	METRICS_LABELS_MAX = 4,
	METRICS_BOUNDS_MAX = 24,
	METRICS_CHILDREN_MAX = 200,
	METRICS_VALUE_BYTES = 128, /* a longer label value becomes "other" */
};

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS };

/* What a metric is: a static table row, which must outlive the registry. A counter's name ends in
 * _total, a unit stands before it (esteira_work_seconds). */
struct metrics_spec {
	enum metrics_kind kind;
	const char *name;
	const char *help;
	const char *labels[METRICS_LABELS_MAX]; /* up to the first NULL */
	const double *bounds; /* of a histogram: ascending upper bounds without +Inf */
	size_t bounds_count;  /* 0: 16 bounds from 1 ms to 60 s */
};

struct metrics;
struct metric;

/* A registry. NULL without memory. Any thread may use it; free it when none does. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics); /* NULL is fine */

/* The metric of that row; the same one when the row was registered before. One without labels
 * exists with value 0 from now on. NULL without memory, which the updates below take and ignore: a
 * number is not worth a failure. A wrong name or bound is a bug and asserted. */
struct metric *metrics_register(struct metrics *metrics, const struct metrics_spec *spec);

/* labels: one value per label name of the row, copied on first use; NULL when it has none. A value
 * that is not UTF-8 becomes "other". */
/* Counter (n >= 0) or gauge. */
void metrics_add(struct metric *metric, const char *const *labels, int64_t n);
/* Gauge. */
void metrics_set(struct metric *metric, const char *const *labels, double value);
/* Histogram. */
void metrics_observe(struct metric *metric, const char *const *labels, double value);

/* Counter or gauge: the value is what read(arg) says at each scrape, on the scraping thread. read
 * must not call metrics_* and must stay callable until metrics_free; it is quick. */
void metrics_watch(
	struct metric *metric, const char *const *labels, double (*read)(void *arg), void *arg);

/* Appends all metrics, in the order of registration. Check *text with buf_check. */
void metrics_write(struct metrics *metrics, enum metrics_format format, struct buf *text);

/* The format an Accept header asks for, and what to answer as Content-Type. */
enum metrics_format metrics_write_format(struct str accept);
const char *metrics_write_type(enum metrics_format format);

#endif
