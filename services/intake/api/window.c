#include "api/window.h"

#include <stdlib.h>
#include <string.h>

enum { WAYS = 4, SETS = WINDOW_COUNTERS / WAYS, SLOTS = WINDOW_S + 1 };

/* slots[second % SLOTS] counts that second, for the SLOTS seconds up to now_s. */
struct counter {
	uint8_t key[WINDOW_KEY_BYTES];
	int64_t now_s; /* the last one looked at */
	int64_t sum;
	uint32_t slots[SLOTS];
	bool used;
};

struct window {
	struct counter sets[SETS][WAYS];
};

struct window *window_new(void)
{
	return calloc(1, sizeof(struct window));
}

void window_free(struct window *window)
{
	free(window);
}

static size_t set_of(const uint8_t *key)
{
	uint64_t hash = 1469598103934665603U; /* FNV-1a */

	for (size_t i = 0; i < WINDOW_KEY_BYTES; i++)
		hash = (hash ^ key[i]) * 1099511628211U;
	return (size_t)(hash % SETS);
}

static struct counter *find_known(struct window *window, const uint8_t *key)
{
	struct counter *set = window->sets[set_of(key)];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].used && memcmp(set[i].key, key, WINDOW_KEY_BYTES) == 0)
			return &set[i];
	return NULL;
}

static struct counter *find(struct window *window, const uint8_t *key)
{
	struct counter *set = window->sets[set_of(key)], *place = find_known(window, key);

	if (place != NULL)
		return place;
	place = set;
	for (size_t i = 0; i < WAYS; i++)
		if (!set[i].used || (place->used && set[i].now_s < place->now_s))
			place = &set[i];
	*place = (struct counter){ .used = true };
	memcpy(place->key, key, WINDOW_KEY_BYTES);
	return place;
}

/* Forgets the seconds that have grown old since the last look. */
static void advance(struct counter *counter, int64_t now_s)
{
	int64_t passed = now_s - counter->now_s;

	for (int64_t i = 1; i <= passed && i <= SLOTS; i++) {
		uint32_t *slot = &counter->slots[(counter->now_s + i) % SLOTS];
		counter->sum -= *slot;
		*slot = 0;
	}
	if (passed > 0)
		counter->now_s = now_s;
}

/* Milliseconds until at most left of those that count still do. */
static int64_t until(const struct counter *counter, int64_t left, int64_t now_ms)
{
	int64_t sum = counter->sum;

	for (int64_t second = counter->now_s - WINDOW_S; second <= counter->now_s; second++) {
		if (sum <= left)
			break;
		sum -= counter->slots[(second + SLOTS) % SLOTS];
		if (sum <= left)
			return (second + SLOTS) * 1000 - now_ms;
	}
	return 0;
}

static struct counter *look(struct window *window, const uint8_t *key, int64_t now_ms)
{
	struct counter *counter = find(window, key);

	advance(counter, now_ms / 1000);
	return counter;
}

static void count(struct counter *counter)
{
	uint32_t *slot = &counter->slots[counter->now_s % SLOTS];

	if (*slot == UINT32_MAX)
		return;
	(*slot)++;
	counter->sum++;
}

struct window_verdict window_take(
	struct window *window, const uint8_t *key, int64_t limit, int64_t now_ms)
{
	struct counter *counter = look(window, key, now_ms);
	bool passed = counter->sum < limit;

	if (passed)
		count(counter);
	return (struct window_verdict){
		.passed = passed,
		.left = counter->sum < limit ? limit - counter->sum : 0,
		.wait_ms = until(counter, limit - 1, now_ms),
		.reset_ms = counter->sum == 0 ? 0 : until(counter, counter->sum - 1, now_ms),
	};
}

void window_note(struct window *window, const uint8_t *key, int64_t now_ms)
{
	count(look(window, key, now_ms));
}

void window_return(struct window *window, const uint8_t *key, int64_t taken_ms, int64_t now_ms)
{
	struct counter *counter = find_known(window, key);
	int64_t second = taken_ms / 1000;

	if (counter == NULL)
		return;
	advance(counter, now_ms / 1000);
	uint32_t *slot = &counter->slots[second % SLOTS];
	if (counter->now_s - second >= SLOTS || *slot == 0)
		return;
	(*slot)--;
	counter->sum--;
}
