/* Partitions come and go. */
#include "frame/consumer_state.h"

#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "frame/takeover.h"
#include "port/kafka.h"

enum { ASK_MS = 5000 };

static struct err ask_both(struct consumer *consumer, struct kafka_place *places, size_t count,
	struct takeover_start *starts)
{
	struct err e = err_ok();

	arena_reset(consumer->arena);
	if (consumer->cluster[0] == '\0')
		e = kafka_consumer_cluster(consumer->kafka, ASK_MS, consumer->cluster);
	if (e.kind == ERR_OK)
		e = kafka_consumer_committed(consumer->kafka, places, count, ASK_MS);
	health_report(consumer->conf.health, HEALTH_KAFKA, e, -1);
	if (e.kind != ERR_OK)
		return e;
	const struct takeover takeover = { .pg = consumer->conf.pg,
		.arena = consumer->arena,
		.group = consumer->conf.group,
		.cluster = consumer->cluster,
		.replay_max = consumer->conf.replay_max,
		.outbox = consumer->conf.outbox };
	e = takeover_run(&takeover, places, count, starts);
	health_report(consumer->conf.health, HEALTH_POSTGRES, e, -1);
	return e;
}

static void take(
	struct consumer *consumer, struct kafka_place *place, const struct takeover_start *start)
{
	struct schedule *schedule = consumer->conf.schedule;
	struct partition *log =
		schedule_assign(schedule, SOURCE_LOG, place->topic, place->partition, start->fence);
	struct partition *parked = schedule_assign(
		schedule, SOURCE_PARKED, place->topic, place->partition, start->fence);

	place->offset = start->offset == ASSIGN_EARLIEST ? KAFKA_EARLIEST : start->offset;
	if (log == NULL || parked == NULL || consumer->owned_count == CONSUMER_PARTITIONS_MAX) {
		consumer->fatal = err_fatal(ERR_CODE_OUT_OF_MEMORY, "no room for a partition");
		return;
	}
	log->next = start->offset;
	log->doubt_ms = parked->doubt_ms = start->doubt_ms;
	/* told paused, so that the next turn resumes it: a pause outlives a reassignment in
	 * librdkafka; a held one is to be paused by that turn */
	consumer->owned[consumer->owned_count++] = (struct consumer_owned){ .partition = log,
		.committed = KAFKA_NO_OFFSET,
		.timeline = start->timeline,
		.paused = start->held_by == 0,
		.held_by = start->held_by,
		.held = { start->offset, start->otherwise },
		.suspect_to = start->suspect_to,
		.unclean = start->suspect_to > 0,
		.back_to = KAFKA_NO_OFFSET,
		.gap_from = KAFKA_NO_OFFSET };
	feed_add(consumer->feed, parked, start->suspect_to > 0);
	feed_hold(consumer->feed, place->topic, place->partition, start->held_by > 0);
}

static void nap_ms(long ms)
{
	const struct timespec span = { .tv_nsec = ms * 1000000 };

	nanosleep(&span, NULL);
}

/* Nothing can be done with a partition while Postgres or the coordinator is away, so this waits for
 * them; the group's max.poll.interval takes the partitions away if it lasts. */
static bool waits(struct consumer *consumer, struct err e)
{
	health_tick(consumer->conf.health);
	if (e.kind != ERR_RETRY || consumer->stopping)
		return false;
	LOG(LOG_WARN, "consumer.assignment_waits", LOG_ERR(e));
	nap_ms(500);
	return true;
}

static struct err take_all(struct consumer *consumer, struct kafka_place *places, size_t count,
	struct takeover_start *starts)
{
	struct err e;

	do
		e = ask_both(consumer, places, count, starts);
	while (waits(consumer, e));
	for (size_t i = 0; i < count && e.kind == ERR_OK; i++)
		take(consumer, &places[i], &starts[i]);
	if (e.kind != ERR_OK)
		return e;
	do
		e = consumer_replay_load(consumer);
	while (waits(consumer, e));
	return e;
}

void consumer_assign_given(void *arg, struct kafka_place *places, size_t count)
{
	struct consumer *consumer = arg;
	struct takeover_start *starts = calloc(count + 1, sizeof *starts);
	struct err e = starts == NULL ? err_fatal(ERR_CODE_OUT_OF_MEMORY, "no room for partitions")
				      : err_ok();

	consumer->counts.rebalances++;
	if (e.kind == ERR_OK && count > 0)
		e = take_all(consumer, places, count, starts);
	if (e.kind == ERR_FATAL || e.kind == ERR_REJECT)
		consumer->fatal = err_fatal(e.code, e.msg);
	consumer->counts.partitions = consumer->owned_count;
	arena_reset(consumer->arena);
	free(starts);
}

void consumer_assign_taken(void *arg, const struct kafka_place *places, size_t count, bool lost)
{
	struct consumer *consumer = arg;

	(void)places;
	(void)count;
	if (!lost)
		consumer_commit_turn(consumer, true);
	failpoint_reach("in_revoke");
	consumer_side_clear(consumer);
	schedule_revoke(consumer->conf.schedule);
	feed_clear(consumer->feed);
	consumer->owned_count = 0;
	consumer->counts.partitions = 0;
}
