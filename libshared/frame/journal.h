/*
 * The attempt journal: finds the record that kills the process. After an unclean start the first
 * records of each partition are written down before they are handled; one that was written down
 * three times without an end is given up as `crash`. A batch is written down as one; its records
 * run alone when the process died on it.
 */
#ifndef ESTEIRA_FRAME_JOURNAL_H
#define ESTEIRA_FRAME_JOURNAL_H

#include "base/arena.h"
#include "base/err.h"

struct pg;

enum { JOURNAL_ATTEMPTS_MAX = 3 };

/* What the journal says about offsets of a partition: count[i] of offsets[i], 0 = not in it. */
struct err journal_look(struct pg *pg, struct arena *arena, const char *group, const char *topic,
	int32_t partition, const int64_t *offsets, size_t n, int *counts) ERR_MUST_USE;

/* Adds one attempt to each; a transaction of its own, committed before the handler runs. */
struct err journal_note(struct pg *pg, struct arena *arena, const char *group, const char *topic,
	int32_t partition, const int64_t *offsets, size_t n) ERR_MUST_USE;

/* Queues the removal of all below an offset (they are through). */
struct err journal_forget(struct pg *pg, const char *group, const char *topic, int32_t partition,
	int64_t below) ERR_MUST_USE;

/* Does the partition have entries? Then its records are suspects again. */
struct err journal_last(struct pg *pg, struct arena *arena, const char *group, const char *topic,
	int32_t partition, int64_t *ret_after)
	ERR_MUST_USE; /* offset after the last entry; 0 = none */

#endif
