/*
 * What waits in a service's tables, counted every 10 s for the metrics: effects outside that are
 * not over, dead letters that nobody has decided about, events on their way to Kafka. Only the
 * process that leads the relay counts; the others show 0, so that a sum over processes is right.
 */
#ifndef ESTEIRA_FRAME_TALLY_H
#define ESTEIRA_FRAME_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct metric;
struct metrics;
struct pg;

/* Of each table at most so many are looked at. */
enum { TALLY_MAX = 10000 };

/* Zero-initialised. */
struct tally {
	struct metric *effects, *open, *oldest, *outbox;
	bool ledgered;	 /* a route makes effects outside */
	bool no_effects; /* none does, and none was found */
	int64_t counted_ms;
};

/* Before the first turn. */
void tally_register(struct tally *tally, struct metrics *metrics);

/* Counts when it is time. pg: of esteira_frame_<service>; NULL: another process leads. One thread.
 * Failures: pg_query. */
struct err tally_turn(struct tally *tally, struct pg *pg, struct arena *arena) ERR_MUST_USE;

#endif
