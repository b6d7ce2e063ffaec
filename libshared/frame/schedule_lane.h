/*
 * Lanes: the unfinished records of one (tenant, ordering key), in the order in which they run. What
 * a worker has in its hands stands in front, loaded rows of parked next, everything else behind.
 * Under the schedule's lock.
 */
#ifndef ESTEIRA_FRAME_SCHEDULE_LANE_H
#define ESTEIRA_FRAME_SCHEDULE_LANE_H

#include "frame/schedule.h"
#include "frame/schedule_ring.h"

/* Among the ready lanes of a share, among those that wait for a due time, or in a worker's hands; a
 * lane without records is freed. */
enum lane_state { LANE_READY, LANE_DELAYED, LANE_TAKEN };

struct lane {
	struct ring ring; /* READY: among its share's; while a batch is made: among the batch's */
	struct lane *next_in_bucket;
	struct share *share; /* READY: whose lane it is: its first record's */
	struct record *first, *last;
	struct record *last_parked; /* of SOURCE_PARKED, they stand together; NULL = none */
	struct record *last_taken;  /* of those in the worker's hands; NULL = none */
	enum lane_state state;
	size_t taken;	/* records in the worker's hands */
	int64_t due_ms; /* DELAYED: when; READY: since when; TAKEN: 0, or when it may go on */
	uint64_t turn;	/* READY: larger = later */
	size_t due_at;	/* DELAYED: its place in the heap */
	size_t key_len;
	char key[];
};

enum { LANE_BUCKETS = 4096 };

struct lanes {
	struct lane *buckets[LANE_BUCKETS];
};

uint32_t schedule_lane_hash(struct str key); /* for tables of a power of two */

struct lane *schedule_lane_find(struct lanes *lanes, struct str key); /* NULL = none */
/* A new one: TAKEN, empty; freed as soon as it is empty again. Ends the process without memory: a
 * record that is neither kept nor refused would be lost. */
struct lane *schedule_lane_make(struct lanes *lanes, struct str key);
void schedule_lane_free(struct lanes *lanes, struct lane *lane);

/* Rows of parked behind the last of theirs, and before what waits; everything else last. */
void schedule_lane_insert(struct lane *lane, struct record *record);
void schedule_lane_remove(struct record *record);

static inline bool schedule_lane_is_parked(const struct record *record)
{
	return record->partition->source == SOURCE_PARKED;
}

#endif
