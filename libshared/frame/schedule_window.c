#include "frame/schedule_window.h"

#include <stddef.h>

enum {
	TOTAL_BYTES_MAX = 16 << 20,
	WARM_RECORDS = 200,
	WARM_US = 20000,
	WORTH_US = 2000000, /* of work: less is done sooner than it is moved there and back */
};

/* span: offsets from the first unfinished record on, which are read again after a crash; parked
 * rows come in no order of offsets. */
static const struct limits {
	size_t records, bytes;
	int64_t span;
} limits[] = {
	[SOURCE_LOG] = { 2000, 4 << 20, 10000 },
	[SOURCE_PARKED] = { 500, 1 << 20, INT64_MAX },
	[SOURCE_SIDE] = { 500, 1 << 20, 10000 },
};

static int64_t span_of(const struct partition *partition)
{
	return partition->first == NULL ? 0 : partition->next - partition->first->offset;
}

bool schedule_window_is_full(const struct schedule *schedule, const struct partition *partition)
{
	const struct limits *max = &limits[partition->source];

	return partition->count >= max->records || partition->bytes >= max->bytes ||
	       span_of(partition) >= max->span || schedule->bytes >= TOTAL_BYTES_MAX;
}

bool schedule_window_has_room(const struct schedule *schedule, const struct partition *partition)
{
	const struct limits *max = &limits[partition->source];

	return partition->count <= max->records / 2 && partition->bytes <= max->bytes / 2 &&
	       span_of(partition) <= max->span / 2 && schedule->bytes <= TOTAL_BYTES_MAX / 2;
}

/* At least a quarter of the window, not counting so much of it. */
static bool is_much(const struct share *share, size_t count, size_t bytes)
{
	const struct limits *max = &limits[share->source->partition.source];

	return (share->count - count) * 4 >= max->records ||
	       (share->bytes - bytes) * 4 >= max->bytes;
}

bool schedule_window_is_over(const struct share *share)
{
	return is_much(share, share->moving, share->moving_bytes);
}

static void consider(struct schedule *schedule, struct share *share)
{
	struct source *source = share->source;
	const struct partition *partition = &source->partition;

	if (source->overflow != NULL || !is_much(share, 0, 0) ||
		(share->count * 2 < partition->count && share->bytes * 2 < partition->bytes))
		return;
	source->overflow = share;
	ring_add(&schedule->overflowing, &source->overflowing);
}

static void consider_all(struct schedule *schedule, struct source *source)
{
	if (source->partition.source != SOURCE_LOG)
		return;
	for (struct ring *at = source->shares.next; at != &source->shares; at = at->next)
		consider(schedule,
			(struct share *)(void *)((char *)at - offsetof(struct share, of_source)));
}

/* All shares are looked at when a window becomes full, later only the one that grows. */
void schedule_window_notice(struct schedule *schedule, const struct record *record)
{
	const struct partition *partition = record->partition;
	const struct limits *max = &limits[partition->source];
	size_t bytes = record->link.bytes;

	if (schedule->bytes >= TOTAL_BYTES_MAX && schedule->bytes - bytes < TOTAL_BYTES_MAX)
		for (size_t i = 0; i < schedule->source_count; i++)
			consider_all(schedule, schedule->sources[i]);
	if (partition->source != SOURCE_LOG ||
		(partition->count < max->records && partition->bytes < max->bytes &&
			schedule->bytes < TOTAL_BYTES_MAX))
		return;
	if (partition->count == max->records ||
		(partition->bytes >= max->bytes && partition->bytes - bytes < max->bytes))
		consider_all(schedule, record->link.share->source);
	else
		consider(schedule, record->link.share);
}

/* A fast handler that catches up fills its windows with any tenant's records and needs no moving;
 * what a record costs is a guess until the first is through. */
static bool is_worth_it(const struct schedule *schedule, const struct share *share)
{
	const struct source *source = share->source;

	/* the first batches of a process find cold caches and say little about the others */
	if (source->measured < WARM_RECORDS && source->cost_us < WARM_US && schedule->running > 0)
		return false;
	return (int64_t)(share->count - share->moving) * share->cost_us >= WORTH_US;
}

static struct share *movable(const struct schedule *schedule, struct source *source)
{
	struct share *share = source->overflow;

	if (share == NULL || !is_worth_it(schedule, share))
		return NULL;
	if (!is_much(share, 0, 0)) {
		source->overflow = NULL;
		ring_remove(&source->overflowing);
		return NULL;
	}
	bool ready = !ring_is_alone(&share->in_flow);
	return ready && schedule_window_is_over(share) ? share : NULL;
}

struct share *schedule_window_overflow(struct schedule *schedule, const struct source *source)
{
	struct ring *next;

	for (struct ring *at = schedule->overflowing.next; at != &schedule->overflowing;
		at = next) {
		struct source *full = (struct source *)(void *)((char *)at - offsetof(struct source,
										     overflowing));
		next = at->next;
		struct share *share =
			source == NULL || source == full ? movable(schedule, full) : NULL;
		if (share != NULL)
			return share;
	}
	return NULL;
}
