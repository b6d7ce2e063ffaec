/*
 * What a side replay leaves alone: a record that is parked, claimed or a dead letter is on its way
 * already, under the epoch it was first read with.
 */
#ifndef ESTEIRA_FRAME_HELD_H
#define ESTEIRA_FRAME_HELD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"

struct pg;

/* Whether the group holds this event so. Failures: pg_query. */
struct err held_look(struct pg *pg, struct arena *arena, const char *group, struct id event_id,
	bool *ret_held) ERR_MUST_USE;

#endif
