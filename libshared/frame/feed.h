/*
 * Brings parked rows that are due back into the schedule, for the partitions this process owns.
 * Poll thread, on the consumer's connection.
 */
#ifndef ESTEIRA_FRAME_FEED_H
#define ESTEIRA_FRAME_FEED_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/park.h"
#include "frame/route.h"
#include "frame/schedule.h"

struct feed;

struct feed_conf {
	const char *group;
	const struct route *routes;
	struct schedule *schedule;
	struct park *park;
	struct pg *pg; /* borrowed */
};

/* NULL without memory. */
struct feed *feed_new(const struct feed_conf *conf);
void feed_free(struct feed *feed); /* NULL is fine */

/* A partition came to us: source is of SOURCE_PARKED. suspect: what is loaded first may have ended
 * a process. At most FEED_PARTITIONS_MAX. */
enum { FEED_PARTITIONS_MAX = 1024 };
void feed_add(struct feed *feed, struct partition *source, bool suspect);
/* All were taken. */
void feed_clear(struct feed *feed);
/* While held a partition's parked rows wait too. */
void feed_hold(struct feed *feed, const char *topic, int32_t partition, bool held);

/* One turn: loads where there may be something, at most every FEED_TURN_MS a partition; looks every
 * second for rows that others have added (redrives). Failures: pg_query. */
struct err feed_turn(struct feed *feed, struct arena *arena) ERR_MUST_USE;

#endif
