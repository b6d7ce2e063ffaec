#include "frame/gate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024 };

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t left;
	struct gate_event *buckets[BUCKETS];
};

struct gate *gate_new(void)
{
	struct gate *gate = calloc(1, sizeof *gate);

	if (gate == NULL)
		return NULL;
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->left, NULL);
	return gate;
}

void gate_free(struct gate *gate)
{
	if (gate == NULL)
		return;
	pthread_cond_destroy(&gate->left);
	pthread_mutex_destroy(&gate->lock);
	free(gate);
}

/* The last bytes of an id are random, or of a hash. */
static struct gate_event **bucket_of(struct gate *gate, struct id id)
{
	uint16_t tail;

	memcpy(&tail, id.bytes + sizeof id.bytes - sizeof tail, sizeof tail);
	return &gate->buckets[tail % BUCKETS];
}

static bool is_inside(struct gate *gate, struct id id)
{
	const struct gate_event *event = *bucket_of(gate, id);

	while (event != NULL && !id_eq(event->id, id))
		event = event->next;
	return event != NULL;
}

static bool any_inside(struct gate *gate, const struct gate_event *events, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_inside(gate, events[i].id))
			return true;
	return false;
}

void gate_enter(struct gate *gate, struct gate_event *events, size_t count)
{
	pthread_mutex_lock(&gate->lock);
	while (any_inside(gate, events, count))
		pthread_cond_wait(&gate->left, &gate->lock);
	for (size_t i = 0; i < count; i++) {
		struct gate_event **bucket = bucket_of(gate, events[i].id);
		events[i].next = *bucket;
		*bucket = &events[i];
	}
	pthread_mutex_unlock(&gate->lock);
}

void gate_leave(struct gate *gate, struct gate_event *events, size_t count)
{
	pthread_mutex_lock(&gate->lock);
	for (size_t i = 0; i < count; i++) {
		struct gate_event **at = bucket_of(gate, events[i].id);
		while (*at != &events[i])
			at = &(*at)->next;
		*at = events[i].next;
	}
	pthread_cond_broadcast(&gate->left);
	pthread_mutex_unlock(&gate->lock);
}
