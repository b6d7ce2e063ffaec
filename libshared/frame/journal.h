/*
 * The attempt journal: finds the record that kills the process. After an unclean start the first
 * records of each partition are written down before they are handled, and crossed out when they
 * come to an end or get an answer; one that was written down three times without either is given
 * up as `crash`. A batch is written down as one; its records run alone when the process died on it.
 */
#ifndef ESTEIRA_FRAME_JOURNAL_H
#define ESTEIRA_FRAME_JOURNAL_H

#include "base/arena.h"
#include "base/err.h"

struct pg;

enum { JOURNAL_ATTEMPTS_MAX = 3 };

/* A partition, and records of it. */
struct journal_place {
	const char *group, *topic;
	int32_t partition;
};
struct journal_batch {
	struct journal_place place;
	const int64_t *offsets;
	size_t n;
};

/* What the journal says about the records: counts[i] of offsets[i], 0 = not in
 * it. */
struct err journal_look(struct pg *pg, struct arena *arena, const struct journal_batch *batch,
	int *counts) ERR_MUST_USE;

/* Adds one attempt to each; a transaction of its own, committed before the
 * handler runs. */
struct err journal_note(struct pg *pg, struct arena *arena, const struct journal_batch *batch)
	ERR_MUST_USE;

/* Takes one attempt of each back: there was an answer. A transaction of its own. */
struct err journal_undo(struct pg *pg, struct arena *arena, const struct journal_batch *batch)
	ERR_MUST_USE;

/* Queues the removal of records that come to an end in the caller's transaction. */
struct err journal_end(struct pg *pg, struct arena *arena, const struct journal_batch *batch)
	ERR_MUST_USE;

/* Queues the removal of what is below an offset and a day old: left by a process that ended in
 * order. What is parked, or read by a side replay, is below too and may be what kills. */
struct err journal_forget(struct pg *pg, const struct journal_place *place, int64_t below)
	ERR_MUST_USE;

/* Queues the removal of all: the log is another one now. */
struct err journal_clear(struct pg *pg, const struct journal_place *place) ERR_MUST_USE;

/* Does the partition have entries? Then its records are suspects again. */
struct err journal_last(struct pg *pg, struct arena *arena, const struct journal_place *place,
	int64_t *ret_after) ERR_MUST_USE; /* offset after the last entry; 0 = none */

#endif
