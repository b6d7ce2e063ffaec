#include "frame/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "port/pg.h"

enum {
	TURN_MS = 50,	    /* between two loads that found something */
	BUSY_MS = 100,	    /* after one that found again what is being worked on; doubled for */
	BUSY_MAX_MS = 400,  /* each further such one, up to this */
	IDLE_MS = 250,	    /* after one that found nothing due */
	WALK_MS = 1000,	    /* from such a one until it is made again, unless a row's time comes */
	DISCOVER_MS = 1000, /* rows that others have added */
	COUNT_MS = 5000,
	LANE_MAX = 1024,
};

struct lane_source {
	struct partition *source;
	int64_t next_ms, walk_ms, busy_ms;
	bool held, suspect;
};

struct feed {
	struct feed_conf conf;
	int64_t discovered_ms, counted_ms;
	size_t count;
	struct lane_source sources[FEED_PARTITIONS_MAX];
};

struct feed *feed_new(const struct feed_conf *conf)
{
	struct feed *feed = calloc(1, sizeof *feed);

	if (feed != NULL)
		feed->conf = *conf;
	return feed;
}

void feed_free(struct feed *feed)
{
	free(feed);
}

void feed_add(struct feed *feed, struct partition *source, bool suspect)
{
	if (feed->count < FEED_PARTITIONS_MAX)
		feed->sources[feed->count++] =
			(struct lane_source){ .source = source, .suspect = suspect };
	feed->discovered_ms = 0;
}

void feed_clear(struct feed *feed)
{
	feed->count = 0;
}

void feed_hold(struct feed *feed, const char *topic, int32_t partition, bool held)
{
	for (size_t i = 0; i < feed->count; i++)
		if (feed->sources[i].source->topic == topic &&
			feed->sources[i].source->number == partition)
			feed->sources[i].held = held;
}

/* --- rows into records --- */

static struct record *make_record(const struct feed *feed, const struct lane_source *from,
	const struct park_row *row, struct arena *arena)
{
	struct buf lane_key SCOPED(buf_done) = BUF(LANE_MAX);
	struct headers headers = { .count = 0 };

	struct err e = envelope_unpack(row->headers, arena, &headers);
	(void)e; /* a row was read once before; without its headers it has no route */
	schedule_lane_key(row->key, &headers, &lane_key);
	struct record *record =
		schedule_record(row->key, row->value, row->headers, buf_str(&lane_key));
	if (record == NULL)
		return NULL;
	record->partition = from->source;
	record->offset = row->offset;
	record->route = route_find(feed->conf.routes, envelope_find(&headers, "ce_type"));
	record->why = err_reject(ERR_CODE_UNKNOWN_TYPE, "no handler takes this event type");
	record->past = (struct record_past){ .epoch = row->epoch,
		.parked_id = row->id,
		.dead_id = row->dead_id,
		.first_ms = row->first_ms,
		.attempts = row->attempts,
		.suspect = from->suspect };
	return record;
}

/* A key whose rows are in the schedule is loaded again when they are through. -> how many are new
 */
static size_t add_rows(struct feed *feed, const struct lane_source *from, struct arena *arena,
	const struct park_rows *rows)
{
	const struct park_row *row = rows->items;
	bool skip = false;
	size_t added = 0;

	for (size_t i = 0; i < rows->count; i++, row++) {
		struct record *record = make_record(feed, from, row, arena);
		if (record == NULL)
			return added;
		bool first = i == 0 || !id_eq(row->tenant.id, row[-1].tenant.id) ||
			     strcmp(row->ordering_key, row[-1].ordering_key) != 0;
		if (first)
			skip = schedule_is_loaded(feed->conf.schedule, record->lane_key);
		if (skip) {
			free(record);
			continue;
		}
		schedule_add(feed->conf.schedule, record);
		added++;
	}
	return added;
}

/* How long the next look at it can wait. */
static int64_t pause_after(struct lane_source *from, size_t found, size_t added)
{
	if (added == found) {
		from->busy_ms = 0;
		return found > 0 ? TURN_MS : IDLE_MS;
	}
	from->busy_ms = from->busy_ms == 0 ? BUSY_MS : from->busy_ms * 2;
	if (from->busy_ms > BUSY_MAX_MS)
		from->busy_ms = BUSY_MAX_MS;
	return from->busy_ms;
}

static struct err load(struct feed *feed, struct lane_source *from, struct arena *arena)
{
	struct park_rows rows = { NULL, 0 };
	int64_t now_ms = clock_mono_ms();
	bool due = true;

	arena_reset(arena);
	if (now_ms < from->walk_ms)
		TRY(park_load_is_due(feed->conf.park, feed->conf.pg, arena, from->source, &due));
	if (due) {
		TRY(park_load(feed->conf.park, feed->conf.pg, arena, from->source, &rows));
		from->walk_ms = rows.count == 0 ? now_ms + WALK_MS : 0;
	}
	size_t added = add_rows(feed, from, arena, &rows);
	from->next_ms = clock_mono_ms() + pause_after(from, rows.count, added);
	return err_ok();
}

/* --- what others have added --- */

static struct err discover(struct feed *feed, struct arena *arena)
{
	int64_t now_ms = clock_mono_ms();
	bool count_now = now_ms - feed->counted_ms >= COUNT_MS;

	if (feed->count == 0 || now_ms - feed->discovered_ms < DISCOVER_MS)
		return err_ok();
	feed->discovered_ms = now_ms;
	arena_reset(arena);
	const char **topics = arena_alloc(arena, feed->count * sizeof *topics);
	int32_t *numbers = arena_alloc(arena, feed->count * sizeof *numbers);
	if (topics == NULL || numbers == NULL)
		return arena_overflow();
	for (size_t i = 0; i < feed->count; i++) {
		topics[i] = feed->sources[i].source->topic;
		numbers[i] = feed->sources[i].source->number;
	}
	const struct places places = { topics, numbers, feed->count };
	TRY(park_discover(feed->conf.park, feed->conf.pg, arena, &places));
	if (!count_now)
		return err_ok();
	feed->counted_ms = now_ms;
	return park_count(feed->conf.park, feed->conf.pg, arena, &places);
}

struct err feed_turn(struct feed *feed, struct arena *arena)
{
	TRY(discover(feed, arena));
	for (size_t i = 0; i < feed->count; i++) {
		struct lane_source *from = &feed->sources[i];
		if (from->held || clock_mono_ms() < from->next_ms ||
			!park_may_have(
				feed->conf.park, from->source->topic, from->source->number) ||
			!schedule_has_room(feed->conf.schedule, from->source))
			continue;
		TRY(load(feed, from, arena));
	}
	return err_ok();
}
