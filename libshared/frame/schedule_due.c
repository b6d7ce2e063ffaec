#include "frame/schedule_due.h"

#include <stdlib.h>

static void place(struct due *due, size_t at, struct lane *lane)
{
	due->heap[at] = lane;
	lane->due_at = at;
}

static void rise(struct due *due, size_t at, struct lane *lane)
{
	for (; at > 0 && due->heap[(at - 1) / 2]->due_ms > lane->due_ms; at = (at - 1) / 2)
		place(due, at, due->heap[(at - 1) / 2]);
	place(due, at, lane);
}

static void sink(struct due *due, size_t at, struct lane *lane)
{
	for (size_t child; (child = 2 * at + 1) < due->count; at = child) {
		if (child + 1 < due->count &&
			due->heap[child + 1]->due_ms < due->heap[child]->due_ms)
			child++;
		if (due->heap[child]->due_ms >= lane->due_ms)
			break;
		place(due, at, due->heap[child]);
	}
	place(due, at, lane);
}

void schedule_due_add(struct due *due, struct lane *lane)
{
	if (due->count == due->cap) {
		size_t cap = due->cap == 0 ? 64 : due->cap * 2;
		struct lane **grown = realloc(due->heap, cap * sizeof *grown);
		if (grown == NULL)
			abort(); /* a lane that is in no list would never run again */
		due->heap = grown;
		due->cap = cap;
	}
	due->count++;
	rise(due, due->count - 1, lane);
}

void schedule_due_remove(struct due *due, struct lane *lane)
{
	struct lane *last = due->heap[--due->count];
	size_t at = lane->due_at;

	if (last == lane)
		return;
	if (at > 0 && due->heap[(at - 1) / 2]->due_ms > last->due_ms)
		rise(due, at, last);
	else
		sink(due, at, last);
}

struct lane *schedule_due_first(const struct due *due)
{
	return due->count == 0 ? NULL : due->heap[0];
}

void schedule_due_done(struct due *due)
{
	free(due->heap);
}
