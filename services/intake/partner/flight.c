#include "partner/flight.h"

#include <stdlib.h>
#include <string.h>

#define TOPIC_HEAD "partner."
#define TOPIC_TAIL ".in"

/* --- slots --- */

static void free_all_slots(struct flight *flight)
{
	for (uint32_t i = 0; i < FLIGHT_MAX; i++)
		flight->slots[i] = (struct flight_slot){ .next = i + 1 };
	flight->free = 0;
	flight->used = 0;
}

static void free_slot(struct flight *flight, uint32_t slot)
{
	flight->slots[slot] = (struct flight_slot){ .next = flight->free };
	flight->free = slot;
	flight->used--;
}

struct flight *flight_new(void)
{
	struct flight *flight = calloc(1, sizeof *flight);

	if (flight != NULL)
		free_all_slots(flight);
	return flight;
}

void flight_free(struct flight *flight)
{
	if (flight == NULL)
		return;
	free(flight->places);
	free(flight);
}

/* --- partitions --- */

/* By the pointer of the topic: a total order is all that is wanted. */
static int compare(const void *one, const void *other)
{
	const struct flight_place *a = one, *b = other;
	uintptr_t x = (uintptr_t)a->topic, y = (uintptr_t)b->topic;

	if (x != y)
		return x < y ? -1 : 1;
	return (a->partition > b->partition) - (a->partition < b->partition);
}

/* False: not a topic that partners write. ret_slug takes PARTNER_SLUG_BYTES. */
static bool take_slug(const char *topic, const char *prefix, char *ret_slug)
{
	size_t head = strlen(prefix) + sizeof TOPIC_HEAD - 1, tail = sizeof TOPIC_TAIL - 1;
	size_t len = strlen(topic);

	if (len <= head + tail || len - head - tail >= PARTNER_SLUG_BYTES)
		return false;
	memcpy(ret_slug, topic + head, len - head - tail);
	ret_slug[len - head - tail] = '\0';
	return true;
}

/* Those that are done are free; of the others word will still come. */
static void forget_slots(struct flight *flight, struct flight_place *place)
{
	uint32_t slot = place->first;

	while (slot != FLIGHT_NONE) {
		uint32_t next = flight->slots[slot].next;
		flight->slots[slot].place = NULL;
		if (flight->slots[slot].done)
			free_slot(flight, slot);
		slot = next;
	}
	place->first = place->last = FLIGHT_NONE;
	place->count = 0;
}

void flight_forget(struct flight *flight)
{
	for (size_t i = 0; i < flight->place_count; i++)
		forget_slots(flight, &flight->places[i]);
	free(flight->places);
	flight->places = NULL;
	flight->place_count = 0;
}

struct err flight_assign(
	struct flight *flight, const char *prefix, const struct kafka_place *places, size_t count)
{
	struct flight_place *ours = calloc(count + 1, sizeof *ours);
	size_t taken = 0;

	if (ours == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for partitions");
	for (size_t i = 0; i < count; i++) {
		struct flight_place *place = &ours[taken];
		*place = (struct flight_place){ .topic = places[i].topic,
			.partition = places[i].partition,
			.next = -1,
			.committed = -1,
			.back_to = -1,
			.first = FLIGHT_NONE,
			.last = FLIGHT_NONE,
			.window = FLIGHT_PLACE_MAX,
			.paused = true };
		taken += place->topic != NULL && take_slug(place->topic, prefix, place->partner);
	}
	qsort(ours, taken, sizeof *ours, compare);
	flight_forget(flight);
	flight->places = ours;
	flight->place_count = taken;
	return err_ok();
}

struct flight_place *flight_find(const struct flight *flight, const char *topic, int32_t partition)
{
	const struct flight_place wanted = { .topic = topic, .partition = partition };

	if (flight->place_count == 0)
		return NULL;
	return bsearch(&wanted, flight->places, flight->place_count, sizeof wanted, compare);
}

/* --- records --- */

bool flight_is_full(const struct flight *flight)
{
	return flight->used == FLIGHT_MAX;
}

uint32_t flight_add(struct flight *flight, struct flight_place *place, int64_t offset)
{
	uint32_t slot = flight->free;

	if (flight_is_full(flight) || place->count >= place->window)
		return FLIGHT_NONE;
	flight->free = flight->slots[slot].next;
	flight->used++;
	flight->slots[slot] =
		(struct flight_slot){ .place = place, .offset = offset, .next = FLIGHT_NONE };
	if (place->last == FLIGHT_NONE)
		place->first = slot;
	else
		flight->slots[place->last].next = slot;
	place->last = slot;
	place->count++;
	place->next = offset + 1;
	place->sought = false;
	return slot;
}

static void drop_done(struct flight *flight, struct flight_place *place)
{
	while (place->first != FLIGHT_NONE && flight->slots[place->first].done) {
		uint32_t slot = place->first;
		place->first = flight->slots[slot].next;
		free_slot(flight, slot);
		place->count--;
	}
	if (place->first == FLIGHT_NONE)
		place->last = FLIGHT_NONE;
}

void flight_end(struct flight *flight, uint32_t slot)
{
	struct flight_place *place = flight->slots[slot].place;

	if (place == NULL) {
		free_slot(flight, slot);
		return;
	}
	flight->slots[slot].done = true;
	if (place->window < FLIGHT_PLACE_MAX)
		place->window *= 2;
	drop_done(flight, place);
}

static void rewind_place(struct flight *flight, struct flight_place *place, int64_t until_ms)
{
	int64_t mark = flight_mark(flight, place);

	forget_slots(flight, place);
	place->back_to = mark;
	place->next = mark;
	place->rest_until_ms = until_ms;
	place->window = 1;
}

void flight_fail(struct flight *flight, uint32_t slot, int64_t until_ms)
{
	struct flight_place *place = flight->slots[slot].place;

	if (place != NULL)
		rewind_place(flight, place, until_ms);
	free_slot(flight, slot);
}

void flight_fail_all(struct flight *flight, int64_t until_ms)
{
	for (size_t i = 0; i < flight->place_count; i++)
		if (flight->places[i].count > 0)
			rewind_place(flight, &flight->places[i], until_ms);
	free_all_slots(flight);
}

void flight_hold(struct flight_place *place, int64_t offset, int64_t until_ms)
{
	if (place->back_to >= 0)
		return;
	place->back_to = offset;
	place->rest_until_ms = until_ms;
}

bool flight_may_go_on(const struct flight *flight, const struct flight_place *place, int64_t now_ms)
{
	return now_ms >= place->rest_until_ms && place->count <= place->window / 2 &&
	       flight->used <= FLIGHT_MAX / 2;
}

int64_t flight_mark(const struct flight *flight, const struct flight_place *place)
{
	return place->first == FLIGHT_NONE ? place->next : flight->slots[place->first].offset;
}
