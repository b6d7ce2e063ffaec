/*
 * The memory behind frame/metrics, shared by the side that counts and the side that writes. A child
 * (one combination of label values) is published with release order and never changes its place
 * afterwards, so that counting finds it without the lock.
 */
#ifndef ESTEIRA_FRAME_METRICS_TABLE_H
#define ESTEIRA_FRAME_METRICS_TABLE_H

#include "frame/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

enum { METRICS_TABLE_SLOTS = 64 };

struct metrics_child {
	struct metrics_child *next;    /* of its slot */
	struct metrics_child *sibling; /* made after it */
	char *values[METRICS_LABELS_MAX];
	double (*read)(void *arg); /* guarded by the lock */
	void *arg;
	_Atomic uint64_t number;   /* a counter's count; else the bits of a double: gauge, sum */
	_Atomic uint64_t counts[]; /* of a histogram, one per bound and +Inf, not cumulated */
};

struct metric {
	struct metrics *metrics;
	const struct metrics_spec *spec;
	const double *bounds;
	size_t bounds_count;
	size_t labels_count;
	struct metric *next;
	_Atomic(struct metrics_child *) slots[METRICS_TABLE_SLOTS];
	struct metrics_child *first; /* in the order of their making; guarded by the lock */
	struct metrics_child *last;
	atomic_size_t children;
};

struct metrics {
	pthread_mutex_t lock; /* to add a metric or a child, and to write */
	struct metric *first;
	struct metric *last;
};

/* The double whose bits these are, and back. */
double metrics_table_double(uint64_t bits);
uint64_t metrics_table_bits(double value);

#endif
