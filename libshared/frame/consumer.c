#include "frame/consumer_state.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "frame/brake.h"
#include "frame/feed.h"
#include "frame/fence.h"
#include "frame/metrics.h"
#include "port/kafka.h"
#include "port/pg.h"

enum {
	POLL_MS = 20,
	TURN_MS = 10, /* the rounds over all partitions are not made for every record */
	REPLAYS_BYTES = 4 << 20,
	ARENA_BYTES = 4 << 20,
	PACKED_MAX = 64 * 1024,
};

struct consumer_owned *consumer_state_find(
	struct consumer *consumer, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < consumer->owned_count; i++)
		if (consumer->owned[i].partition->topic == topic &&
			consumer->owned[i].partition->number == partition)
			return &consumer->owned[i];
	return NULL;
}

void consumer_state_tell(struct consumer *consumer, struct err e)
{
	if (e.kind == ERR_FATAL || e.kind == ERR_REJECT)
		consumer->fatal = err_fatal(e.code, e.msg);
	else if (e.kind != ERR_OK && health_part_of(e) != HEALTH_PARTS)
		health_report(consumer->conf.health, health_part_of(e), e, -1);
}

/* --- records --- */

/* A type that nobody here handles is somebody else's: passed over. No type at all is a broken
 * record. */
static bool is_ours(struct consumer *consumer, const struct kafka_record *record,
	const struct route **ret_route)
{
	struct str type = envelope_find(&record->headers, "ce_type");

	*ret_route = route_find(consumer->conf.routes, type);
	return *ret_route != NULL || type.len == 0;
}

/* From 0 on, so that the first one is seen to come. */
static void count_passed(struct consumer *consumer)
{
	static const struct metrics_spec spec = { METRICS_COUNTER, "esteira_consumer_passed_total",
		"Records passed over because nobody here takes events of their type.",
		{ "topic", "group" }, NULL, 0 };
	const struct consumer_conf *conf = &consumer->conf;

	consumer->counts.passed = metrics_register(conf->metrics, &spec);
	for (size_t i = 0; i < conf->topic_count; i++) {
		const char *const labels[] = { conf->topics[i], conf->group };
		metrics_add(consumer->counts.passed, labels, 0);
	}
}

/* The type is anybody's text: what is said is where to look. */
static void tell_passed(struct consumer *consumer, const struct kafka_record *record)
{
	const char *const labels[] = { record->topic, consumer->conf.group };

	metrics_add(consumer->counts.passed, labels, 1);
	LOG(LOG_DEBUG, "consumer.type_not_ours", LOG_TEXT("topic", record->topic),
		LOG_INT("partition", record->partition), LOG_INT("offset", record->offset));
}

struct record *consumer_record(struct consumer *consumer, const struct kafka_record *record)
{
	struct buf packed SCOPED(buf_done) = BUF(PACKED_MAX);
	struct buf lane_key SCOPED(buf_done) = BUF(1024);
	const struct route *route;

	if (!is_ours(consumer, record, &route)) {
		tell_passed(consumer, record);
		return NULL;
	}
	envelope_pack(&record->headers, &packed);
	bool too_large = packed.overflow; /* cut short they could not be read */
	if (too_large) {
		buf_clear(&packed);
		envelope_pack_own(&record->headers, &packed);
	}
	schedule_lane_key(record->key, &record->headers, &lane_key);
	struct record *made =
		schedule_record(record->key, record->value, buf_str(&packed), buf_str(&lane_key));
	if (made == NULL) {
		consumer->fatal = err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a record");
		return NULL;
	}
	made->offset = record->offset;
	made->route = route;
	made->why = too_large ? err_reject(ERR_CODE_RECORD_TOO_LARGE, "headers over 64 KiB")
			      : err_reject(ERR_CODE_BAD_RECORD, "the record has no ce_type");
	made->past.epoch = consumer_replay_epoch(consumer, record);
	return made;
}

static void on_record(void *arg, const struct kafka_record *record)
{
	struct consumer *consumer = arg;
	struct consumer_owned *owned =
		consumer_state_find(consumer, record->topic, record->partition);

	/* held: fetched before the pause took hold; read again when it is let go */
	if (owned == NULL || owned->held_by > 0 || !consumer_log_goes_on(owned, record->offset))
		return;
	owned->sought = false;
	struct record *made = consumer_record(consumer, record);
	if (made == NULL) {
		schedule_pass(consumer->conf.schedule, owned->partition, record->offset);
		return;
	}
	made->partition = owned->partition;
	made->past.suspect = record->offset < owned->suspect_to;
	schedule_add(consumer->conf.schedule, made);
}

/* --- flow --- */

static void set_paused(struct consumer *consumer, struct consumer_owned *owned, bool paused)
{
	struct err e = kafka_consumer_pause(
		consumer->kafka, owned->partition->topic, owned->partition->number, paused);

	if (e.kind == ERR_OK)
		owned->paused = paused;
}

/* Most tenants of the partition fail: reading on would only fill parked. */
static bool is_braked(struct consumer *consumer, struct consumer_owned *owned)
{
	int64_t wait_ms;

	owned->braked = brake_count_open(consumer->conf.brakes) > 0 &&
			brake_stops(consumer->conf.brakes, owned->partition->topic,
				owned->partition->number, clock_mono_ms(), &wait_ms);
	return owned->braked;
}

static void count_still(struct consumer *consumer)
{
	struct consumer_counts *counts = &consumer->counts;
	size_t held = 0, braked = 0;

	pthread_mutex_lock(&counts->lock);
	counts->hold_count = 0;
	for (size_t i = 0; i < consumer->owned_count; i++) {
		const struct consumer_owned *owned = &consumer->owned[i];
		braked += owned->braked;
		if (owned->held_by == 0)
			continue;
		held++;
		if (counts->hold_count < CONSUMER_HOLDS_MAX)
			counts->holds[counts->hold_count++] =
				(struct consumer_hold){ owned->partition->topic,
					owned->partition->number, owned->held_by };
	}
	pthread_mutex_unlock(&counts->lock);
	counts->held = held;
	counts->braked = braked;
}

static void hold_back(struct consumer *consumer)
{
	for (size_t i = 0; i < consumer->owned_count; i++) {
		struct consumer_owned *owned = &consumer->owned[i];
		bool still = consumer->draining || owned->held_by > 0 || is_braked(consumer, owned);

		if (!owned->paused &&
			(still || schedule_is_full(consumer->conf.schedule, owned->partition)))
			set_paused(consumer, owned, true);
		else if (owned->paused && !still &&
			 schedule_has_room(consumer->conf.schedule, owned->partition))
			set_paused(consumer, owned, false);
	}
	count_still(consumer);
}

/* How long the place of a partition with records behind it has been where it is. */
static int64_t still_ms(struct consumer_owned *owned, bool behind)
{
	int64_t now = clock_mono_ms();

	if (!behind || owned->still.at != owned->committed) {
		owned->still.at = owned->committed;
		owned->still.since_ms = now;
	}
	return now - owned->still.since_ms;
}

static void measure_lag(struct consumer *consumer)
{
	int64_t lag = 0, runnable = 0, longest_ms = 0, low, high;

	for (size_t i = 0; i < consumer->owned_count; i++) {
		struct consumer_owned *owned = &consumer->owned[i];
		bool behind = kafka_consumer_watermarks(consumer->kafka, owned->partition->topic,
				      owned->partition->number, &low, &high) &&
			      owned->committed >= 0 && high > owned->committed;
		int64_t ms = still_ms(owned, behind && owned->held_by == 0);
		longest_ms = ms > longest_ms ? ms : longest_ms;
		if (!behind)
			continue;
		lag += high - owned->committed;
		if (owned->held_by == 0 && !owned->braked)
			runnable += high - owned->committed;
	}
	consumer->counts.lag = lag;
	consumer->counts.runnable = runnable;
	consumer->counts.still_ms = longest_ms;
}

/* --- life --- */

static const struct kafka_consumer_events events = { consumer_assign_given, consumer_assign_taken,
	on_record, consumer_commit_failed };

struct err consumer_open(const struct consumer_conf *conf, struct consumer **ret_consumer)
{
	struct consumer *consumer = calloc(1, sizeof *consumer);
	const struct kafka_subscription subscription = { conf->group, conf->topics,
		conf->topic_count };

	const struct feed_conf feed = { .group = conf->group,
		.routes = conf->routes,
		.schedule = conf->schedule,
		.park = conf->park,
		.pg = conf->pg };

	if (consumer == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the consumer");
	pthread_mutex_init(&consumer->counts.lock, NULL);
	consumer->conf = *conf;
	consumer->arena = arena_new(ARENA_BYTES);
	consumer->replays.arena = arena_new(REPLAYS_BYTES);
	consumer->replays.spare = arena_new(REPLAYS_BYTES);
	consumer->feed = feed_new(&feed);
	count_passed(consumer);
	struct err e = err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the consumer");
	if (consumer->arena != NULL && consumer->replays.arena != NULL &&
		consumer->replays.spare != NULL && consumer->feed != NULL)
		e = consumer_side_open(consumer);
	if (e.kind == ERR_OK)
		e = kafka_consumer_open(
			conf->kafka, &subscription, &events, consumer, &consumer->kafka);
	if (e.kind != ERR_OK) {
		consumer_free(consumer);
		return e;
	}
	*ret_consumer = consumer;
	return err_ok();
}

static void turn(struct consumer *consumer)
{
	consumer_replay_turn(consumer);
	consumer_log_turn(consumer);
	hold_back(consumer);
	consumer_side_turn(consumer);
	if (clock_mono_ms() >= consumer->times.feed_ms) {
		struct err e =
			consumer->draining ? err_ok() : feed_turn(consumer->feed, consumer->arena);
		consumer_state_tell(consumer, e);
		consumer->times.feed_ms = clock_mono_ms() + (e.kind == ERR_OK ? 0 : 1000);
	}
	if (clock_mono_ms() >= consumer->times.commit_ms)
		consumer_commit_turn(consumer, false);
	measure_lag(consumer);
	health_tick(consumer->conf.health);
}

struct err consumer_run(struct consumer *consumer)
{
	while (!consumer->stopping && consumer->fatal.kind == ERR_OK) {
		struct err e = kafka_consumer_poll(consumer->kafka, POLL_MS);
		if (e.kind != ERR_OK)
			consumer->fatal = e;
		if (clock_mono_ms() - consumer->times.turn_ms < TURN_MS)
			continue;
		consumer->times.turn_ms = clock_mono_ms();
		turn(consumer);
	}
	kafka_consumer_close(consumer->kafka); /* revokes: commits what is done */
	consumer->kafka = NULL;
	return consumer->fatal;
}

void consumer_drain(struct consumer *consumer)
{
	consumer->draining = true;
}

void consumer_stop(struct consumer *consumer)
{
	consumer->stopping = true;
}

void consumer_free(struct consumer *consumer)
{
	if (consumer == NULL)
		return;
	kafka_consumer_close(consumer->kafka);
	pthread_mutex_destroy(&consumer->counts.lock);
	consumer_side_close(consumer);
	feed_free(consumer->feed);
	arena_free(consumer->replays.arena);
	arena_free(consumer->replays.spare);
	arena_free(consumer->arena);
	free(consumer);
}

void consumer_write_holds(struct consumer *consumer, struct buf *out)
{
	struct consumer_counts *counts = &consumer->counts;

	buf_addf(out, "[");
	pthread_mutex_lock(&counts->lock);
	for (size_t i = 0; i < counts->hold_count; i++)
		buf_addf(out, "%s{\"topic\":\"%s\",\"partition\":%d,\"replay\":%lld}",
			i == 0 ? "" : ",", counts->holds[i].topic, (int)counts->holds[i].partition,
			(long long)counts->holds[i].replay);
	pthread_mutex_unlock(&counts->lock);
	buf_addf(out, "]");
}

void consumer_look(const struct consumer *consumer, struct consumer_view *ret_view)
{
	*ret_view = (struct consumer_view){ .partitions = consumer->counts.partitions,
		.lag = consumer->counts.lag,
		.runnable = consumer->counts.runnable,
		.rebalances = consumer->counts.rebalances,
		.commits = consumer->counts.commits,
		.held = consumer->counts.held,
		.braked = consumer->counts.braked,
		.cuts = consumer->counts.cuts,
		.still_ms = consumer->counts.still_ms };
}
