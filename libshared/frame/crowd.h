/*
 * Who is being called right now: so that endpoints that take their time get a few of a process's
 * workers and never all of them. A target begins with CROWD_FIRST calls at once and is given one
 * more by each that went well, up to its most; one that failed takes it back to where it began. Ten
 * endpoints that hang hold twenty workers, then, and not all.
 */
#ifndef ESTEIRA_FRAME_CROWD_H
#define ESTEIRA_FRAME_CROWD_H

#include "frame/brake.h"

struct crowd;

enum {
	CROWD_FIRST = 2,
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

/* Room for max calls at once. NULL without memory. */
struct crowd *crowd_new(size_t max);
void crowd_free(struct crowd *crowd); /* NULL is fine */

/*
 * One call more to its pair, unless as many as the pair is given are under way. False then:
 * *ret_wait_ms says when to come again, as long as the longest of them has taken so far, within
 * CROWD_WAIT_*. The call is copied. Any thread.
 */
bool crowd_enter(struct crowd *crowd, const struct crowd_call *call, int64_t *ret_wait_ms);

/* The caller's call is over. Any thread. */
void crowd_leave(struct crowd *crowd, const void *caller, bool went_well);

#endif
