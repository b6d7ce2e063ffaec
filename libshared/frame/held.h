/*
 * What a side replay leaves alone: a record that is parked, claimed or a dead letter is on its way
 * already, under the epoch it was first read with.
 */
#ifndef ESTEIRA_FRAME_HELD_H
#define ESTEIRA_FRAME_HELD_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/inbox.h"

struct pg;

/* Whether the group holds this event so, under another epoch than the entry's: under its own it is
 * on its way by this very replay, which a crash has interrupted. Failures: pg_query. */
struct err held_look(struct pg *pg, struct arena *arena, const char *group,
	const struct inbox_entry *entry, bool *ret_held) ERR_MUST_USE;

#endif
