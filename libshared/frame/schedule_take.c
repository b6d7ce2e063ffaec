#include "frame/schedule_take.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "frame/schedule_window.h"

enum {
	BATCH_US = 20000, /* what others wait for a worker; a fast handler fills a batch sooner */
	BORROW_US = BATCH_US, /* who owes more does not join the batches of others */
	VISITS_MAX = 2 * SCHEDULE_BATCH_MAX,
};

/* A batch in the making. */
struct filling {
	struct schedule *schedule;
	struct source *source;
	struct batch *batch;
	struct ring lanes;	 /* touched, in this order */
	struct ring turns, rest; /* shares that may have another turn; that may not */
	size_t count;
	int64_t left_us;
	int64_t slice_us; /* of a turn; at most slice records */
	size_t slice;
};

static struct batch *new_batch(void)
{
	struct batch *batch = calloc(1, sizeof *batch);

	if (batch == NULL)
		abort(); /* as for a lane */
	batch->from_us = clock_mono_us();
	return batch;
}

static void take_lane(struct lane *lane)
{
	ring_remove(&lane->ring);
	lane->state = LANE_TAKEN;
	lane->due_ms = 0;
}

static void take_record(
	struct schedule *schedule, struct batch *batch, struct record *record, int64_t expected_us)
{
	struct lane *lane = record->link.lane;

	record->state = RECORD_RUNNING;
	record->past.overflow = false;
	lane->last_taken = record;
	lane->taken++;
	schedule->running++;
	schedule_fair_charge(record, batch, expected_us);
}

static size_t list_records(struct lane *lane, struct record **records)
{
	struct record *record = lane->first;

	for (size_t i = 0; i < lane->taken; i++, record = record->link.next_in_lane)
		records[i] = record;
	return lane->taken;
}

/* --- one that runs alone --- */

static size_t take_alone(struct schedule *schedule, struct share *share, struct record **records)
{
	struct lane *lane = schedule_fair_first(share, SHARE_ALONE);

	take_lane(lane);
	schedule_fair_settle(share);
	take_record(schedule, new_batch(), lane->first, share->cost_us);
	return list_records(lane, records);
}

/* --- a batch --- */

/* One record of the share more; false when it has none. */
static bool draw(struct filling *f, struct share *share)
{
	struct record *record = share->open;

	if (record == NULL) {
		struct lane *lane = schedule_fair_first(share, SHARE_TOGETHER);
		if (lane == NULL)
			return false;
		take_lane(lane);
		ring_add(&f->lanes, &lane->ring);
		record = lane->first;
	}
	take_record(f->schedule, f->batch, record, share->cost_us);
	f->count++;
	f->left_us -= record->link.charged_us;
	struct record *next = record->link.next_in_lane;
	share->open = next != NULL && schedule_fair_together(next, f->source) ? next : NULL;
	return true;
}

static bool is_spent(const struct filling *f)
{
	return f->count == SCHEDULE_BATCH_MAX || f->left_us <= 0;
}

/* A few records; false when none were drawn. */
static bool draw_slice(struct filling *f, struct share *share)
{
	int64_t records = f->slice_us / share->cost_us;
	size_t drawn = 0, most = records < 1 ? 1 : (size_t)records;

	if (most > f->slice)
		most = f->slice;
	while (drawn < most && f->count < SCHEDULE_BATCH_MAX &&
		(f->count == 0 || f->left_us >= share->cost_us) && draw(f, share))
		drawn++;
	return drawn > 0;
}

static struct share *share_at(struct ring *in_source)
{
	return (struct share *)(void *)((char *)in_source - offsetof(struct share, in_source));
}

static void take_turn(struct filling *f, struct share *share)
{
	ring_remove(&share->in_source);
	bool goes_on = share->flow->credit_us > -BORROW_US && draw_slice(f, share);
	ring_add(goes_on ? &f->turns : &f->rest, &share->in_source);
}

static struct share *next_in_mix(const struct filling *f)
{
	const struct ring *mix = f->source->mix;

	if (ring_is_alone(&mix[TURN_FRESH]))
		mix++;
	return ring_is_alone(mix) ? NULL : share_at(mix->next);
}

/* Who had a turn goes behind those that had none. */
static void put_back(struct filling *f, struct ring *list)
{
	while (!ring_is_alone(list)) {
		struct share *share = share_at(list->next);
		ring_remove(&share->in_source);
		ring_add(&f->source->mix[TURN_REST], &share->in_source);
		share->open = NULL;
		schedule_fair_settle(share);
	}
}

/* Everybody gets the same part of the batch, a round of all that fit first. */
static void set_slice(struct filling *f)
{
	int64_t records = BATCH_US / f->source->cost_us;
	size_t fit = records < 1 ? 1 : (size_t)records;

	if (fit > SCHEDULE_BATCH_MAX)
		fit = SCHEDULE_BATCH_MAX;
	size_t shares = f->source->mix_count < fit ? f->source->mix_count : fit;
	shares = shares == 0 ? 1 : shares;
	f->left_us = BATCH_US;
	f->slice_us = BATCH_US / (int64_t)shares;
	f->slice = SCHEDULE_BATCH_MAX / shares;
}

static size_t take_together(
	struct schedule *schedule, struct share *leader, struct record **records)
{
	struct filling f = { .schedule = schedule, .source = leader->source, .batch = new_batch() };
	struct share *share;
	size_t count = 0;

	ring_init(&f.lanes);
	ring_init(&f.turns);
	ring_init(&f.rest);
	set_slice(&f);
	take_turn(&f, leader);
	for (int i = 0; i < VISITS_MAX && !is_spent(&f) && (share = next_in_mix(&f)) != NULL; i++)
		take_turn(&f, share);
	while (!is_spent(&f) && !ring_is_alone(&f.turns))
		take_turn(&f, share_at(f.turns.next));
	put_back(&f, &f.turns);
	put_back(&f, &f.rest);
	while (!ring_is_alone(&f.lanes)) {
		struct lane *lane = (struct lane *)f.lanes.next;
		ring_remove(&lane->ring);
		count += list_records(lane, records + count);
	}
	return count;
}

/* --- overflow --- */

static void move_record(struct schedule *schedule, struct batch *batch, struct record *record)
{
	take_record(schedule, batch, record, 0); /* not handled: what that costs says nothing */
	record->past.overflow = true;
	record->link.share->moving++;
	record->link.share->moving_bytes += record->link.bytes;
}

static size_t take_overflow(struct schedule *schedule, struct share *share, struct record **records)
{
	struct batch *batch = new_batch();
	size_t count = 0;

	for (enum share_kind kind = 0; kind < SHARE_KINDS; kind++) {
		struct lane *lane;
		while ((lane = schedule_fair_first(share, kind)) != NULL &&
			count < SCHEDULE_OVERFLOW_MAX && schedule_window_is_over(share)) {
			take_lane(lane);
			struct record *record = lane->first;
			do {
				move_record(schedule, batch, record);
				records[count++] = record;
				record = record->link.next_in_lane;
			} while (record != NULL && record->partition == &share->source->partition &&
				 count < SCHEDULE_OVERFLOW_MAX && schedule_window_is_over(share));
		}
	}
	schedule_fair_settle(share);
	return count;
}

/* Of a partition that overflows nothing else is taken while there is something to move; others get
 * their turns in between. */
size_t schedule_take_next(struct schedule *schedule, struct record **ret_records)
{
	enum share_kind kind;
	struct share *full = schedule->moved ? NULL : schedule_window_overflow(schedule, NULL);

	if (full == NULL) {
		struct share *share = schedule_fair_pick(&schedule->fair, &kind);
		if (share == NULL)
			return 0;
		full = schedule_window_overflow(schedule, share->source);
		schedule->moved = full != NULL;
		if (full == NULL)
			return kind == SHARE_ALONE ? take_alone(schedule, share, ret_records)
						   : take_together(schedule, share, ret_records);
	}
	schedule->moved = true;
	return take_overflow(schedule, full, ret_records);
}
