/*
 * Doubly linked rings for the schedule: a node knows its neighbours, so it leaves in O(1) from
 * wherever it is, and a node beside itself is in no ring. The head of a list is a node like the
 * others.
 */
#ifndef ESTEIRA_FRAME_SCHEDULE_RING_H
#define ESTEIRA_FRAME_SCHEDULE_RING_H

#include <stdbool.h>

struct ring {
	struct ring *next, *prev;
};

static inline void ring_init(struct ring *ring)
{
	ring->next = ring->prev = ring;
}

/* An empty list; a node that is in none. */
static inline bool ring_is_alone(const struct ring *ring)
{
	return ring->next == ring;
}

/* As the last of the list; before `list` when that is a node. */
static inline void ring_add(struct ring *list, struct ring *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}

static inline void ring_add_first(struct ring *list, struct ring *node)
{
	ring_add(list->next, node);
}

static inline void ring_remove(struct ring *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	ring_init(node);
}

#endif
