/* What is read again, what waits for a decision, and what is through. */
#include "frame/consumer_state.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "frame/fence.h"
#include "frame/replay.h"
#include "port/kafka.h"

enum { REPLAYS_MS = 1000 };

static const struct replay *find_replay(const struct consumer *consumer, int64_t id)
{
	for (size_t i = 0; i < consumer->replays.list.count; i++)
		if (consumer->replays.list.items[i].id == id)
			return &consumer->replays.list.items[i];
	return NULL;
}

/* The move takes effect: its row says from where, and so does the progress row from now on. */
static struct err apply(struct consumer *consumer, const struct replay *replay)
{
	const struct replay_move move = { .group = consumer->conf.group,
		.topic = replay->topic,
		.cluster = consumer->cluster,
		.partition = replay->partition,
		.kind = replay->kind,
		.from = replay->from,
		.to = replay->to };
	struct replay row;

	arena_reset(consumer->arena);
	return replay_open(consumer->conf.pg, consumer->arena, &move, consumer->conf.outbox, &row);
}

/* A person has decided about the move of a held partition. */
static struct err let_go(struct consumer *consumer, struct consumer_owned *owned)
{
	const struct replay *replay = find_replay(consumer, owned->held_by);
	int64_t to = owned->held.otherwise;

	if (replay != NULL && replay->state == REPLAY_HELD)
		return err_ok();
	/* refused ones are not among the loaded */
	if (replay != NULL) {
		TRY(apply(consumer, replay));
		to = owned->held.start;
	}
	TRY(consumer_log_move(consumer, owned, to));
	LOG(LOG_INFO, "consumer.let_go", LOG_TEXT("topic", owned->partition->topic),
		LOG_INT("partition", owned->partition->number), LOG_INT("replay", owned->held_by),
		LOG_INT("start", to), LOG_INT("confirmed", replay != NULL));
	owned->held_by = 0;
	feed_hold(consumer->feed, owned->partition->topic, owned->partition->number, false);
	return err_ok();
}

/* While Postgres is away the old list holds: without it a record read again would be of epoch 0,
 * hence a duplicate. */
struct err consumer_replay_load(struct consumer *consumer)
{
	struct consumer_replays *replays = &consumer->replays;
	struct arena *fresh = replays->spare;
	struct replay_list list = { NULL, 0 };

	arena_reset(fresh);
	const char **topics = arena_alloc(fresh, CONSUMER_PARTITIONS_MAX * sizeof *topics);
	int32_t *numbers = arena_alloc(fresh, CONSUMER_PARTITIONS_MAX * sizeof *numbers);
	if (topics == NULL || numbers == NULL)
		return arena_overflow();
	for (size_t i = 0; i < consumer->owned_count; i++) {
		topics[i] = consumer->owned[i].partition->topic;
		numbers[i] = consumer->owned[i].partition->number;
	}
	const struct places places = { topics, numbers, consumer->owned_count };
	TRY(replay_load(consumer->conf.pg, fresh, consumer->conf.group, &places, &list));
	*replays = (struct consumer_replays){ fresh, replays->arena, list };
	return err_ok();
}

/* A rewind is over when all of it is committed. */
static struct err finish_rewinds(struct consumer *consumer)
{
	for (size_t i = 0; i < consumer->replays.list.count; i++) {
		const struct replay *replay = &consumer->replays.list.items[i];
		const struct consumer_owned *owned =
			consumer_state_find(consumer, replay->topic, replay->partition);
		if (owned == NULL || replay->kind != REPLAY_REWIND ||
			replay->state != REPLAY_OPEN || owned->committed < replay->to)
			continue;
		bool done;
		arena_reset(consumer->arena);
		TRY(replay_finish(consumer->conf.pg, consumer->arena, replay->id,
			consumer->conf.outbox, &done));
	}
	return err_ok();
}

/* An owner with nothing to commit must notice, too, that rows it counts on may be lost. */
static struct err check_timeline(struct consumer *consumer)
{
	int64_t timeline = 0;

	arena_reset(consumer->arena);
	TRY(fence_timeline(consumer->conf.pg, consumer->arena, &timeline));
	return timeline == consumer->owned[0].timeline
		       ? err_ok()
		       : err_fatal(ERR_CODE_TIMELINE_CHANGED, "the database has failed over");
}

void consumer_replay_turn(struct consumer *consumer)
{
	if (consumer->owned_count == 0 || clock_mono_ms() - consumer->times.replays_ms < REPLAYS_MS)
		return;
	struct err e = check_timeline(consumer);
	if (e.kind == ERR_OK)
		e = consumer_replay_load(consumer);
	for (size_t i = 0; i < consumer->owned_count && e.kind == ERR_OK; i++)
		if (consumer->owned[i].held_by > 0)
			e = let_go(consumer, &consumer->owned[i]);
	if (e.kind == ERR_OK)
		e = finish_rewinds(consumer);
	if (e.kind == ERR_OK)
		consumer_side_sync(consumer);
	consumer_state_tell(consumer, e);
	if (e.kind == ERR_OK)
		consumer->times.replays_ms = clock_mono_ms();
}

int64_t consumer_replay_epoch(const struct consumer *consumer, const struct kafka_record *record)
{
	struct tenant tenant = { { { 0 } } };

	if (consumer->replays.list.count == 0)
		return 0;
	(void)id_parse(record->key, &tenant.id); /* no tenant: no replay of one tenant is meant */
	return replay_epoch(
		&consumer->replays.list, record->topic, record->partition, record->offset, tenant);
}
