/* How far we are: progress rows first, then Kafka. */
#include "frame/consumer_state.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "frame/assign.h"
#include "frame/fence.h"
#include "frame/journal.h"
#include "port/kafka.h"
#include "port/pg.h"

enum {
	COMMIT_MS = 100, /* at most this long behind: a slow commit is phantom lag to KEDA */
	PAUSE_MS = 1000, /* after a failure */
};

/* With nothing unfinished the position counts: it also steps over control records. */
static int64_t commit_point(struct consumer *consumer, const struct consumer_owned *owned)
{
	int64_t mark = schedule_watermark(consumer->conf.schedule, owned->partition), low, high;
	const char *topic = owned->partition->topic;

	if (mark != owned->partition->next || owned->sought || owned->back_to != KAFKA_NO_OFFSET)
		return mark;
	int64_t position =
		kafka_consumer_position(consumer->kafka, topic, owned->partition->number);
	if (position > mark)
		return position;
	/* one that never had a record: without a commit KEDA would see a lag of 1 for ever */
	if (mark < 0 &&
		kafka_consumer_watermarks(
			consumer->kafka, topic, owned->partition->number, &low, &high) &&
		high == 0)
		return 0;
	return mark;
}

/* The epoch a commit speaks of: that of the rewind it is inside of. */
static int64_t epoch_at(
	const struct consumer *consumer, const struct partition *partition, int64_t offset)
{
	const struct tenant nobody = { { { 0 } } };

	return replay_epoch(
		&consumer->replays.list, partition->topic, partition->number, offset, nobody);
}

/* The places that moved since their last commit; all that are known when it is the last. */
static size_t collect(struct consumer *consumer, struct kafka_place *places, struct fence *fences,
	bool last, bool *ret_drained)
{
	size_t count = 0;

	*ret_drained = true;
	for (size_t i = 0; i < consumer->owned_count; i++) {
		const struct consumer_owned *owned = &consumer->owned[i];
		int64_t point = commit_point(consumer, owned);

		if (point < owned->partition->next)
			*ret_drained = false;
		/* held: the operator's commit stays, so that a new owner finds the same move */
		if (point < 0 || (point == owned->committed && !last) || owned->held_by > 0)
			continue;
		places[count] = (struct kafka_place){ .topic = owned->partition->topic,
			.partition = owned->partition->number,
			.offset = point };
		assign_metadata(consumer->cluster, epoch_at(consumer, owned->partition, point),
			places[count].metadata, sizeof places[count].metadata);
		fences[count] = (struct fence){ .topic = owned->partition->topic,
			.partition = owned->partition->number,
			.number = owned->partition->fence,
			.timeline = owned->timeline,
			.next_offset = point,
			.cluster = consumer->cluster };
		count++;
	}
	return count;
}

static void note_committed(
	struct consumer *consumer, const struct kafka_place *places, size_t count)
{
	for (size_t i = 0; i < count; i++)
		consumer_state_find(consumer, places[i].topic, places[i].partition)->committed =
			places[i].offset;
	consumer->counts.commits += (int64_t)count;
}

/* Those that were in hand when the last owner died are through. */
static struct err forget_suspects(struct consumer *consumer)
{
	for (size_t i = 0; i < consumer->owned_count; i++) {
		struct consumer_owned *owned = &consumer->owned[i];
		if (owned->suspect_to == 0 || owned->committed < owned->suspect_to)
			continue;
		const struct journal_place place = { consumer->conf.group, owned->partition->topic,
			owned->partition->number };
		TRY(journal_forget(consumer->conf.pg, &place, owned->committed));
		TRY(pg_sync(consumer->conf.pg));
		owned->suspect_to = 0;
	}
	return err_ok();
}

/* Progress first, then Kafka: what Kafka says is never ahead of what is true. */
static struct err commit(struct consumer *consumer, bool last)
{
	bool drained;

	if (consumer->owned_count == 0)
		return err_ok();
	arena_reset(consumer->arena);
	struct kafka_place *places =
		arena_alloc(consumer->arena, consumer->owned_count * sizeof *places);
	struct fence *fences = arena_alloc(consumer->arena, consumer->owned_count * sizeof *fences);
	if (places == NULL || fences == NULL)
		return arena_overflow();
	size_t count = collect(consumer, places, fences, last, &drained);
	bool due = clock_mono_ms() - consumer->times.commit_ms >= COMMIT_MS;
	if (count == 0 || !(due || drained || last))
		return err_ok();
	consumer->times.commit_ms = clock_mono_ms();
	for (size_t i = 0; i < count; i++)
		fences[i].clean = last;
	TRY(fence_progress(
		consumer->conf.pg, consumer->arena, consumer->conf.group, fences, count));
	failpoint_reach("before_kafka_commit");
	TRY(kafka_consumer_commit(consumer->kafka, places, count, last));
	note_committed(consumer, places, count);
	return forget_suspects(consumer);
}

/* Not at every turn. */
static void pause_commits(struct consumer *consumer)
{
	consumer->times.commit_ms = clock_mono_ms() + PAUSE_MS;
}

void consumer_commit_turn(struct consumer *consumer, bool last)
{
	struct err e = commit(consumer, last);

	consumer_state_tell(consumer, e);
	if (e.kind != ERR_OK)
		pause_commits(consumer);
}

/* Nothing may come that would move the partition again: what Kafka does not know would be a lag for
 * ever. */
void consumer_commit_failed(void *arg, const struct kafka_place *places, size_t count, struct err e)
{
	struct consumer *consumer = arg;

	LOG(LOG_WARN, "consumer.commit_failed", LOG_INT("partitions", (int64_t)count), LOG_ERR(e));
	for (size_t i = 0; i < count; i++) {
		struct consumer_owned *owned =
			consumer_state_find(consumer, places[i].topic, places[i].partition);
		if (owned != NULL)
			owned->committed = KAFKA_NO_OFFSET;
	}
	pause_commits(consumer);
}
