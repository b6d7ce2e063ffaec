#include "frame/crowd.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct crowd {
	pthread_mutex_t lock;
	uint8_t more[CROWD_SLOTS]; /* than CROWD_FIRST, by target */
	size_t count, max;
	struct crowd_call calls[];
};

struct crowd *crowd_new(size_t max)
{
	struct crowd *crowd = calloc(1, sizeof *crowd + max * sizeof crowd->calls[0]);

	if (crowd == NULL)
		return NULL;
	pthread_mutex_init(&crowd->lock, NULL);
	crowd->max = max;
	return crowd;
}

void crowd_free(struct crowd *crowd)
{
	if (crowd == NULL)
		return;
	pthread_mutex_destroy(&crowd->lock);
	free(crowd);
}

/* Ids are random in their last bytes. */
static uint8_t *slot_of(struct crowd *crowd, const struct brake_pair *pair)
{
	const uint8_t *id = pair->target.bytes;

	return &crowd->more[((size_t)id[14] << 8 | id[15]) % CROWD_SLOTS];
}

/* How many of its pair are under way, and for how long the oldest has been. */
static int count_calls(
	const struct crowd *crowd, const struct crowd_call *call, int64_t *ret_longest_ms)
{
	int count = 0;

	*ret_longest_ms = 0;
	for (size_t i = 0; i < crowd->count; i++) {
		if (!brake_pair_eq(&crowd->calls[i].pair, &call->pair))
			continue;
		count++;
		if (call->since_ms - crowd->calls[i].since_ms > *ret_longest_ms)
			*ret_longest_ms = call->since_ms - crowd->calls[i].since_ms;
	}
	return count;
}

bool crowd_enter(struct crowd *crowd, const struct crowd_call *call, int64_t *ret_wait_ms)
{
	int64_t wait_ms = 0;

	pthread_mutex_lock(&crowd->lock);
	int given = CROWD_FIRST + *slot_of(crowd, &call->pair);
	bool enters = call->most == 0 || count_calls(crowd, call, &wait_ms) <
						 (given < call->most ? given : call->most);
	if (enters) {
		assert(crowd->count < crowd->max); /* one per worker */
		crowd->calls[crowd->count++] = *call;
	}
	pthread_mutex_unlock(&crowd->lock);
	if (!enters)
		*ret_wait_ms = wait_ms < CROWD_WAIT_MIN_MS   ? CROWD_WAIT_MIN_MS
			       : wait_ms > CROWD_WAIT_MAX_MS ? CROWD_WAIT_MAX_MS
							     : wait_ms;
	return enters;
}

void crowd_leave(struct crowd *crowd, const void *caller, bool went_well)
{
	size_t i = 0;

	pthread_mutex_lock(&crowd->lock);
	while (i < crowd->count && crowd->calls[i].caller != caller)
		i++;
	assert(i < crowd->count);
	uint8_t *more = slot_of(crowd, &crowd->calls[i].pair);
	if (!went_well)
		*more = 0;
	else if (CROWD_FIRST + *more < crowd->calls[i].most && *more < UINT8_MAX)
		++*more;
	crowd->calls[i] = crowd->calls[--crowd->count];
	pthread_mutex_unlock(&crowd->lock);
}
