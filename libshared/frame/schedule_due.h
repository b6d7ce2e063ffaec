/*
 * The lanes that wait for a due time: a binary heap, the next one on top. Under the schedule's
 * lock.
 */
#ifndef ESTEIRA_FRAME_SCHEDULE_DUE_H
#define ESTEIRA_FRAME_SCHEDULE_DUE_H

#include "frame/schedule_lane.h"

struct due {
	struct lane **heap;
	size_t count, cap;
};

void schedule_due_add(struct due *due, struct lane *lane); /* by lane->due_ms */
void schedule_due_remove(struct due *due, struct lane *lane);
struct lane *schedule_due_first(const struct due *due); /* NULL = none */
void schedule_due_done(struct due *due);

#endif
