/*
 * Who is being called right now: so that endpoints that take their time get a few of a process's
 * workers and never all of them. A target begins with CROWD_FIRST calls at once and is given one
 * more by each that went well, up to its most; one that failed, or whose oldest call hangs for
 * CROWD_SLOW_MS, is back where it began. A target whose last call went well is proven; calls to all
 * others, and to those that hang, have half of the workers together: however many endpoints hang,
 * the proven ones find a worker. A quarter of that half is for tenants that have fewer than
 * CROWD_FIRST of these calls, so that who is new finds one, too, unless many tenants hang.
 */
#ifndef ESTEIRA_FRAME_CROWD_H
#define ESTEIRA_FRAME_CROWD_H

#include "frame/brake.h"

struct crowd;

enum {
	CROWD_FIRST = 2,
	CROWD_SLOW_MS = 1000,
	CROWD_WAIT_MIN_MS = 500,
	CROWD_WAIT_MAX_MS = 30000,
	CROWD_SLOTS = 4096, /* of what is known of targets; those in one slot share it */
};

struct crowd_call {
	struct brake_pair pair;
	const void *caller; /* who has no other one */
	int most;	    /* of the pair at once; 0 = any number */
	int64_t since_ms;   /* now, monotonic */
};

/* Room for max calls at once, one of each worker. NULL without memory. */
struct crowd *crowd_new(size_t max);
void crowd_free(struct crowd *crowd); /* NULL is fine */

/*
 * One call more to its pair, unless as many as the pair is given are under way, or as many as those
 * that are not proven have together. False then: *ret_wait_ms says when to come again, as long as
 * the longest of them has taken so far, within CROWD_WAIT_*. The call is copied. Any thread.
 */
bool crowd_enter(struct crowd *crowd, const struct crowd_call *call, int64_t *ret_wait_ms);

enum crowd_end {
	CROWD_WELL,
	CROWD_FAILED,
	CROWD_NOTHING, /* nobody was called, or it says nothing about the target */
};

/* The caller's call is over. Any thread. */
void crowd_leave(struct crowd *crowd, const void *caller, enum crowd_end end);

#endif
