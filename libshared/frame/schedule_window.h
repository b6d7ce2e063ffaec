/*
 * Windows: how much of a source may be in memory, and whose records are moved out of one that a
 * single tenant fills. Under the schedule's lock.
 */
#ifndef ESTEIRA_FRAME_SCHEDULE_WINDOW_H
#define ESTEIRA_FRAME_SCHEDULE_WINDOW_H

#include "frame/schedule_state.h"

bool schedule_window_is_full(const struct schedule *schedule, const struct partition *partition);
bool schedule_window_has_room(const struct schedule *schedule, const struct partition *partition);

/* A record was counted: finds out whether somebody fills a window that is full now. */
void schedule_window_notice(struct schedule *schedule, const struct record *record);

/* The share to move records of next, from this source (NULL = any); NULL = none, or what is left of
 * it cannot be taken now. */
struct share *schedule_window_overflow(struct schedule *schedule, const struct source *source);

/* Whether more of it has to go than what is moving already. */
bool schedule_window_is_over(const struct share *share);

#endif
