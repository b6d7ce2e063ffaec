#include "frame/crowd.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct under_way {
	struct crowd_call call;
	bool doubted; /* its target was not proven, or hung, when it entered */
};

struct crowd {
	pthread_mutex_t lock;
	uint8_t more[CROWD_SLOTS]; /* than CROWD_FIRST, by target; > 0: it is proven */
	size_t count, max;
	struct under_way calls[];
};

/* What a call meets: how many of a kind are under way, of its own tenant's among them, and for how
 * long the oldest has been. */
struct met {
	size_t count, of_tenant;
	int64_t longest_ms;
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

static void meet(struct met *met, int64_t age_ms, bool same_tenant)
{
	met->count++;
	met->of_tenant += same_tenant;
	if (age_ms > met->longest_ms)
		met->longest_ms = age_ms;
}

/* Those of its pair, and those that may hang: also the proven ones that have begun to. */
static void look_around(const struct crowd *crowd, const struct crowd_call *call,
	struct met *ret_own, struct met *ret_doubted)
{
	*ret_own = *ret_doubted = (struct met){ 0 };
	for (size_t i = 0; i < crowd->count; i++) {
		const struct under_way *other = &crowd->calls[i];
		int64_t age_ms = call->since_ms - other->call.since_ms;
		bool same_tenant = tenant_eq(other->call.pair.tenant, call->pair.tenant);
		if (same_tenant && brake_pair_eq(&other->call.pair, &call->pair))
			meet(ret_own, age_ms, same_tenant);
		if (other->doubted || (other->call.most > 0 && age_ms > CROWD_SLOW_MS))
			meet(ret_doubted, age_ms, same_tenant);
	}
}

/* How many doubted ones there may be for one more of its tenant's: a half, and the last quarter of
 * that is for tenants that have few. */
static size_t doubted_max(const struct crowd *crowd, const struct met *doubted)
{
	return doubted->of_tenant < CROWD_FIRST ? (crowd->max + 1) / 2 : (3 * crowd->max + 7) / 8;
}

/* Whether it goes, doubted or not; else for how long what it waits for has taken so far. */
static bool goes(struct crowd *crowd, const struct crowd_call *call, bool *ret_doubted,
	int64_t *ret_longest_ms)
{
	struct met own, doubted;
	size_t more = *slot_of(crowd, &call->pair);

	look_around(crowd, call, &own, &doubted);
	bool hangs = own.longest_ms > CROWD_SLOW_MS, is_doubted = hangs || more == 0;
	size_t given = CROWD_FIRST + (hangs ? 0 : more);
	if (own.count >= given || own.count >= (size_t)call->most) {
		*ret_longest_ms = own.longest_ms;
		return false;
	}
	if (is_doubted && doubted.count >= doubted_max(crowd, &doubted)) {
		*ret_longest_ms = doubted.longest_ms;
		return false;
	}
	*ret_doubted = is_doubted;
	return true;
}

bool crowd_enter(struct crowd *crowd, const struct crowd_call *call, int64_t *ret_wait_ms)
{
	int64_t wait_ms = 0;
	bool doubted = false;

	pthread_mutex_lock(&crowd->lock);
	bool enters = call->most == 0 || goes(crowd, call, &doubted, &wait_ms);
	if (enters) {
		assert(crowd->count < crowd->max); /* one per worker */
		crowd->calls[crowd->count++] = (struct under_way){ *call, doubted };
	}
	pthread_mutex_unlock(&crowd->lock);
	if (!enters)
		*ret_wait_ms = wait_ms < CROWD_WAIT_MIN_MS   ? CROWD_WAIT_MIN_MS
			       : wait_ms > CROWD_WAIT_MAX_MS ? CROWD_WAIT_MAX_MS
							     : wait_ms;
	return enters;
}

static void learn(struct crowd *crowd, const struct crowd_call *call, enum crowd_end end)
{
	uint8_t *more = slot_of(crowd, &call->pair);

	if (call->most == 0 || end == CROWD_NOTHING)
		return;
	if (end == CROWD_FAILED)
		*more = 0;
	else if (*more < UINT8_MAX)
		++*more;
}

void crowd_leave(struct crowd *crowd, const void *caller, enum crowd_end end)
{
	size_t i = 0;

	pthread_mutex_lock(&crowd->lock);
	while (i < crowd->count && crowd->calls[i].call.caller != caller)
		i++;
	assert(i < crowd->count);
	learn(crowd, &crowd->calls[i].call, end);
	crowd->calls[i] = crowd->calls[--crowd->count];
	pthread_mutex_unlock(&crowd->lock);
}
