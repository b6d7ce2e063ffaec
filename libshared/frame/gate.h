/*
 * The events that this process is handling right now: one that comes twice at once, in two lanes,
 * is handled by one worker after the other, and the second finds the first in the inbox. Without
 * it both would look, find nothing, and both would handle it: the inbox's key holds the time, so
 * the database refuses neither. Other processes need no gate: a partition has one owner, and
 * records of ROUTE_WORK have their claims.
 */
#ifndef ESTEIRA_FRAME_GATE_H
#define ESTEIRA_FRAME_GATE_H

#include <stddef.h>

#include "base/id.h"

struct gate;

/* One event on its way through; the caller's, from gate_enter to gate_leave. */
struct gate_event {
	struct id id; /* set by the caller */
	struct gate_event *next;
};

/* NULL without memory. */
struct gate *gate_new(void);
void gate_free(struct gate *gate); /* nobody inside; NULL is fine */

/* Waits until none of the events is being handled by somebody else, and enters with all of them at
 * once, so that two workers never wait for each other. The same id twice among them is fine. Any
 * thread, which must not be inside. */
void gate_enter(struct gate *gate, struct gate_event *events, size_t count);

/* Leaves with the events it entered with. */
void gate_leave(struct gate *gate, struct gate_event *events, size_t count);

#endif
