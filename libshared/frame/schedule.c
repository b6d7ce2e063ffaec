#include "frame/schedule.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum {
	BUCKETS = 1024,
	PARTITION_RECORDS_MAX = 4000,
	PARTITION_BYTES_MAX = 4 << 20,
	TOTAL_BYTES_MAX = 16 << 20,
};

/* In the ready list, in the delayed list, or in a worker's hands; a lane without records is freed.
 */
enum lane_state { LANE_READY, LANE_DELAYED, LANE_TAKEN };

struct lane {
	struct lane *next_in_bucket;
	struct lane *next; /* in the ready or delayed list */
	struct record *first, **end;
	enum lane_state state;
	int64_t due_ms; /* DELAYED: when; READY: since when */
	size_t taken;	/* records in the worker's hands */
	size_t key_len;
	char key[];
};

struct lane_list {
	struct lane *first, **end;
};

struct schedule {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct lane *buckets[BUCKETS];
	struct lane_list ready, delayed;
	struct partition **partitions;
	size_t partition_count;
	size_t records, bytes, running;
	bool stopped;
};

static void list_add(struct lane_list *list, struct lane *lane)
{
	lane->next = NULL;
	*list->end = lane;
	list->end = &lane->next;
}

static void list_remove(struct lane_list *list, struct lane *lane)
{
	struct lane **at = &list->first;

	while (*at != lane)
		at = &(*at)->next;
	*at = lane->next;
	if (list->end == &lane->next)
		list->end = at;
}

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
	schedule->ready.end = &schedule->ready.first;
	schedule->delayed.end = &schedule->delayed.first;
	return schedule;
}

void schedule_free(struct schedule *schedule)
{
	if (schedule == NULL)
		return;
	schedule_revoke(schedule);
	pthread_cond_destroy(&schedule->changed);
	pthread_mutex_destroy(&schedule->lock);
	free(schedule);
}

struct record *schedule_record(
	struct str key, struct str value, struct str headers, struct str lane_key)
{
	const struct str parts[] = { key, value, headers, lane_key };
	struct record *record =
		calloc(1, sizeof *record + key.len + value.len + headers.len + lane_key.len);

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
	return record;
}

static size_t record_bytes(const struct record *record)
{
	return sizeof *record + record->key.len + record->value.len + record->headers.len +
	       record->lane_key.len;
}

static struct lane **bucket_of(struct schedule *schedule, struct str key)
{
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.ptr[i]) * 16777619U;
	return &schedule->buckets[hash % BUCKETS];
}

static struct lane *lane_of(struct schedule *schedule, struct str key)
{
	struct lane **bucket = bucket_of(schedule, key);

	for (struct lane *lane = *bucket; lane != NULL; lane = lane->next_in_bucket)
		if (str_eq((struct str){ lane->key, lane->key_len }, key))
			return lane;
	struct lane *lane = calloc(1, sizeof *lane + key.len);
	if (lane == NULL)
		abort(); /* a record that is neither kept nor refused would be lost */
	if (key.len > 0)
		memcpy(lane->key, key.ptr, key.len);
	lane->key_len = key.len;
	lane->end = &lane->first;
	lane->next_in_bucket = *bucket;
	*bucket = lane;
	return lane;
}

static void free_lane(struct schedule *schedule, struct lane *lane)
{
	struct lane **at = bucket_of(schedule, (struct str){ lane->key, lane->key_len });

	while (*at != lane)
		at = &(*at)->next_in_bucket;
	*at = lane->next_in_bucket;
	free(lane);
}

static void make_ready(struct schedule *schedule, struct lane *lane)
{
	lane->state = LANE_READY;
	lane->due_ms = clock_mono_ms();
	list_add(&schedule->ready, lane);
	pthread_cond_signal(&schedule->changed);
}

struct partition *schedule_assign(struct schedule *schedule, enum source_kind source,
	const char *topic, int32_t number, int64_t fence)
{
	struct partition *partition = calloc(1, sizeof *partition);

	if (partition == NULL)
		return NULL;
	*partition = (struct partition){
		.topic = topic, .number = number, .source = source, .fence = fence
	};
	pthread_mutex_lock(&schedule->lock);
	struct partition **grown = realloc(schedule->partitions,
		(schedule->partition_count + 1) * sizeof *schedule->partitions);
	if (grown == NULL) {
		free(partition);
		partition = NULL;
	} else {
		schedule->partitions = grown;
		grown[schedule->partition_count++] = partition;
	}
	pthread_mutex_unlock(&schedule->lock);
	return partition;
}

void schedule_add(struct schedule *schedule, struct record *record)
{
	struct partition *partition = record->partition;

	pthread_mutex_lock(&schedule->lock);
	struct lane *lane = lane_of(schedule, record->lane_key);
	bool was_empty = lane->first == NULL;
	record->link.lane = lane;
	*lane->end = record;
	lane->end = &record->link.next_in_lane;
	if (partition->last == NULL)
		partition->first = record;
	else
		partition->last->link.next = record;
	partition->last = record;
	partition->next = record->offset + 1;
	partition->count++;
	partition->bytes += record_bytes(record);
	schedule->records++;
	schedule->bytes += record_bytes(record);
	if (was_empty)
		make_ready(schedule, lane);
	pthread_mutex_unlock(&schedule->lock);
}

void schedule_pass(struct schedule *schedule, struct partition *partition, int64_t offset)
{
	pthread_mutex_lock(&schedule->lock);
	partition->next = offset + 1;
	pthread_mutex_unlock(&schedule->lock);
}

static void forget(struct schedule *schedule, struct record *record)
{
	record->partition->count--;
	record->partition->bytes -= record_bytes(record);
	schedule->records--;
	schedule->bytes -= record_bytes(record);
	free(record);
}

/* Frees the finished records at the front of the partition, and the partition when it is gone. */
static void advance(struct schedule *schedule, struct partition *partition)
{
	while (partition->first != NULL && partition->first->state == RECORD_DONE) {
		struct record *done = partition->first;
		partition->first = done->link.next;
		forget(schedule, done);
	}
	if (partition->first == NULL)
		partition->last = NULL;
}

static void leave_lane(struct record *record)
{
	struct lane *lane = record->link.lane;
	struct record **at = &lane->first;

	while (*at != record)
		at = &(*at)->link.next_in_lane;
	*at = record->link.next_in_lane;
	if (lane->end == &record->link.next_in_lane)
		lane->end = at;
}

/* Drops the records of a lost partition; those in workers' hands stay until they are finished. */
static void drop_waiting(struct schedule *schedule, struct partition *partition)
{
	struct record *record = partition->first;

	partition->first = partition->last = NULL;
	while (record != NULL) {
		struct record *next = record->link.next;
		struct lane *lane = record->link.lane;

		record->link.next = NULL;
		if (record->state == RECORD_RUNNING) {
			record = next;
			continue;
		}
		if (record->state == RECORD_WAITING) {
			leave_lane(record);
			if (lane->first == NULL && lane->state != LANE_TAKEN) {
				list_remove(lane->state == LANE_READY ? &schedule->ready
								      : &schedule->delayed,
					lane);
				free_lane(schedule, lane);
			}
		}
		forget(schedule, record);
		record = next;
	}
}

void schedule_revoke(struct schedule *schedule)
{
	pthread_mutex_lock(&schedule->lock);
	for (size_t i = 0; i < schedule->partition_count; i++) {
		struct partition *partition = schedule->partitions[i];
		partition->gone = true;
		drop_waiting(schedule, partition);
		if (partition->count == 0)
			free(partition);
	}
	free(schedule->partitions);
	schedule->partitions = NULL;
	schedule->partition_count = 0;
	pthread_mutex_unlock(&schedule->lock);
}

/* Moves lanes whose time has come to the ready list; the next due time, or INT64_MAX. */
static int64_t wake_delayed(struct schedule *schedule)
{
	int64_t now = clock_mono_ms(), next_due = INT64_MAX;

	for (struct lane *lane = schedule->delayed.first, *next; lane != NULL; lane = next) {
		next = lane->next;
		if (lane->due_ms <= now) {
			list_remove(&schedule->delayed, lane);
			make_ready(schedule, lane);
		} else if (lane->due_ms < next_due) {
			next_due = lane->due_ms;
		}
	}
	return next_due;
}

static void wait_until(struct schedule *schedule, int64_t due_ms)
{
	struct timespec until = { .tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000 };

	if (due_ms == INT64_MAX)
		pthread_cond_wait(&schedule->changed, &schedule->lock);
	else
		pthread_cond_timedwait(&schedule->changed, &schedule->lock, &until);
}

static bool shares_a_transaction(const struct record *record, const struct partition *partition)
{
	return record->partition == partition && record->route != NULL &&
	       record->route->kind == ROUTE_TXN;
}

/* The lane's first records as far as they may run together; at least one when alone. */
static size_t take_lane(
	struct schedule *schedule, struct lane *lane, struct record **records, size_t room)
{
	const struct partition *partition = lane->first->partition;
	bool together = shares_a_transaction(lane->first, partition);
	size_t count = 0;

	for (struct record *r = lane->first; r != NULL && count < room; r = r->link.next_in_lane) {
		if (count > 0 && !(together && shares_a_transaction(r, partition)))
			break;
		r->state = RECORD_RUNNING;
		records[count++] = r;
	}
	list_remove(&schedule->ready, lane);
	lane->state = LANE_TAKEN;
	lane->taken = count;
	lane->due_ms = 0;
	schedule->running += count;
	return count;
}

static size_t take_ready(struct schedule *schedule, struct record **records)
{
	const struct record *head = schedule->ready.first->first;
	const struct partition *partition = head->partition;
	bool together = shares_a_transaction(head, partition);
	size_t count = take_lane(schedule, schedule->ready.first, records, SCHEDULE_BATCH_MAX);
	struct lane *lane = together ? schedule->ready.first : NULL;

	while (lane != NULL && count < SCHEDULE_BATCH_MAX) {
		struct lane *next = lane->next;
		if (shares_a_transaction(lane->first, partition))
			count += take_lane(
				schedule, lane, records + count, SCHEDULE_BATCH_MAX - count);
		lane = next;
	}
	return count;
}

size_t schedule_take(struct schedule *schedule, struct record **ret_records)
{
	size_t count = 0;

	pthread_mutex_lock(&schedule->lock);
	while (!schedule->stopped) {
		int64_t due_ms = wake_delayed(schedule);
		if (schedule->ready.first != NULL) {
			count = take_ready(schedule, ret_records);
			break;
		}
		wait_until(schedule, due_ms);
	}
	/* who waits with a due time may be us: somebody else has to watch what is left */
	if (schedule->ready.first != NULL || schedule->delayed.first != NULL)
		pthread_cond_signal(&schedule->changed);
	pthread_mutex_unlock(&schedule->lock);
	return count;
}

/* A lane whose taken records have all come back goes where it belongs. */
static void settle_lane(struct schedule *schedule, struct lane *lane)
{
	if (--lane->taken > 0)
		return;
	if (lane->first == NULL) {
		free_lane(schedule, lane);
	} else if (lane->due_ms > 0) {
		lane->state = LANE_DELAYED;
		list_add(&schedule->delayed, lane);
		pthread_cond_signal(&schedule->changed);
	} else {
		make_ready(schedule, lane);
	}
}

void schedule_finish(struct schedule *schedule, struct record *record,
	enum schedule_outcome outcome, int64_t delay_ms)
{
	pthread_mutex_lock(&schedule->lock);
	struct partition *partition = record->partition;
	struct lane *lane = record->link.lane;
	schedule->running--;
	if (outcome == SCHEDULE_LATER && !partition->gone) {
		record->state = RECORD_WAITING;
		if (lane->due_ms == 0)
			lane->due_ms = clock_mono_ms() + delay_ms;
	} else {
		leave_lane(record);
		record->state = RECORD_DONE;
		if (partition->gone) {
			forget(schedule, record);
			if (partition->count == 0)
				free(partition);
		} else {
			advance(schedule, partition);
		}
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
	bool full = partition->count >= PARTITION_RECORDS_MAX ||
		    partition->bytes >= PARTITION_BYTES_MAX || schedule->bytes >= TOTAL_BYTES_MAX;
	pthread_mutex_unlock(&schedule->lock);
	return full;
}

bool schedule_has_room(struct schedule *schedule, struct partition *partition)
{
	pthread_mutex_lock(&schedule->lock);
	bool room = partition->count <= PARTITION_RECORDS_MAX / 2 &&
		    partition->bytes <= PARTITION_BYTES_MAX / 2 &&
		    schedule->bytes <= TOTAL_BYTES_MAX / 2;
	pthread_mutex_unlock(&schedule->lock);
	return room;
}

void schedule_look(struct schedule *schedule, struct schedule_view *ret_view)
{
	pthread_mutex_lock(&schedule->lock);
	*ret_view = (struct schedule_view){
		.records = schedule->records, .bytes = schedule->bytes, .running = schedule->running
	};
	for (const struct lane *lane = schedule->delayed.first; lane != NULL; lane = lane->next)
		ret_view->delayed++;
	if (schedule->ready.first != NULL)
		ret_view->oldest_runnable_ms = clock_mono_ms() - schedule->ready.first->due_ms;
	pthread_mutex_unlock(&schedule->lock);
}
