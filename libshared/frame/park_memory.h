/*
 * What a process remembers of the parked rows of its partitions. Split from park.c, which asks
 * Postgres. It forgets on doubt: "may have" is wrong at the price of a question, "has none" is true
 * or nobody's order is safe. So only a look that saw no row makes it say no, and not while a
 * transaction of ours that adds one may still be open; and what was known under another fence is
 * not known. All functions: any thread.
 */
#ifndef ESTEIRA_FRAME_PARK_MEMORY_H
#define ESTEIRA_FRAME_PARK_MEMORY_H

#include "frame/park.h"

/* NULL without memory. */
struct park *park_memory_new(const char *group);
void park_memory_free(struct park *park);
const char *park_memory_group(const struct park *park);

bool park_memory_may_have(struct park *park, const char *topic, int32_t partition);

/* The same under the fence of the partition. */
bool park_memory_is_asked(struct park *park, const struct partition *partition);

/* The partition has rows. added: from a transaction that has yet to commit. */
void park_memory_mark(struct park *park, const char *topic, int32_t partition, bool added);

/* One look at a partition, and where the next goes on. */
struct park_memory_turn {
	struct tenant tenant; /* the key after which to go on; key NULL: from the first */
	const char *key;
	bool due_first; /* or the ring of keys: in turn, so that neither starves the other */
	int64_t began_ms;
};

/* Before the look; key is a copy in the arena. False without memory. */
bool park_memory_begin(struct park *park, struct arena *arena, const char *topic, int32_t partition,
	struct park_memory_turn *ret_turn);

/* After it: turn names where the next begins. any: it saw a row. */
void park_memory_end(struct park *park, const char *topic, int32_t partition,
	const struct park_memory_turn *turn, bool any);

void park_memory_set_view(struct park *park, const struct park_view *view);
void park_memory_look(struct park *park, struct park_view *ret_view);

#endif
