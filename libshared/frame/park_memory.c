#include "frame/park_memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
	SLOTS_MAX = 4096, /* partitions beyond are not remembered */
	/* longer than a transaction that has added can go on: port/pg ends a statement, and a
	 * COMMIT that waits for a standby, after 30 s, a lock wait and an idle one after 5 s */
	OPEN_MS = 60000,
};

struct slot {
	char *topic;
	int32_t partition;
	bool maybe, ring_next;
	int64_t fence;
	int64_t added_ms; /* 0 = never */
	struct tenant tenant;
	char *key; /* where the last look stopped; NULL = at the end */
};

struct park {
	char *group;
	pthread_mutex_t lock;
	struct park_view view;
	size_t count;
	struct slot slots[SLOTS_MAX];
};

struct park *park_memory_new(const char *group)
{
	struct park *park = calloc(1, sizeof *park);
	char *copy = strdup(group);

	if (park == NULL || copy == NULL) {
		free(park);
		free(copy);
		return NULL;
	}
	park->group = copy;
	pthread_mutex_init(&park->lock, NULL);
	return park;
}

void park_memory_free(struct park *park)
{
	if (park == NULL)
		return;
	for (size_t i = 0; i < park->count; i++) {
		free(park->slots[i].topic);
		free(park->slots[i].key);
	}
	pthread_mutex_destroy(&park->lock);
	free(park->group);
	free(park);
}

const char *park_memory_group(const struct park *park)
{
	return park->group;
}

/* NULL: nothing is known of it. */
static struct slot *find(struct park *park, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < park->count; i++)
		if (park->slots[i].partition == partition &&
			strcmp(park->slots[i].topic, topic) == 0)
			return &park->slots[i];
	return NULL;
}

/* NULL: there is no room to know anything of it. */
static struct slot *obtain(struct park *park, const char *topic, int32_t partition)
{
	struct slot *slot = find(park, topic, partition);
	char *copy;

	if (slot != NULL || park->count == SLOTS_MAX || (copy = strdup(topic)) == NULL)
		return slot;
	slot = &park->slots[park->count++];
	*slot = (struct slot){ .topic = copy, .partition = partition, .maybe = true };
	return slot;
}

bool park_memory_may_have(struct park *park, const char *topic, int32_t partition)
{
	pthread_mutex_lock(&park->lock);
	const struct slot *slot = find(park, topic, partition);
	bool maybe = slot == NULL || slot->maybe;
	pthread_mutex_unlock(&park->lock);
	return maybe;
}

bool park_memory_is_asked(struct park *park, const struct partition *partition)
{
	pthread_mutex_lock(&park->lock);
	struct slot *slot = obtain(park, partition->topic, partition->number);
	bool maybe = slot == NULL || slot->maybe || slot->fence != partition->fence;
	if (slot != NULL && slot->fence != partition->fence) {
		slot->fence = partition->fence;
		slot->maybe = true;
	}
	pthread_mutex_unlock(&park->lock);
	return maybe;
}

void park_memory_mark(struct park *park, const char *topic, int32_t partition, bool added)
{
	pthread_mutex_lock(&park->lock);
	struct slot *slot = obtain(park, topic, partition);
	if (slot != NULL) {
		slot->maybe = true;
		slot->added_ms = added ? clock_mono_ms() : slot->added_ms;
	}
	pthread_mutex_unlock(&park->lock);
}

bool park_memory_begin(struct park *park, struct arena *arena, const char *topic, int32_t partition,
	struct park_memory_turn *ret_turn)
{
	struct park_memory_turn turn = { .due_first = true, .began_ms = clock_mono_ms() };
	bool copied = true;

	pthread_mutex_lock(&park->lock);
	const struct slot *slot = find(park, topic, partition);
	if (slot != NULL)
		turn.due_first = !slot->ring_next;
	if (slot != NULL && slot->key != NULL) {
		turn.tenant = slot->tenant;
		turn.key = arena_strdup(arena, str_of(slot->key));
		copied = turn.key != NULL;
	}
	pthread_mutex_unlock(&park->lock);
	if (copied)
		*ret_turn = turn;
	return copied;
}

void park_memory_end(struct park *park, const char *topic, int32_t partition,
	const struct park_memory_turn *turn, bool any)
{
	char *key = turn->key == NULL ? NULL : strdup(turn->key);

	pthread_mutex_lock(&park->lock);
	struct slot *slot = obtain(park, topic, partition);
	if (slot != NULL) {
		char *old = slot->key;
		slot->tenant = turn->tenant;
		slot->key = key;
		slot->ring_next = turn->due_first;
		bool open =
			slot->added_ms != 0 && turn->began_ms - slot->added_ms < (int64_t)OPEN_MS;
		if (any || !open)
			slot->maybe = any;
		key = old;
	}
	pthread_mutex_unlock(&park->lock);
	free(key);
}

void park_memory_set_view(struct park *park, const struct park_view *view)
{
	pthread_mutex_lock(&park->lock);
	park->view = *view;
	pthread_mutex_unlock(&park->lock);
}

void park_memory_look(struct park *park, struct park_view *ret_view)
{
	pthread_mutex_lock(&park->lock);
	*ret_view = park->view;
	pthread_mutex_unlock(&park->lock);
}
