#include "frame/schedule_lane.h"

#include <stdlib.h>
#include <string.h>

uint32_t schedule_lane_hash(struct str key)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.ptr[i]) * 16777619U;
	return hash;
}

static struct lane **bucket_of(struct lanes *lanes, struct str key)
{
	return &lanes->buckets[schedule_lane_hash(key) % LANE_BUCKETS];
}

struct lane *schedule_lane_find(struct lanes *lanes, struct str key)
{
	struct lane *lane = *bucket_of(lanes, key);

	while (lane != NULL && !str_eq((struct str){ lane->key, lane->key_len }, key))
		lane = lane->next_in_bucket;
	return lane;
}

struct lane *schedule_lane_make(struct lanes *lanes, struct str key)
{
	struct lane **bucket = bucket_of(lanes, key);
	struct lane *lane = calloc(1, sizeof *lane + key.len);

	if (lane == NULL)
		abort();
	if (key.len > 0)
		memcpy(lane->key, key.ptr, key.len);
	lane->key_len = key.len;
	lane->state = LANE_TAKEN;
	ring_init(&lane->ring);
	lane->next_in_bucket = *bucket;
	*bucket = lane;
	return lane;
}

void schedule_lane_free(struct lanes *lanes, struct lane *lane)
{
	struct lane **at = bucket_of(lanes, (struct str){ lane->key, lane->key_len });

	while (*at != lane)
		at = &(*at)->next_in_bucket;
	*at = lane->next_in_bucket;
	free(lane);
}

void schedule_lane_insert(struct lane *lane, struct record *record)
{
	struct record *before = lane->last;

	if (schedule_lane_is_parked(record)) {
		before = lane->last_parked != NULL ? lane->last_parked : lane->last_taken;
		lane->last_parked = record;
	}
	struct record *after = before == NULL ? lane->first : before->link.next_in_lane;
	record->link.lane = lane;
	record->link.prev_in_lane = before;
	record->link.next_in_lane = after;
	*(before == NULL ? &lane->first : &before->link.next_in_lane) = record;
	*(after == NULL ? &lane->last : &after->link.prev_in_lane) = record;
}

void schedule_lane_remove(struct record *record)
{
	struct lane *lane = record->link.lane;
	struct record *prev = record->link.prev_in_lane, *next = record->link.next_in_lane;

	*(prev == NULL ? &lane->first : &prev->link.next_in_lane) = next;
	*(next == NULL ? &lane->last : &next->link.prev_in_lane) = prev;
	if (lane->last_parked == record)
		lane->last_parked = prev != NULL && schedule_lane_is_parked(prev) ? prev : NULL;
	if (lane->last_taken == record)
		lane->last_taken = prev;
}
