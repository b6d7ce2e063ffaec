/*
 * Taking partitions over at an assignment: asks Kafka what is committed and Postgres how far the
 * group's effects are true, raises the fences, decides where to start (frame/assign), and opens a
 * replay, or holds the partition, when an operator has moved the group. Poll thread.
 */
#ifndef ESTEIRA_FRAME_TAKEOVER_H
#define ESTEIRA_FRAME_TAKEOVER_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/assign.h"
#include "frame/outbox.h"
#include "frame/replay.h"
#include "port/kafka.h"

struct pg;

struct takeover {
	struct pg *pg;
	struct arena *arena;
	const char *group;
	const char *cluster; /* today's id */
	int64_t replay_max;  /* records a rewind may hold without a person's confirmation */
	const struct outbox_conf *outbox;
};

/* How a partition begins. */
struct takeover_start {
	int64_t fence;
	int64_t timeline;   /* of Postgres */
	int64_t doubt_ms;   /* of its last failover, wall; 0 = none */
	int64_t offset;	    /* ASSIGN_EARLIEST, or where to read from (once confirmed, when held) */
	int64_t otherwise;  /* held: where to go on when the move is refused */
	int64_t held_by;    /* the replay that waits for confirmation; 0 = none */
	int64_t suspect_to; /* offsets below may hold what ended the last owner; 0 = it left in
			       order */
	enum assign_case what;
};

/* places: with what Kafka has committed. starts: one for each. Failures: pg_query; to be repeated
 * as a whole. */
struct err takeover_run(const struct takeover *takeover, const struct kafka_place *places,
	size_t count, struct takeover_start *starts) ERR_MUST_USE;

#endif
