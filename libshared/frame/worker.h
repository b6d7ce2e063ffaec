/*
 * A worker thread's own things, and what it tells logs and metrics about a record.
 */
#ifndef ESTEIRA_FRAME_WORKER_H
#define ESTEIRA_FRAME_WORKER_H

#include "frame/brake.h"
#include "frame/execute.h"
#include "frame/transact.h"

struct worker {
	const struct execute_conf *conf;
	struct transact transact;
	int outages; /* failed calls in a row to our own servers */
	bool dead;
	struct record *records[SCHEDULE_TAKE_MAX];
	struct task tasks[SCHEDULE_TAKE_MAX];
};

/* NULL without memory. */
struct worker *worker_new(const struct execute_conf *conf, size_t arena_bytes);
void worker_free(struct worker *worker);

void worker_log(
	const struct worker *worker, const struct task *task, const char *event, struct err e);
/* What the record is about to the brakes; its event and payload have been read. */
struct brake_pair worker_pair(const struct task *task);
/* The end of a record, to its brake; one that names no route or tenant has none. */
void worker_brake(const struct worker *worker, const struct task *task, enum brake_event event);
/* The end of a record, to its metrics and its span. */
void worker_count(
	const struct worker *worker, struct task *task, const char *outcome, int64_t took_us);

#endif
