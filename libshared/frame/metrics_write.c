/*
 * The two text formats differ in little: where "_total" stands, what is escaped in help, and the
 * line that ends OpenMetrics. Everything else is written once. Bounds are written as OpenMetrics
 * wants them ("1.0") in both, so that a series is the same whichever format was scraped.
 */
#include "frame/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame/metrics_table.h"

enum { NUMBER_BYTES = 40 };

struct sink {
	struct buf *text;
	enum metrics_format format;
};

/* The shortest decimal that reads back as the same double. */
static void format_number(double value, char *ret_text)
{
	if (isnan(value)) {
		snprintf(ret_text, NUMBER_BYTES, "NaN");
		return;
	}
	if (isinf(value)) {
		snprintf(ret_text, NUMBER_BYTES, value > 0 ? "+Inf" : "-Inf");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(ret_text, NUMBER_BYTES, "%.*g", digits, value);
		if (!(strtod(ret_text, NULL) < value) && !(strtod(ret_text, NULL) > value))
			return;
	}
}

static void add_escaped(struct buf *text, const char *from, bool quotes)
{
	for (; *from != '\0'; from++) {
		if (*from == '\n')
			buf_add_str(text, STR("\\n"));
		else if (*from == '\\' || (*from == '"' && quotes))
			buf_addf(text, "\\%c", *from);
		else
			buf_add(text, from, 1);
	}
}

static void add_head(const struct sink *sink, const struct metrics_spec *spec)
{
	static const char *const kinds[] = { "counter", "gauge", "histogram" };
	bool open = sink->format == METRICS_OPENMETRICS;
	size_t len = strlen(spec->name);

	if (open && spec->kind == METRICS_COUNTER)
		len -= sizeof "_total" - 1;
	buf_addf(sink->text, "# HELP %.*s ", (int)len, spec->name);
	add_escaped(sink->text, spec->help, open);
	buf_addf(sink->text, "\n# TYPE %.*s %s\n", (int)len, spec->name, kinds[spec->kind]);
}

/* {a="x",le="0.5"}; le may be NULL. Nothing when there is no label. */
static void add_labels(const struct sink *sink, const struct metric *metric,
	const struct metrics_child *child, const char *le)
{
	const char *before = "{";

	for (size_t i = 0; i < metric->labels_count; i++) {
		buf_addf(sink->text, "%s%s=\"", before, metric->spec->labels[i]);
		add_escaped(sink->text, child->values[i], true);
		buf_add_str(sink->text, STR("\""));
		before = ",";
	}
	if (le != NULL) {
		buf_addf(sink->text, "%sle=\"%s\"", before, le);
		before = ",";
	}
	if (before[0] == ',')
		buf_add_str(sink->text, STR("}"));
}

static void add_value(
	const struct sink *sink, const struct metric *metric, const struct metrics_child *child)
{
	uint64_t number = atomic_load_explicit(&child->number, memory_order_relaxed);
	char text[NUMBER_BYTES];

	buf_add_str(sink->text, str_of(metric->spec->name));
	add_labels(sink, metric, child, NULL);
	if (child->read != NULL)
		format_number(child->read(child->arg), text);
	else if (metric->spec->kind == METRICS_COUNTER)
		snprintf(text, sizeof text, "%" PRIu64, number);
	else
		format_number(metrics_table_double(number), text);
	buf_addf(sink->text, " %s\n", text);
}

static void format_bound(const struct metric *metric, size_t i, char *ret_text)
{
	if (i == metric->bounds_count) {
		snprintf(ret_text, NUMBER_BYTES, "+Inf");
		return;
	}
	format_number(metric->bounds[i], ret_text);
	size_t len = strlen(ret_text);
	if (strpbrk(ret_text, ".e") == NULL)
		snprintf(ret_text + len, NUMBER_BYTES - len, ".0");
}

/* The count is the sum of what was read here, so that it always equals the +Inf bucket. */
static void add_histogram(
	const struct sink *sink, const struct metric *metric, const struct metrics_child *child)
{
	const char *name = metric->spec->name;
	double sum =
		metrics_table_double(atomic_load_explicit(&child->number, memory_order_relaxed));
	uint64_t count = 0;
	char text[NUMBER_BYTES];

	for (size_t i = 0; i <= metric->bounds_count; i++) {
		count += atomic_load_explicit(&child->counts[i], memory_order_relaxed);
		format_bound(metric, i, text);
		buf_addf(sink->text, "%s_bucket", name);
		add_labels(sink, metric, child, text);
		buf_addf(sink->text, " %" PRIu64 "\n", count);
	}
	format_number(sum, text);
	buf_addf(sink->text, "%s_sum", name);
	add_labels(sink, metric, child, NULL);
	buf_addf(sink->text, " %s\n%s_count", text, name);
	add_labels(sink, metric, child, NULL);
	buf_addf(sink->text, " %" PRIu64 "\n", count);
}

void metrics_write(struct metrics *metrics, enum metrics_format format, struct buf *text)
{
	const struct sink sink = { text, format };

	pthread_mutex_lock(&metrics->lock);
	for (const struct metric *metric = metrics->first; metric != NULL; metric = metric->next) {
		const struct metrics_child *child = metric->first;

		if (child != NULL)
			add_head(&sink, metric->spec);
		for (; child != NULL; child = child->sibling) {
			if (metric->spec->kind == METRICS_HISTOGRAM)
				add_histogram(&sink, metric, child);
			else
				add_value(&sink, metric, child);
		}
	}
	pthread_mutex_unlock(&metrics->lock);
	if (format == METRICS_OPENMETRICS)
		buf_add_str(text, STR("# EOF\n"));
}

enum metrics_format metrics_write_format(struct str accept)
{
	static const char wanted[] = "application/openmetrics-text";
	bool found =
		accept.len > 0 && memmem(accept.ptr, accept.len, wanted, sizeof wanted - 1) != NULL;

	return found ? METRICS_OPENMETRICS : METRICS_TEXT;
}

const char *metrics_write_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}
