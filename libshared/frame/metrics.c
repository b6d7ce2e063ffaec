#include "frame/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frame/metrics_table.h"

static const char other[] = "other";

double metrics_table_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

uint64_t metrics_table_bits(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

struct metrics *metrics_new(void)
{
	struct metrics *metrics = calloc(1, sizeof *metrics);

	if (metrics != NULL)
		pthread_mutex_init(&metrics->lock, NULL);
	return metrics;
}

static void free_child(struct metrics_child *child)
{
	for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
		free(child->values[i]);
	free(child);
}

static void free_metric(struct metric *metric)
{
	while (metric->first != NULL) {
		struct metrics_child *child = metric->first;

		metric->first = child->sibling;
		free_child(child);
	}
	free(metric);
}

void metrics_free(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	while (metrics->first != NULL) {
		struct metric *metric = metrics->first;

		metrics->first = metric->next;
		free_metric(metric);
	}
	pthread_mutex_destroy(&metrics->lock);
	free(metrics);
}

/* --- children --- */

static size_t slot_of(const struct metric *metric, const char *const *labels)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < metric->labels_count; i++)
		for (const char *c = labels[i]; *c != '\0'; c++)
			hash = (hash ^ (unsigned char)*c) * 16777619U;
	return hash % METRICS_TABLE_SLOTS;
}

static bool has_values(
	const struct metric *metric, const struct metrics_child *child, const char *const *labels)
{
	for (size_t i = 0; i < metric->labels_count; i++)
		if (strcmp(child->values[i], labels[i]) != 0)
			return false;
	return true;
}

static struct metrics_child *look_up(struct metric *metric, const char *const *labels)
{
	size_t slot = slot_of(metric, labels);
	struct metrics_child *child =
		atomic_load_explicit(&metric->slots[slot], memory_order_acquire);

	while (child != NULL && !has_values(metric, child, labels))
		child = child->next;
	return child;
}

static bool copy_values(
	const struct metric *metric, struct metrics_child *child, const char *const *labels)
{
	for (size_t i = 0; i < metric->labels_count; i++) {
		child->values[i] = strdup(labels[i]);
		if (child->values[i] == NULL)
			return false;
	}
	return true;
}

/* With the lock. NULL without memory. */
static struct metrics_child *make_child(struct metric *metric, const char *const *labels)
{
	bool histogram = metric->spec->kind == METRICS_HISTOGRAM;
	size_t counts = histogram ? metric->bounds_count + 1 : 0;
	struct metrics_child *child = calloc(1, sizeof *child + counts * sizeof child->counts[0]);

	if (child == NULL)
		return NULL;
	if (!copy_values(metric, child, labels)) {
		free_child(child);
		return NULL;
	}
	size_t slot = slot_of(metric, labels);
	child->next = atomic_load_explicit(&metric->slots[slot], memory_order_relaxed);
	atomic_store_explicit(&metric->slots[slot], child, memory_order_release);
	if (metric->last == NULL)
		metric->first = child;
	else
		metric->last->sibling = child;
	metric->last = child;
	atomic_fetch_add(&metric->children, 1);
	return child;
}

/* With the lock. When the metric is full, the child of "other", which is one more than the cap. */
static struct metrics_child *find_or_make(struct metric *metric, const char *const *labels)
{
	static const char *const others[METRICS_LABELS_MAX] = { other, other, other, other };
	struct metrics_child *child = look_up(metric, labels);

	if (child == NULL && atomic_load(&metric->children) >= METRICS_CHILDREN_MAX) {
		labels = others;
		child = look_up(metric, labels);
	}
	return child != NULL ? child : make_child(metric, labels);
}

static const char *clean(const char *value)
{
	if (value == NULL)
		return "";
	size_t len = strnlen(value, METRICS_VALUE_BYTES);
	return len < METRICS_VALUE_BYTES && str_is_utf8((struct str){ value, len }) ? value : other;
}

/* The child of these values, made when it is new. NULL without memory. */
static struct metrics_child *child_of(struct metric *metric, const char *const *labels)
{
	const char *values[METRICS_LABELS_MAX] = { NULL };

	assert(metric->labels_count == 0 || labels != NULL);
	for (size_t i = 0; i < metric->labels_count; i++)
		values[i] = clean(labels[i]);
	struct metrics_child *child = look_up(metric, values);
	if (child != NULL)
		return child;
	pthread_mutex_lock(&metric->metrics->lock);
	child = find_or_make(metric, values);
	pthread_mutex_unlock(&metric->metrics->lock);
	return child;
}

/* --- registration --- */

static const double seconds[] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
	5, 10, 20, 30, 60 };

static bool is_name(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char rest[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	return name[0] != '\0' && strchr(first, name[0]) != NULL &&
	       name[strspn(name, rest)] == '\0';
}

static bool is_label(const char *name)
{
	return is_name(name) && strncmp(name, "__", 2) != 0 && strcmp(name, "le") != 0;
}

static bool ends_in_total(const char *name)
{
	size_t len = strlen(name);

	return len > 6 && strcmp(name + len - 6, "_total") == 0;
}

static bool is_ascending(const double *bounds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1]))
			return false;
	return true;
}

static bool is_sound(const struct metrics_spec *spec)
{
	for (size_t i = 0; i < METRICS_LABELS_MAX && spec->labels[i] != NULL; i++)
		if (!is_label(spec->labels[i]))
			return false;
	return is_name(spec->name) && spec->help != NULL &&
	       ends_in_total(spec->name) == (spec->kind == METRICS_COUNTER) &&
	       spec->bounds_count <= METRICS_BOUNDS_MAX &&
	       is_ascending(spec->bounds, spec->bounds_count);
}

static struct metric *metric_named(struct metrics *metrics, const char *name)
{
	for (struct metric *metric = metrics->first; metric != NULL; metric = metric->next)
		if (strcmp(metric->spec->name, name) == 0)
			return metric;
	return NULL;
}

/* With the lock. */
static struct metric *make_metric(struct metrics *metrics, const struct metrics_spec *spec)
{
	struct metric *metric = calloc(1, sizeof *metric);

	if (metric == NULL)
		return NULL;
	metric->metrics = metrics;
	metric->spec = spec;
	metric->bounds = spec->bounds_count == 0 ? seconds : spec->bounds;
	metric->bounds_count =
		spec->bounds_count == 0 ? sizeof seconds / sizeof *seconds : spec->bounds_count;
	while (metric->labels_count < METRICS_LABELS_MAX &&
		spec->labels[metric->labels_count] != NULL)
		metric->labels_count++;
	if (metric->labels_count == 0 && make_child(metric, NULL) == NULL) {
		free(metric);
		return NULL;
	}
	if (metrics->last == NULL)
		metrics->first = metric;
	else
		metrics->last->next = metric;
	metrics->last = metric;
	return metric;
}

struct metric *metrics_register(struct metrics *metrics, const struct metrics_spec *spec)
{
	assert(is_sound(spec));
	pthread_mutex_lock(&metrics->lock);
	struct metric *metric = metric_named(metrics, spec->name);
	assert(metric == NULL || metric->spec == spec);
	if (metric == NULL)
		metric = make_metric(metrics, spec);
	pthread_mutex_unlock(&metrics->lock);
	return metric;
}

/* --- updates --- */

static void add_double(_Atomic uint64_t *bits, double n)
{
	uint64_t old = atomic_load_explicit(bits, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(bits, &old,
		metrics_table_bits(metrics_table_double(old) + n), memory_order_relaxed,
		memory_order_relaxed))
		;
}

void metrics_add(struct metric *metric, const char *const *labels, int64_t n)
{
	struct metrics_child *child = metric == NULL ? NULL : child_of(metric, labels);

	if (child == NULL)
		return;
	if (metric->spec->kind == METRICS_GAUGE) {
		add_double(&child->number, (double)n);
		return;
	}
	assert(metric->spec->kind == METRICS_COUNTER && n >= 0);
	atomic_fetch_add_explicit(&child->number, (uint64_t)n, memory_order_relaxed);
}

void metrics_set(struct metric *metric, const char *const *labels, double value)
{
	struct metrics_child *child = metric == NULL ? NULL : child_of(metric, labels);

	if (child == NULL)
		return;
	assert(metric->spec->kind == METRICS_GAUGE);
	atomic_store_explicit(&child->number, metrics_table_bits(value), memory_order_relaxed);
}

void metrics_observe(struct metric *metric, const char *const *labels, double value)
{
	struct metrics_child *child = metric == NULL ? NULL : child_of(metric, labels);
	size_t i = 0;

	if (child == NULL)
		return;
	assert(metric->spec->kind == METRICS_HISTOGRAM);
	while (i < metric->bounds_count && !(value <= metric->bounds[i]))
		i++;
	atomic_fetch_add_explicit(&child->counts[i], 1, memory_order_relaxed);
	add_double(&child->number, value);
}

void metrics_watch(
	struct metric *metric, const char *const *labels, double (*read)(void *arg), void *arg)
{
	struct metrics_child *child = metric == NULL ? NULL : child_of(metric, labels);

	if (child == NULL)
		return;
	assert(metric->spec->kind != METRICS_HISTOGRAM);
	pthread_mutex_lock(&metric->metrics->lock);
	child->read = read;
	child->arg = arg;
	pthread_mutex_unlock(&metric->metrics->lock);
}
