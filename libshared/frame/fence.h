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
	int64_t doubt_ms;    /* set by fence_raise: wall time of the last failover; 0 = none */
	int64_t timeline;    /* Postgres's, set by fence_raise; to be what it still is, for
				fence_progress */
	bool clean;	     /* likewise: left in order, nothing was under way; false from now on */
};

/* Takes the partitions over: waits for transactions of the former owner, then no new one of his can
 * start. Also reads their progress. One transaction of its own. */
struct err fence_raise(struct pg *pg, struct arena *arena, const char *group, struct fence *fences,
	size_t count) ERR_MUST_USE;

/* The timeline of the database (PostgreSQL manual 26.3.5 "Timelines"): another one after every
 * failover. */
struct err fence_timeline(struct pg *pg, struct arena *arena, int64_t *ret_timeline) ERR_MUST_USE;

/* First statement of every transaction (queues and runs): *ret_ours false: somebody else has taken
 * the partition over. */
struct err fence_hold(struct pg *pg, struct arena *arena, const char *group,
	const struct fence *fence, bool *ret_ours) ERR_MUST_USE;

/* The log was cut: fence->next_offset is where it begins now, and nothing of it was seen. One
 * transaction of its own. */
struct err fence_cut(struct pg *pg, const char *group, const struct fence *fence) ERR_MUST_USE;

/* Writes the progress rows of partitions that are still ours. One transaction of its own. ERR_RETRY
 * bad-transition: one of them has another owner, Kafka must not be told. ERR_FATAL
 * timeline-changed: the database failed over since the partitions were taken; what it had
 * committed may be lost, so the group has to be taken over anew. */
struct err fence_progress(struct pg *pg, struct arena *arena, const char *group,
	const struct fence *fences, size_t count) ERR_MUST_USE;

#endif
