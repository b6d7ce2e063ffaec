#include "frame/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "frame/schedule_state.h"
#include "frame/schedule_take.h"
#include "frame/schedule_window.h"

/* --- life --- */

struct schedule *schedule_new(void)
{
	struct schedule *schedule = calloc(1, sizeof *schedule);
	pthread_condattr_t attr;

	if (schedule == NULL)
		return NULL;
	pthread_mutex_init(&schedule->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&schedule->changed, &attr);
	pthread_condattr_destroy(&attr);
	schedule_fair_init(&schedule->fair);
	ring_init(&schedule->overflowing);
	return schedule;
}

void schedule_free(struct schedule *schedule)
{
	if (schedule == NULL)
		return;
	schedule_revoke(schedule);
	schedule_due_done(&schedule->due);
	pthread_cond_destroy(&schedule->changed);
	pthread_mutex_destroy(&schedule->lock);
	free(schedule);
}

struct partition *schedule_assign(struct schedule *schedule, enum source_kind kind,
	const char *topic, int32_t number, int64_t fence)
{
	struct source *source = calloc(1, sizeof *source);

	if (source == NULL)
		return NULL;
	source->partition = (struct partition){
		.topic = topic, .number = number, .source = kind, .fence = fence
	};
	schedule_fair_init_source(source);
	pthread_mutex_lock(&schedule->lock);
	struct source **grown =
		realloc(schedule->sources, (schedule->source_count + 1) * sizeof *grown);
	if (grown != NULL) {
		schedule->sources = grown;
		grown[schedule->source_count++] = source;
	}
	pthread_mutex_unlock(&schedule->lock);
	if (grown == NULL) {
		free(source);
		return NULL;
	}
	return &source->partition;
}

/* --- records --- */

void schedule_lane_key(struct str key, const struct headers *headers, struct buf *out)
{
	struct str ordering = envelope_find(headers, "ce_partitionkey");

	buf_add_str(out, key);
	buf_add(out, "|", 1);
	buf_add_str(out, ordering.ptr == NULL ? key : ordering);
}

struct record *schedule_record(
	struct str key, struct str value, struct str headers, struct str lane_key)
{
	const struct str parts[] = { key, value, headers, lane_key };
	size_t bytes = sizeof(struct record) + key.len + value.len + headers.len + lane_key.len;
	struct record *record = calloc(1, bytes);

	if (record == NULL)
		return NULL;
	struct str *const copies[] = { &record->key, &record->value, &record->headers,
		&record->lane_key };
	char *to = (char *)(record + 1);
	for (size_t i = 0; i < 4; i++) {
		if (parts[i].len > 0)
			memcpy(to, parts[i].ptr, parts[i].len);
		*copies[i] = (struct str){ parts[i].ptr == NULL ? NULL : to, parts[i].len };
		to += parts[i].len;
	}
	record->link.bytes = bytes;
	return record;
}

static void count_in(struct schedule *schedule, struct record *record)
{
	struct partition *partition = record->partition;
	struct record *last = partition->last;

	record->link.prev = last;
	*(last == NULL ? &partition->first : &last->link.next) = record;
	partition->last = record;
	partition->next = record->offset + 1;
	partition->count++;
	partition->bytes += record->link.bytes;
	schedule->records++;
	schedule->bytes += record->link.bytes;
	schedule_fair_join(&schedule->fair, record);
}

/* Frees the record, and its partition when it was the last one of one that is gone. */
static void forget(struct schedule *schedule, struct record *record)
{
	struct partition *partition = record->partition;
	struct record *prev = record->link.prev, *next = record->link.next;

	schedule_fair_part(&schedule->fair, record);
	*(prev == NULL ? &partition->first : &prev->link.next) = next;
	*(next == NULL ? &partition->last : &next->link.prev) = prev;
	partition->count--;
	partition->bytes -= record->link.bytes;
	schedule->records--;
	schedule->bytes -= record->link.bytes;
	free(record);
	if (partition->gone && partition->count == 0)
		free(schedule_fair_source(partition));
}

static void make_ready(struct schedule *schedule, struct lane *lane)
{
	lane->state = LANE_READY;
	lane->due_ms = clock_mono_ms();
	schedule_fair_queue(&schedule->fair, lane);
	pthread_cond_signal(&schedule->changed);
}

/* Its first record is another one, or it has none any more. */
static void requeue(struct schedule *schedule, struct lane *lane)
{
	if (lane->state == LANE_READY) {
		schedule_fair_unqueue(lane);
		if (lane->first != NULL)
			schedule_fair_queue(&schedule->fair, lane);
	} else if (lane->state == LANE_DELAYED && lane->first == NULL) {
		schedule_due_remove(&schedule->due, lane);
	}
	if (lane->state != LANE_TAKEN && lane->first == NULL)
		schedule_lane_free(&schedule->lanes, lane);
}

void schedule_add(struct schedule *schedule, struct record *record)
{
	record->link.added_ms = clock_mono_ms();
	pthread_mutex_lock(&schedule->lock);
	count_in(schedule, record);
	struct lane *lane = schedule_lane_find(&schedule->lanes, record->lane_key);
	bool is_new = lane == NULL;
	if (is_new)
		lane = schedule_lane_make(&schedule->lanes, record->lane_key);
	schedule_lane_insert(lane, record);
	if (is_new)
		make_ready(schedule, lane);
	else if (lane->first == record)
		requeue(schedule, lane);
	schedule_window_notice(schedule, record);
	pthread_mutex_unlock(&schedule->lock);
}

void schedule_pass(struct schedule *schedule, struct partition *partition, int64_t offset)
{
	pthread_mutex_lock(&schedule->lock);
	partition->next = offset + 1;
	pthread_mutex_unlock(&schedule->lock);
}

/* The lane of a waiting record is in order again afterwards, or freed. */
static void drop(struct schedule *schedule, struct record *record)
{
	struct lane *lane = record->link.lane;
	bool was_first = lane->first == record;

	schedule_lane_remove(record);
	if (was_first)
		requeue(schedule, lane);
	forget(schedule, record);
}

/* Those in workers' hands stay until they are finished. */
static void drop_waiting(struct schedule *schedule, struct partition *partition)
{
	struct record *next;

	for (struct record *record = partition->first; record != NULL; record = next) {
		next = record->link.next;
		if (record->state == RECORD_WAITING)
			drop(schedule, record);
	}
}

void schedule_revoke(struct schedule *schedule)
{
	pthread_mutex_lock(&schedule->lock);
	for (size_t i = 0; i < schedule->source_count; i++) {
		struct source *source = schedule->sources[i];
		drop_waiting(schedule, &source->partition);
		source->partition.gone = true;
		source->overflow = NULL;
		ring_remove(&source->overflowing);
		if (source->partition.count == 0)
			free(source);
	}
	free(schedule->sources);
	schedule->sources = NULL;
	schedule->source_count = 0;
	pthread_mutex_unlock(&schedule->lock);
}

bool schedule_is_loaded(struct schedule *schedule, struct str lane_key)
{
	pthread_mutex_lock(&schedule->lock);
	const struct lane *lane = schedule_lane_find(&schedule->lanes, lane_key);
	bool loaded = lane != NULL && lane->last_parked != NULL;
	pthread_mutex_unlock(&schedule->lock);
	return loaded;
}

void schedule_drop_lane_parked(struct schedule *schedule, struct str lane_key)
{
	pthread_mutex_lock(&schedule->lock);
	const struct lane *lane = schedule_lane_find(&schedule->lanes, lane_key);
	struct record *record = lane == NULL ? NULL : lane->last_parked, *prev;
	for (; record != NULL && schedule_lane_is_parked(record); record = prev) {
		prev = record->link.prev_in_lane;
		if (record->state == RECORD_WAITING)
			drop(schedule, record);
	}
	pthread_mutex_unlock(&schedule->lock);
}

/* --- taking and giving back --- */

/* Lanes whose time has come are ready; the next due time, or INT64_MAX. */
static int64_t wake_delayed(struct schedule *schedule)
{
	int64_t now_ms = clock_mono_ms();
	struct lane *lane;

	while ((lane = schedule_due_first(&schedule->due)) != NULL && lane->due_ms <= now_ms) {
		schedule_due_remove(&schedule->due, lane);
		make_ready(schedule, lane);
	}
	return lane == NULL ? INT64_MAX : lane->due_ms;
}

static void wait_until(struct schedule *schedule, int64_t due_ms)
{
	struct timespec until = { .tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000 };

	schedule->idle++;
	if (due_ms == INT64_MAX)
		pthread_cond_wait(&schedule->changed, &schedule->lock);
	else
		pthread_cond_timedwait(&schedule->changed, &schedule->lock, &until);
	schedule->idle--;
}

size_t schedule_take(struct schedule *schedule, struct record **ret_records)
{
	size_t count = 0;

	pthread_mutex_lock(&schedule->lock);
	while (!schedule->stopped) {
		int64_t due_ms = wake_delayed(schedule);
		count = schedule_take_next(schedule, ret_records);
		if (count > 0)
			break;
		wait_until(schedule, due_ms);
	}
	/* who waits with a due time may be us: somebody else has to watch what is left */
	if (!schedule_fair_is_idle(&schedule->fair) || schedule->due.count > 0)
		pthread_cond_signal(&schedule->changed);
	pthread_mutex_unlock(&schedule->lock);
	return count;
}

/* A lane whose taken records have all come back goes where it belongs. */
static void settle_lane(struct schedule *schedule, struct lane *lane)
{
	if (--lane->taken > 0)
		return;
	lane->last_taken = NULL;
	if (lane->first == NULL) {
		schedule_lane_free(&schedule->lanes, lane);
	} else if (lane->due_ms > 0) {
		lane->state = LANE_DELAYED;
		schedule_due_add(&schedule->due, lane);
		pthread_cond_signal(&schedule->changed);
	} else {
		make_ready(schedule, lane);
	}
}

static void pay(struct record *record, enum schedule_outcome outcome)
{
	struct share *share = record->link.share;
	bool moved = record->past.overflow;

	schedule_fair_pay(record, outcome == SCHEDULE_DONE && !moved);
	record->past.overflow = false;
	if (moved) {
		share->moving--;
		share->moving_bytes -= record->link.bytes;
	}
}

void schedule_finish(struct schedule *schedule, struct record *record,
	enum schedule_outcome outcome, int64_t delay_ms)
{
	pthread_mutex_lock(&schedule->lock);
	struct lane *lane = record->link.lane;
	schedule->running--;
	pay(record, outcome);
	if (outcome == SCHEDULE_LATER && !record->partition->gone) {
		record->state = RECORD_WAITING;
		if (lane->due_ms == 0)
			lane->due_ms = clock_mono_ms() + delay_ms;
	} else {
		schedule_lane_remove(record);
		forget(schedule, record);
	}
	settle_lane(schedule, lane);
	pthread_mutex_unlock(&schedule->lock);
}

void schedule_stop(struct schedule *schedule)
{
	pthread_mutex_lock(&schedule->lock);
	schedule->stopped = true;
	pthread_cond_broadcast(&schedule->changed);
	pthread_mutex_unlock(&schedule->lock);
}

bool schedule_is_stopped(struct schedule *schedule)
{
	pthread_mutex_lock(&schedule->lock);
	bool stopped = schedule->stopped;
	pthread_mutex_unlock(&schedule->lock);
	return stopped;
}

/* --- looking --- */

int64_t schedule_watermark(struct schedule *schedule, struct partition *partition)
{
	pthread_mutex_lock(&schedule->lock);
	int64_t offset = partition->first == NULL ? partition->next : partition->first->offset;
	pthread_mutex_unlock(&schedule->lock);
	return offset;
}

bool schedule_is_full(struct schedule *schedule, struct partition *partition)
{
	pthread_mutex_lock(&schedule->lock);
	bool full = schedule_window_is_full(schedule, partition);
	pthread_mutex_unlock(&schedule->lock);
	return full;
}

bool schedule_has_room(struct schedule *schedule, struct partition *partition)
{
	pthread_mutex_lock(&schedule->lock);
	bool room = schedule_window_has_room(schedule, partition);
	pthread_mutex_unlock(&schedule->lock);
	return room;
}

static int64_t oldest_added_ms(const struct schedule *schedule)
{
	int64_t added_ms = 0;

	for (size_t i = 0; i < schedule->source_count; i++) {
		const struct record *first = schedule->sources[i]->partition.first;
		if (first != NULL && (added_ms == 0 || first->link.added_ms < added_ms))
			added_ms = first->link.added_ms;
	}
	return added_ms;
}

/* Of the first unfinished record of each source: one that never ends gets there. */
static void find_longest(const struct schedule *schedule, struct schedule_view *view)
{
	int64_t now_us = clock_mono_us();

	for (size_t i = 0; i < schedule->source_count; i++) {
		const struct record *first = schedule->sources[i]->partition.first;
		if (first == NULL || first->link.batch == NULL)
			continue;
		bool works = first->route != NULL && first->route->kind == ROUTE_WORK;
		int64_t *longest = works ? &view->longest_work_ms : &view->longest_txn_ms;
		int64_t in_hand_ms = (now_us - first->link.batch->from_us) / 1000;
		if (in_hand_ms > *longest)
			*longest = in_hand_ms;
	}
}

void schedule_look(struct schedule *schedule, struct schedule_view *ret_view)
{
	pthread_mutex_lock(&schedule->lock);
	int64_t now_ms = clock_mono_ms(), added_ms = oldest_added_ms(schedule);
	int64_t since_ms = schedule_fair_oldest_ms(&schedule->fair);
	*ret_view = (struct schedule_view){
		.records = schedule->records,
		.bytes = schedule->bytes,
		.running = schedule->running,
		.idle = schedule->idle,
		.delayed = schedule->due.count,
		.tenants = schedule->fair.flows,
		.oldest_runnable_ms = since_ms == 0 ? 0 : now_ms - since_ms,
		.oldest_unhandled_ms = added_ms == 0 ? 0 : now_ms - added_ms,
	};
	find_longest(schedule, ret_view);
	pthread_mutex_unlock(&schedule->lock);
}
