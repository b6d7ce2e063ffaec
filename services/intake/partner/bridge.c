#include "partner/bridge.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "frame/metrics.h"
#include "frame/topic.h"
#include "partner/bridge_state.h"
#include "port/loop.h"

enum {
	ARENA_BYTES = 4 << 20,
	BOOK_MS = 200,
	TURN_MS = 10,
	FULL_MS = 1000, /* from then on partitions are held: the group must be polled */
	POLL_MS = 20,
	BUSY_POLL_MS = 2, /* reports wait for us */
	SERVE_MS = 10,
	METADATA_MS = 5000,
	RENEWED_MS = 1000,
	REVOKE_MS = 2000,
};

static const struct metrics_spec records_spec = { METRICS_COUNTER, "esteira_partner_records_total",
	"Records of partners' topics by what became of them.", { "partner", "outcome" }, NULL, 0 };

/* --- Kafka's callbacks --- */

static void on_assigned(void *arg, struct kafka_place *places, size_t count)
{
	struct bridge *bridge = arg;
	struct err e = flight_assign(bridge->flight, bridge->conf.space->prefix, places, count);

	if (e.kind != ERR_OK)
		bridge->conf.fail(bridge->conf.arg, e);
	LOG(LOG_INFO, "partners.assigned", LOG_INT("partitions", bridge->flight->place_count));
}

/* What is not done would be sent again by the next owner: harmless, but for nothing. */
static void await_reports(struct bridge *bridge)
{
	int64_t until_ms = clock_mono_ms() + REVOKE_MS;

	while (bridge->flight->used > 0 && clock_mono_ms() < until_ms)
		if (kafka_producer_poll(bridge->producer, SERVE_MS).kind != ERR_OK)
			return; /* the loop renews it */
}

static void on_revoked(void *arg, const struct kafka_place *places, size_t count, bool lost)
{
	struct bridge *bridge = arg;

	(void)places;
	(void)count;
	if (!lost) {
		await_reports(bridge);
		bridge_turn_commit_last(bridge);
	}
	flight_forget(bridge->flight);
}

static const struct kafka_consumer_events events = { on_assigned, on_revoked, bridge_take_record };

/* --- the subscription --- */

static struct err open_kafka(struct bridge *bridge, const struct kafka_subscription *subscription)
{
	if (bridge->producer == NULL)
		TRY(kafka_producer_open(
			&bridge->kafka, bridge_take_report, bridge, &bridge->producer));
	return kafka_consumer_open(
		&bridge->kafka, subscription, &events, bridge, &bridge->consumer);
}

static struct err subscribe(struct bridge *bridge, const struct partner_slugs *partners)
{
	const char **topics = arena_alloc(bridge->arena, (partners->count + 1) * sizeof *topics);
	const struct kafka_subscription subscription = { bridge->group, topics, partners->count };

	if (topics == NULL)
		return arena_overflow();
	for (size_t i = 0; i < partners->count; i++) {
		topics[i] = arena_printf(bridge->arena, "%spartner.%s.in",
			bridge->conf.space->prefix, partners->items[i]);
		if (topics[i] == NULL)
			return arena_overflow();
	}
	if (bridge->consumer != NULL)
		return kafka_consumer_subscribe(bridge->consumer, topics, partners->count);
	return partners->count == 0 ? err_ok() : open_kafka(bridge, &subscription);
}

/* Another list of partners is another subscription. */
static struct err follow_book(struct bridge *bridge, int64_t now_ms)
{
	struct partner_slugs partners;
	unsigned version = partner_book_version(bridge->conf.book);

	if (bridge->end.draining || version == bridge->version ||
		now_ms - bridge->times.book_ms < BOOK_MS)
		return err_ok();
	bridge->times.book_ms = now_ms;
	arena_reset(bridge->arena);
	TRY(partner_book_slugs(bridge->conf.book, bridge->arena, &partners));
	struct err e = subscribe(bridge, &partners);
	if (e.kind == ERR_RETRY)
		return err_ok(); /* soon again */
	TRY(e);
	bridge->version = version;
	LOG(LOG_INFO, "partners.subscribed", LOG_INT("partners", partners.count));
	return err_ok();
}

/* --- the loop --- */

static void nap(void)
{
	const struct timespec span = { .tv_nsec = 100 * 1000000 };

	nanosleep(&span, NULL);
}

/* A handle that failed for good takes along what it had: all of it is read again. */
static struct err renew_producer(struct bridge *bridge, struct err why)
{
	LOG(LOG_WARN, "partners.producer_renewed", LOG_ERR(why));
	kafka_producer_close(bridge->producer);
	bridge->producer = NULL;
	flight_fail_all(bridge->flight, clock_mono_ms() + RENEWED_MS);
	return kafka_producer_open(&bridge->kafka, bridge_take_report, bridge, &bridge->producer);
}

static struct err serve_producer(struct bridge *bridge, int64_t now_ms, int timeout_ms)
{
	if (timeout_ms == 0 && now_ms == bridge->times.served_ms)
		return err_ok();
	bridge->times.served_ms = now_ms;
	struct err e = kafka_producer_poll(bridge->producer, timeout_ms);
	return e.kind == ERR_OK ? e : renew_producer(bridge, e);
}

/* The brokers are slower than we are: for a while that is no reason to hold partitions, which costs
 * what was fetched of them. */
static bool waits_for_room(struct bridge *bridge, int64_t now_ms)
{
	struct bridge_times *times = &bridge->times;

	if (!flight_is_full(bridge->flight))
		times->full_ms = 0;
	else if (times->full_ms == 0)
		times->full_ms = now_ms;
	return times->full_ms != 0 && now_ms - times->full_ms < FULL_MS;
}

static struct err run_kafka(struct bridge *bridge, int64_t now_ms)
{
	bool waits = waits_for_room(bridge, now_ms);

	if (!waits)
		TRY(kafka_consumer_poll(
			bridge->consumer, bridge->flight->used > 0 ? BUSY_POLL_MS : POLL_MS));
	TRY(serve_producer(bridge, now_ms, waits ? SERVE_MS : 0));
	if (now_ms - bridge->times.turn_ms < TURN_MS)
		return err_ok();
	bridge->times.turn_ms = now_ms;
	bridge_turn(bridge, now_ms);
	return err_ok();
}

/* Leaves the group, so that others go on at once. */
static void end_drain(struct bridge *bridge)
{
	kafka_consumer_close(bridge->consumer); /* revokes: commits what is done */
	bridge->consumer = NULL;
	bridge->end.drained = true;
	if (!loop_post(bridge->conf.loop, bridge->end.done, bridge->end.arg))
		LOG(LOG_WARN, "partners.drained_late", LOG_INT("under_way", bridge->flight->used));
}

static struct err step(struct bridge *bridge)
{
	int64_t now_ms = clock_mono_ms();

	TRY(follow_book(bridge, now_ms));
	if (bridge->end.draining && !bridge->end.drained && bridge->flight->used == 0)
		end_drain(bridge);
	if (bridge->consumer != NULL)
		return run_kafka(bridge, now_ms);
	nap();
	return err_ok();
}

static void *thread_main(void *arg)
{
	struct bridge *bridge = arg;
	struct err e = err_ok();

	while (!bridge->end.stopping && e.kind == ERR_OK)
		e = step(bridge);
	if (e.kind != ERR_OK)
		bridge->conf.fail(bridge->conf.arg, err_fatal(e.code, e.msg));
	kafka_consumer_close(bridge->consumer);
	bridge->consumer = NULL;
	kafka_producer_close(bridge->producer);
	bridge->producer = NULL;
	return NULL;
}

/* --- life --- */

static void free_bridge(struct bridge *bridge)
{
	flight_free(bridge->flight);
	arena_free(bridge->arena);
	free(bridge);
}

struct err bridge_open(const struct bridge_conf *conf, struct bridge **ret_bridge)
{
	struct bridge *bridge = calloc(1, sizeof *bridge);

	if (bridge == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the bridge");
	bridge->conf = *conf;
	bridge->kafka = *conf->kafka;
	bridge->kafka.metadata_ms = METADATA_MS;
	snprintf(bridge->group, sizeof bridge->group, "%sintake.partners", conf->space->prefix);
	bridge->records = metrics_register(conf->metrics, &records_spec);
	bridge->flight = flight_new();
	bridge->arena = arena_new(ARENA_BYTES);
	if (bridge->flight == NULL || bridge->arena == NULL ||
		pthread_create(&bridge->thread, NULL, thread_main, bridge) != 0) {
		free_bridge(bridge);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the bridge");
	}
	*ret_bridge = bridge;
	return err_ok();
}

void bridge_drain(struct bridge *bridge, void (*done)(void *arg), void *arg)
{
	if (bridge == NULL) {
		done(arg);
		return;
	}
	bridge->end.done = done;
	bridge->end.arg = arg;
	bridge->end.draining = true; /* last: the thread looks at the others after it */
}

void bridge_close(struct bridge *bridge)
{
	if (bridge == NULL)
		return;
	bridge->end.stopping = true;
	pthread_join(bridge->thread, NULL);
	free_bridge(bridge);
}
