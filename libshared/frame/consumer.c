#include "frame/consumer.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "frame/assign.h"
#include "frame/fence.h"
#include "port/kafka.h"
#include "port/pg.h"

enum {
	POLL_MS = 20,
	TURN_MS = 10,	 /* the rounds over all partitions are not made for every record */
	COMMIT_MS = 100, /* at most this long behind: a slow commit is phantom lag to KEDA */
	ASK_MS = 5000,
	PARTITIONS_MAX = 1024,
	ARENA_BYTES = 4 << 20,
	PACKED_MAX = 64 * 1024,
};

/* A partition we own, as the poll thread sees it. */
struct owned {
	struct partition *partition;
	int64_t committed;
	bool paused;
};

/* What other threads may look at. */
struct counts {
	_Atomic size_t partitions, rebalances;
	_Atomic int64_t lag, commits;
};

struct consumer {
	struct consumer_conf conf;
	struct kafka_consumer *kafka;
	struct arena *arena;
	char cluster[64];
	struct owned owned[PARTITIONS_MAX];
	size_t owned_count;
	int64_t last_commit_ms, last_turn_ms;
	struct err fatal;
	_Atomic bool draining, stopping;
	struct counts counts;
};

static struct owned *find_owned(struct consumer *consumer, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < consumer->owned_count; i++)
		if (consumer->owned[i].partition->topic == topic &&
			consumer->owned[i].partition->number == partition)
			return &consumer->owned[i];
	return NULL;
}

/* --- assignment --- */

static struct err ask_kafka(struct consumer *consumer, struct kafka_place *places, size_t count)
{
	if (consumer->cluster[0] == '\0')
		TRY(kafka_consumer_cluster(consumer->kafka, ASK_MS, consumer->cluster));
	return kafka_consumer_committed(consumer->kafka, places, count, ASK_MS);
}

static struct err ask_postgres(struct consumer *consumer, const struct kafka_place *places,
	size_t count, struct fence **ret_fences)
{
	struct fence *fences = arena_alloc(consumer->arena, count * sizeof *fences);

	if (fences == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		fences[i] = (struct fence){ .topic = places[i].topic,
			.partition = places[i].partition };
	TRY(fence_raise(consumer->conf.pg, consumer->arena, consumer->conf.group, fences, count));
	*ret_fences = fences;
	return err_ok();
}

static struct err ask_both(struct consumer *consumer, struct kafka_place *places, size_t count,
	struct fence **ret_fences)
{
	arena_reset(consumer->arena);
	struct err e = ask_kafka(consumer, places, count);
	health_report(consumer->conf.health, HEALTH_KAFKA, e, -1);
	if (e.kind != ERR_OK)
		return e;
	e = ask_postgres(consumer, places, count, ret_fences);
	health_report(consumer->conf.health, HEALTH_POSTGRES, e, -1);
	return e;
}

static void log_assignment(const struct consumer *consumer, const struct kafka_place *place,
	struct assign_decision decision)
{
	bool usual = decision.what == ASSIGN_RESUME || decision.what == ASSIGN_FRESH ||
		     decision.what == ASSIGN_SAME;

	LOG(usual ? LOG_DEBUG : LOG_WARN, "consumer.assigned",
		LOG_TEXT("group", consumer->conf.group), LOG_TEXT("topic", place->topic),
		LOG_INT("partition", place->partition), LOG_INT("committed", place->offset),
		LOG_INT("start", decision.start),
		LOG_TEXT("case", assign_case_name(decision.what)));
}

static void take_over(
	struct consumer *consumer, struct kafka_place *place, const struct fence *fence)
{
	const struct assign_input input = {
		.has_commit = place->offset >= 0,
		.has_progress = fence->has_progress,
		.commit = place->offset,
		.progress = fence->next_offset,
		.metadata = str_of(place->metadata),
		.cluster = str_of(consumer->cluster),
		.row_cluster = str_of(fence->cluster),
	};
	struct assign_decision decision = assign_decide(&input);
	struct partition *partition = schedule_assign(
		consumer->conf.schedule, SOURCE_LOG, place->topic, place->partition, fence->number);

	log_assignment(consumer, place, decision);
	if (partition == NULL || consumer->owned_count == PARTITIONS_MAX) {
		consumer->fatal = err_fatal(ERR_CODE_OUT_OF_MEMORY, "no room for a partition");
		return;
	}
	partition->next = decision.start;
	consumer->owned[consumer->owned_count++] =
		(struct owned){ .partition = partition, .committed = KAFKA_NO_OFFSET };
	place->offset = decision.start == ASSIGN_EARLIEST ? KAFKA_EARLIEST : decision.start;
}

static void nap_ms(long ms)
{
	const struct timespec span = { .tv_nsec = ms * 1000000 };

	nanosleep(&span, NULL);
}

/* Nothing can be done with a partition while Postgres or the coordinator is away, so this waits for
 * them; the group's max.poll.interval takes the partitions away if it lasts. */
static void on_assigned(void *arg, struct kafka_place *places, size_t count)
{
	struct consumer *consumer = arg;
	struct fence *fences = NULL;
	struct err e = err_retry(ERR_CODE_TRY_AGAIN, "not asked yet");

	consumer->counts.rebalances++;
	while (count > 0 && e.kind == ERR_RETRY && !consumer->stopping) {
		e = ask_both(consumer, places, count, &fences);
		health_tick(consumer->conf.health);
		if (e.kind == ERR_RETRY) {
			LOG(LOG_WARN, "consumer.assignment_waits", LOG_ERR(e));
			nap_ms(500);
		}
	}
	if (count == 0 || e.kind != ERR_OK) {
		if (e.kind == ERR_FATAL || e.kind == ERR_REJECT)
			consumer->fatal = err_fatal(e.code, e.msg);
		return;
	}
	for (size_t i = 0; i < count; i++)
		take_over(consumer, &places[i], &fences[i]);
	consumer->counts.partitions = consumer->owned_count;
	arena_reset(consumer->arena);
}

/* --- records --- */

static void make_lane_key(const struct kafka_record *record, struct buf *out)
{
	struct str ordering = envelope_find(&record->headers, "ce_partitionkey");

	buf_add_str(out, record->key);
	buf_add(out, "|", 1);
	buf_add_str(out, ordering.ptr == NULL ? record->key : ordering);
}

/* A type that nobody here handles is somebody else's: passed over. No type at all is a broken
 * record. */
static bool is_ours(struct consumer *consumer, const struct kafka_record *record,
	const struct route **ret_route)
{
	struct str type = envelope_find(&record->headers, "ce_type");

	*ret_route = route_find(consumer->conf.routes, type);
	return *ret_route != NULL || type.len == 0;
}

static void on_record(void *arg, const struct kafka_record *record)
{
	struct consumer *consumer = arg;
	struct owned *owned = find_owned(consumer, record->topic, record->partition);
	struct buf packed = BUF(PACKED_MAX), lane_key = BUF(1024);
	const struct route *route;

	if (owned == NULL || !is_ours(consumer, record, &route)) {
		if (owned != NULL)
			schedule_pass(consumer->conf.schedule, owned->partition, record->offset);
		return;
	}
	envelope_pack(&record->headers, &packed);
	if (packed.overflow) /* cut short they could not be read; without any it is a broken record
			      */
		buf_clear(&packed);
	make_lane_key(record, &lane_key);
	struct record *made =
		schedule_record(record->key, record->value, buf_str(&packed), buf_str(&lane_key));
	if (made == NULL) {
		consumer->fatal = err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a record");
	} else {
		made->partition = owned->partition;
		made->offset = record->offset;
		made->route = route;
		made->why = err_reject(ERR_CODE_BAD_RECORD, "the record has no ce_type");
		schedule_add(consumer->conf.schedule, made);
	}
	buf_done(&packed);
	buf_done(&lane_key);
}

static void on_out_of_range(void *arg, const char *topic, int32_t partition)
{
	struct consumer *consumer = arg;
	struct owned *owned = find_owned(consumer, topic, partition);
	struct kafka_place place = {
		.topic = topic, .partition = partition, .offset = KAFKA_EARLIEST
	};

	if (owned == NULL)
		return;
	LOG(LOG_ERROR, "consumer.data_loss", LOG_TEXT("topic", topic),
		LOG_INT("partition", partition), LOG_INT("wanted", owned->partition->next));
	struct err e = kafka_consumer_seek(consumer->kafka, &place);
	if (e.kind != ERR_OK)
		LOG(LOG_WARN, "consumer.seek_failed", LOG_ERR(e));
}

/* --- flow --- */

static void set_paused(struct consumer *consumer, struct owned *owned, bool paused)
{
	struct err e = kafka_consumer_pause(
		consumer->kafka, owned->partition->topic, owned->partition->number, paused);

	if (e.kind == ERR_OK)
		owned->paused = paused;
}

static void hold_back(struct consumer *consumer)
{
	for (size_t i = 0; i < consumer->owned_count; i++) {
		struct owned *owned = &consumer->owned[i];
		bool full = schedule_is_full(consumer->conf.schedule, owned->partition);

		if (!owned->paused && (full || consumer->draining))
			set_paused(consumer, owned, true);
		else if (owned->paused && !consumer->draining &&
			 schedule_has_room(consumer->conf.schedule, owned->partition))
			set_paused(consumer, owned, false);
	}
}

/* --- commits --- */

/* With nothing unfinished the position counts: it also steps over control records. */
static int64_t commit_point(struct consumer *consumer, const struct owned *owned)
{
	int64_t mark = schedule_watermark(consumer->conf.schedule, owned->partition);

	if (mark != owned->partition->next)
		return mark;
	int64_t position = kafka_consumer_position(
		consumer->kafka, owned->partition->topic, owned->partition->number);
	return position > mark ? position : mark;
}

/* The places that moved since their last commit. */
static size_t collect(struct consumer *consumer, struct kafka_place *places, struct fence *fences,
	bool *ret_drained)
{
	size_t count = 0;

	*ret_drained = true;
	for (size_t i = 0; i < consumer->owned_count; i++) {
		const struct owned *owned = &consumer->owned[i];
		int64_t point = commit_point(consumer, owned);

		if (point < owned->partition->next)
			*ret_drained = false;
		if (point < 0 || point == owned->committed)
			continue;
		places[count] = (struct kafka_place){ .topic = owned->partition->topic,
			.partition = owned->partition->number,
			.offset = point };
		assign_metadata(consumer->cluster, 0, places[count].metadata,
			sizeof places[count].metadata);
		fences[count] = (struct fence){ .topic = owned->partition->topic,
			.partition = owned->partition->number,
			.number = owned->partition->fence,
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
		find_owned(consumer, places[i].topic, places[i].partition)->committed =
			places[i].offset;
	consumer->counts.commits += (int64_t)count;
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
	size_t count = collect(consumer, places, fences, &drained);
	bool due = clock_mono_ms() - consumer->last_commit_ms >= COMMIT_MS;
	if (count == 0 || !(due || drained || last))
		return err_ok();
	consumer->last_commit_ms = clock_mono_ms();
	for (size_t i = 0; i < count; i++)
		fences[i].clean = last;
	TRY(fence_progress(
		consumer->conf.pg, consumer->arena, consumer->conf.group, fences, count));
	TRY(kafka_consumer_commit(consumer->kafka, places, count, last));
	note_committed(consumer, places, count);
	return err_ok();
}

static void commit_or_tell(struct consumer *consumer, bool last)
{
	struct err e = commit(consumer, last);

	if (e.kind == ERR_FATAL || e.kind == ERR_REJECT)
		consumer->fatal = err_fatal(e.code, e.msg);
	else if (e.kind != ERR_OK && health_part_of(e) != HEALTH_PARTS)
		health_report(consumer->conf.health, health_part_of(e), e, -1);
	if (e.kind != ERR_OK)
		consumer->last_commit_ms = clock_mono_ms() + 1000; /* not at every turn */
}

static void on_revoked(void *arg, const struct kafka_place *places, size_t count, bool lost)
{
	struct consumer *consumer = arg;

	(void)places;
	(void)count;
	if (!lost)
		commit_or_tell(consumer, true);
	schedule_revoke(consumer->conf.schedule);
	consumer->owned_count = 0;
	consumer->counts.partitions = 0;
}

static void measure_lag(struct consumer *consumer)
{
	int64_t lag = 0, low, high;

	for (size_t i = 0; i < consumer->owned_count; i++) {
		const struct owned *owned = &consumer->owned[i];
		if (kafka_consumer_watermarks(consumer->kafka, owned->partition->topic,
			    owned->partition->number, &low, &high) &&
			owned->committed >= 0 && high > owned->committed)
			lag += high - owned->committed;
	}
	consumer->counts.lag = lag;
}

/* --- life --- */

static const struct kafka_consumer_events events = { on_assigned, on_revoked, on_record,
	on_out_of_range };

struct err consumer_open(const struct consumer_conf *conf, struct consumer **ret_consumer)
{
	struct consumer *consumer = calloc(1, sizeof *consumer);
	const struct kafka_subscription subscription = { conf->group, conf->topics,
		conf->topic_count };

	if (consumer == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the consumer");
	consumer->conf = *conf;
	consumer->arena = arena_new(ARENA_BYTES);
	struct err e = consumer->arena == NULL
			       ? err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the consumer")
			       : kafka_consumer_open(conf->kafka, &subscription, &events, consumer,
					 &consumer->kafka);
	if (e.kind != ERR_OK) {
		arena_free(consumer->arena);
		free(consumer);
		return e;
	}
	*ret_consumer = consumer;
	return err_ok();
}

static void turn(struct consumer *consumer)
{
	hold_back(consumer);
	if (clock_mono_ms() >= consumer->last_commit_ms)
		commit_or_tell(consumer, false);
	measure_lag(consumer);
	health_tick(consumer->conf.health);
}

struct err consumer_run(struct consumer *consumer)
{
	while (!consumer->stopping && consumer->fatal.kind == ERR_OK) {
		struct err e = kafka_consumer_poll(consumer->kafka, POLL_MS);
		if (e.kind != ERR_OK)
			consumer->fatal = e;
		if (clock_mono_ms() - consumer->last_turn_ms < TURN_MS)
			continue;
		consumer->last_turn_ms = clock_mono_ms();
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
	arena_free(consumer->arena);
	free(consumer);
}

void consumer_look(const struct consumer *consumer, struct consumer_view *ret_view)
{
	*ret_view = (struct consumer_view){ .partitions = consumer->counts.partitions,
		.lag = consumer->counts.lag,
		.rebalances = consumer->counts.rebalances,
		.commits = consumer->counts.commits };
}
