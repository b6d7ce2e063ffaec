/*
 * Who owns a partition, as Postgres sees it: a number per (group, topic, partition), raised at
 * every assignment and held FOR SHARE by every transaction, so that a stopped owner who wakes up
 * cannot commit. Beside it the progress row: how far the group's effects are true, compared with
 * Kafka's commit at every assignment.
 */
#ifndef ESTEIRA_FRAME_FENCE_H
#define ESTEIRA_FRAME_FENCE_H

#include "base/arena.h"
#include "base/err.h"

struct pg;

/* One partition of a group. */
struct fence {
	const char *topic;
	int32_t partition;
	int64_t number;	     /* set by fence_raise */
	bool has_progress;   /* set by fence_raise: a row was there */
	int64_t next_offset; /* of the progress row; to be written by fence_progress */
	int64_t frontier;    /* of the progress row: the highest next_offset ever */
	const char *cluster; /* likewise */
	bool clean;	     /* likewise: left in order, nothing was under way; false from now on */
};

/* Takes the partitions over: waits for transactions of the former owner, then no new one of his can
 * start. Also reads their progress. One transaction of its own. */
struct err fence_raise(struct pg *pg, struct arena *arena, const char *group, struct fence *fences,
	size_t count) ERR_MUST_USE;

/* First statement of every transaction (queues and runs): *ret_ours false: somebody else has taken
 * the partition over. */
struct err fence_hold(struct pg *pg, struct arena *arena, const char *group,
	const struct fence *fence, bool *ret_ours) ERR_MUST_USE;

/* The log was cut: fence->next_offset is where it begins now, and nothing of it was seen. One
 * transaction of its own. */
struct err fence_cut(struct pg *pg, const char *group, const struct fence *fence) ERR_MUST_USE;

/* Writes the progress rows of partitions that are still ours. One transaction of its own. */
struct err fence_progress(struct pg *pg, struct arena *arena, const char *group,
	const struct fence *fences, size_t count) ERR_MUST_USE;

#endif
