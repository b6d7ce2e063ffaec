#include "frame/brake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/*
 * Only pairs that failed have an entry: a closed brake without a failure is no entry, so the table
 * is as large as the trouble is. Sightings are a sample: each partition has SEEN_MAX places, a pair
 * may stand in WAYS of them, and the longest unseen one makes room.
 */
enum {
	BUCKETS = 1024,
	SEEN_MS = 60000,
	SEEN_MAX = 128,
	WAYS = 8,
	PARTITIONS_MAX = 1024,
	TOPIC_BYTES = 250, /* Kafka's longest name is 249 */
	STOPPED_LEAST = 2,
};

struct entry {
	struct entry *next; /* in its bucket, or among the free ones */
	struct brake_pair pair;
	struct brake brake;
	int64_t used_ms;
};

struct sighting {
	struct brake_pair pair; /* route NULL: a free place */
	int64_t seen_ms;
};

struct place {
	struct place *next;
	char topic[TOPIC_BYTES];
	int32_t partition;
	int64_t seen_ms;
	struct sighting seen[SEEN_MAX];
};

struct brake_table {
	_Atomic size_t used, open; /* entries; of them not closed: looked at without the lock */
	pthread_mutex_t lock;
	struct entry *buckets[BUCKETS];
	struct entry *unused; /* given back; behind entries[taken] is what was never used */
	size_t taken;
	struct place *places[BUCKETS];
	size_t place_count;
	struct entry entries[BRAKE_TABLE_MAX];
};

/* --- the state machine --- */

static struct brake opened(int64_t pause_ms, int64_t now_ms)
{
	return (struct brake){
		.state = BRAKE_OPEN, .pause_ms = pause_ms, .until_ms = now_ms + pause_ms
	};
}

static struct brake failed(
	struct brake brake, enum brake_event event, int64_t longest_ms, int64_t now_ms)
{
	int64_t next_ms = 2 * brake.pause_ms;

	if (brake.state == BRAKE_PROBING)
		return opened(next_ms < longest_ms ? next_ms : longest_ms, now_ms);
	if (brake.state == BRAKE_OPEN)
		return brake; /* one that was on its way when it opened */
	brake.failures++;
	if (event == BRAKE_AWAY || brake.failures >= BRAKE_FAILURES)
		return opened(BRAKE_PAUSE_MS, now_ms);
	return brake;
}

/* A probe may get lost with its partition; after the shortest pause another one goes. */
static struct brake probed(struct brake brake, int64_t now_ms)
{
	if (brake.state == BRAKE_CLOSED || now_ms < brake.until_ms)
		return brake;
	brake.state = BRAKE_PROBING;
	brake.until_ms = now_ms + BRAKE_PAUSE_MS;
	return brake;
}

/* The next record is the probe, at once. */
static struct brake untold(struct brake brake, int64_t now_ms)
{
	if (brake.state != BRAKE_PROBING)
		return brake;
	brake.state = BRAKE_OPEN;
	brake.until_ms = now_ms;
	return brake;
}

struct brake brake_next(
	struct brake brake, enum brake_event event, int64_t longest_ms, int64_t now_ms)
{
	switch (event) {
	case BRAKE_BAD:
	case BRAKE_AWAY:
		return failed(brake, event, longest_ms, now_ms);
	case BRAKE_PROBE:
		return probed(brake, now_ms);
	case BRAKE_NOTHING:
		return untold(brake, now_ms);
	case BRAKE_GOOD:
		break;
	}
	return (struct brake){ .state = BRAKE_CLOSED };
}

/* --- pairs --- */

bool brake_pair_eq(const struct brake_pair *a, const struct brake_pair *b)
{
	return tenant_eq(a->tenant, b->tenant) && id_eq(a->target, b->target) &&
	       (a->route == b->route || strcmp(a->route, b->route) == 0);
}

/* An endpoint that is mended is to be found again within a minute, whose ever it is. */
static int64_t longest_pause_ms(const struct brake_pair *pair)
{
	return id_is_nil(pair->target) ? BRAKE_PAUSE_MAX_MS : BRAKE_PAUSE_MS;
}

/* FNV-1a */
static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 16777619U;
	return hash;
}

static uint32_t pair_hash(const struct brake_pair *pair)
{
	uint32_t hash = hash_bytes(2166136261U, pair->route, strlen(pair->route));

	hash = hash_bytes(hash, &pair->tenant, sizeof pair->tenant);
	return hash_bytes(hash, &pair->target, sizeof pair->target);
}

/* --- the table --- */

struct brake_table *brake_table_new(void)
{
	struct brake_table *table = calloc(1, sizeof *table);

	if (table == NULL)
		return NULL;
	pthread_mutex_init(&table->lock, NULL);
	return table;
}

void brake_table_free(struct brake_table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (table->places[i] != NULL) {
			struct place *place = table->places[i];
			table->places[i] = place->next;
			free(place);
		}
	}
	pthread_mutex_destroy(&table->lock);
	free(table);
}

/* Where the entry hangs, or where it would. */
static struct entry **find(struct brake_table *table, const struct brake_pair *pair)
{
	struct entry **at = &table->buckets[pair_hash(pair) % BUCKETS];

	while (*at != NULL && !brake_pair_eq(&(*at)->pair, pair))
		at = &(*at)->next;
	return at;
}

static void drop(struct brake_table *table, struct entry **at)
{
	struct entry *entry = *at;

	table->used--;
	table->open -= entry->brake.state != BRAKE_CLOSED;
	*at = entry->next;
	entry->next = table->unused;
	table->unused = entry;
}

/* The table is full: every entry is in use. */
static void drop_least(struct brake_table *table)
{
	struct entry *least = &table->entries[0];

	for (size_t i = 1; i < BRAKE_TABLE_MAX; i++) {
		struct entry *entry = &table->entries[i];
		bool open = entry->brake.state != BRAKE_CLOSED;
		bool least_open = least->brake.state != BRAKE_CLOSED;
		if (open != least_open ? least_open : entry->used_ms < least->used_ms)
			least = entry;
	}
	drop(table, find(table, &least->pair));
}

static struct entry *take(struct brake_table *table)
{
	if (table->unused == NULL && table->taken < BRAKE_TABLE_MAX)
		return &table->entries[table->taken++];
	if (table->unused == NULL)
		drop_least(table);
	struct entry *entry = table->unused;
	table->unused = entry->next;
	return entry;
}

static void set(struct brake_table *table, const struct brake_pair *pair, struct brake brake,
	int64_t now_ms)
{
	struct entry **at = find(table, pair);
	bool trivial = brake.state == BRAKE_CLOSED && brake.failures == 0;

	if (*at == NULL && trivial)
		return;
	if (trivial) {
		drop(table, at);
		return;
	}
	if (*at == NULL) {
		struct entry *entry = take(table);
		at = find(table, pair); /* the end of the bucket may have moved */
		*entry = (struct entry){ .pair = *pair };
		*at = entry;
		table->used++;
	}
	table->open -= (*at)->brake.state != BRAKE_CLOSED;
	table->open += brake.state != BRAKE_CLOSED;
	(*at)->brake = brake;
	(*at)->used_ms = now_ms;
}

static struct brake get(struct brake_table *table, const struct brake_pair *pair)
{
	const struct entry *entry = *find(table, pair);

	return entry != NULL ? entry->brake : (struct brake){ .state = BRAKE_CLOSED };
}

/* Until the pause is over; while a probe is under way twice as long as it has taken so far, so that
 * those who wait for one that hangs do not come back all the time. */
static int64_t wait_of(const struct brake *brake, int64_t now_ms)
{
	int64_t left_ms = brake->until_ms - now_ms;

	if (brake->state != BRAKE_PROBING)
		return left_ms;
	int64_t wait_ms = 2 * (BRAKE_PAUSE_MS - left_ms);
	if (wait_ms < BRAKE_PROBE_WAIT_MS)
		wait_ms = BRAKE_PROBE_WAIT_MS;
	return wait_ms < left_ms ? wait_ms : left_ms;
}

bool brake_allows(struct brake_table *table, const struct brake_pair *pair, int64_t now_ms,
	int64_t *ret_wait_ms)
{
	if (table->open == 0)
		return true;
	pthread_mutex_lock(&table->lock);
	struct brake brake = get(table, pair);
	bool allowed = brake.state == BRAKE_CLOSED || now_ms >= brake.until_ms;
	if (brake.state != BRAKE_CLOSED && allowed)
		set(table, pair, brake_next(brake, BRAKE_PROBE, longest_pause_ms(pair), now_ms),
			now_ms);
	pthread_mutex_unlock(&table->lock);
	if (allowed)
		return true;
	*ret_wait_ms = wait_of(&brake, now_ms);
	return false;
}

void brake_tell(struct brake_table *table, const struct brake_pair *pair, enum brake_event event,
	int64_t now_ms)
{
	if (event != BRAKE_BAD && event != BRAKE_AWAY && table->used == 0)
		return;
	pthread_mutex_lock(&table->lock);
	set(table, pair, brake_next(get(table, pair), event, longest_pause_ms(pair), now_ms),
		now_ms);
	pthread_mutex_unlock(&table->lock);
}

size_t brake_count_open(struct brake_table *table)
{
	return table->open;
}

bool brake_is_on(struct brake_table *table, const struct brake_pair *pair)
{
	if (table->open == 0)
		return false;
	pthread_mutex_lock(&table->lock);
	bool on = get(table, pair).state != BRAKE_CLOSED;
	pthread_mutex_unlock(&table->lock);
	return on;
}

/* --- what a partition saw --- */

static struct place **find_place(struct brake_table *table, const char *topic, int32_t partition)
{
	uint32_t hash = hash_bytes(2166136261U, topic, strlen(topic)) + (uint32_t)partition;
	struct place **at = &table->places[hash % BUCKETS];

	while (*at != NULL && ((*at)->partition != partition || strcmp((*at)->topic, topic) != 0))
		at = &(*at)->next;
	return at;
}

/* Forgets the partition that saw nothing for longest. */
static void drop_place(struct brake_table *table)
{
	struct place **least = NULL;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct place **at = &table->places[i]; *at != NULL; at = &(*at)->next)
			if (least == NULL || (*at)->seen_ms < (*least)->seen_ms)
				least = at;
	if (least == NULL)
		return;
	struct place *place = *least;
	*least = place->next;
	free(place);
	table->place_count--;
}

/* NULL without memory: then nothing is seen, and nothing is stopped. */
static struct place *place_of(struct brake_table *table, const char *topic, int32_t partition)
{
	struct place *found = *find_place(table, topic, partition);

	if (found != NULL || strlen(topic) >= TOPIC_BYTES)
		return found;
	struct place *place = calloc(1, sizeof *place);
	if (place == NULL)
		return NULL;
	if (table->place_count == PARTITIONS_MAX)
		drop_place(table);
	memcpy(place->topic, topic, strlen(topic));
	place->partition = partition;
	*find_place(table, topic, partition) = place;
	table->place_count++;
	return place;
}

static void see(struct place *place, const struct brake_pair *pair, int64_t now_ms)
{
	uint32_t hash = pair_hash(pair);
	struct sighting *to = &place->seen[hash % SEEN_MAX];

	place->seen_ms = now_ms;
	for (uint32_t way = 0; way < WAYS; way++) {
		struct sighting *at = &place->seen[(hash + way) % SEEN_MAX];
		if (at->pair.route != NULL && brake_pair_eq(&at->pair, pair)) {
			at->seen_ms = now_ms;
			return;
		}
		if (at->pair.route == NULL ? to->pair.route != NULL : at->seen_ms < to->seen_ms)
			to = at;
	}
	*to = (struct sighting){ *pair, now_ms };
}

void brake_see(struct brake_table *table, const char *topic, int32_t partition,
	const struct brake_pair *pair, int64_t now_ms)
{
	pthread_mutex_lock(&table->lock);
	struct place *place = place_of(table, topic, partition);
	if (place != NULL)
		see(place, pair, now_ms);
	pthread_mutex_unlock(&table->lock);
}

/* One whose pause is over is not braked: a probe may go. */
static bool stops(
	struct brake_table *table, const struct place *place, int64_t now_ms, int64_t *ret_wait_ms)
{
	size_t seen = 0, braked = 0;
	int64_t wait_ms = INT64_MAX;

	for (size_t i = 0; i < SEEN_MAX; i++) {
		const struct sighting *at = &place->seen[i];
		if (at->pair.route == NULL || now_ms - at->seen_ms > SEEN_MS)
			continue;
		seen++;
		struct brake brake = get(table, &at->pair);
		if (brake.state == BRAKE_CLOSED || now_ms >= brake.until_ms)
			continue;
		braked++;
		if (brake.until_ms - now_ms < wait_ms)
			wait_ms = brake.until_ms - now_ms;
	}
	if (braked < STOPPED_LEAST || 2 * braked <= seen)
		return false;
	*ret_wait_ms = wait_ms;
	return true;
}

bool brake_stops(struct brake_table *table, const char *topic, int32_t partition, int64_t now_ms,
	int64_t *ret_wait_ms)
{
	bool stopped = false;

	pthread_mutex_lock(&table->lock);
	const struct place *place = *find_place(table, topic, partition);
	if (place != NULL)
		stopped = stops(table, place, now_ms, ret_wait_ms);
	pthread_mutex_unlock(&table->lock);
	return stopped;
}
