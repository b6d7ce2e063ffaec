#include "frame/engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/brake.h"
#include "frame/claim.h"
#include "frame/consumer.h"
#include "frame/crowd.h"
#include "frame/deadletter.h"
#include "frame/execute.h"
#include "frame/gate.h"
#include "frame/gather.h"
#include "frame/halt.h"
#include "frame/inbox.h"
#include "frame/kafka_watch.h"
#include "frame/metrics.h"
#include "frame/park.h"
#include "frame/redrive.h"
#include "frame/relay.h"
#include "frame/tally.h"

enum {
	WORKERS_MAX = 512,
	WORKER_CONNECTIONS = 2,
	STACK_BYTES = 1 << 20,
	MAINTAIN_MS = 3600 * 1000,
	REDRIVE_MS = 1000,
	REDRIVE_REST = 20, /* times as long as the turn took */
	CHORES_BYTES = 1 << 20,
	KAFKA_ASK_MS = 5000,  /* how often */
	KAFKA_WAIT_MS = 2000, /* for an answer */
	KAFKA_SLOW_MS = 5000, /* rows wait that long: the relay gets nothing through */
};

struct threads {
	pthread_t workers[WORKERS_MAX], poll, relay;
	pthread_mutex_t alone; /* execute.h */
	struct arena *arena;   /* of the relay's thread */
	int worker_count;
	bool poll_runs, relay_runs;
	_Atomic bool relay_stops;
};

struct counters {
	struct metric *records, *seconds, *handler, *failed, *dead, *delay;
	struct tally tally;
};

struct engine {
	struct engine_conf conf;
	struct schedule *schedule;
	struct pg_pool *pool;
	struct pg *consumer_pg, *relay_pg;
	struct relay *relay;
	struct execute_shared shared;
	struct park *park;
	struct brake_table *brakes;
	struct halt *halt;
	struct consumer *consumer;
	struct execute_conf execute;
	struct counters counters;
	struct threads threads;
};

static const struct metrics_spec records_spec = { METRICS_COUNTER, "esteira_records_total",
	"Records by what became of them.", { "type", "outcome" }, NULL, 0 };
static const struct metrics_spec seconds_spec = { METRICS_HISTOGRAM, "esteira_record_seconds",
	"From a worker's hand to the commit.", { "type" }, NULL, 0 };
static const struct metrics_spec handler_spec = { METRICS_HISTOGRAM, "esteira_handler_seconds",
	"A record's part in the service's own steps.", { "type" }, NULL, 0 };
static const struct metrics_spec failed_spec = { METRICS_COUNTER, "esteira_record_failures_total",
	"Tries of records that failed, by class and code of their error.", { "class", "code" },
	NULL, 0 };
static const struct metrics_spec dead_spec = { METRICS_COUNTER, "esteira_dead_letters_total",
	"Records given up, by the class of their error.", { "class" }, NULL, 0 };
static const struct metrics_spec delay_spec = { METRICS_HISTOGRAM, "esteira_outbox_delay_seconds",
	"From an event's row to its delivery.", { NULL }, NULL, 0 };

static void on_fatal(void *arg, struct err e)
{
	const struct engine *engine = arg;

	engine->conf.fail(engine->conf.arg, e);
}

static void on_count(
	void *arg, const char *type, const char *outcome, int64_t took_us, int64_t handler_us)
{
	const struct engine *engine = arg;
	const char *const labels[] = { type, outcome };

	metrics_add(engine->counters.records, labels, 1);
	if (took_us >= 0)
		metrics_observe(engine->counters.seconds, labels, (double)took_us / 1e6);
	if (handler_us > 0)
		metrics_observe(engine->counters.handler, labels, (double)handler_us / 1e6);
}

static void on_failed(void *arg, enum err_code code)
{
	const struct engine *engine = arg;
	const char *const labels[] = { err_class_name(err_code_class(code)), err_code_name(code) };

	metrics_add(engine->counters.failed, labels, 1);
}

static void on_dead(void *arg, const char *error_class)
{
	const struct engine *engine = arg;

	metrics_add(engine->counters.dead, &error_class, 1);
}

/* --- threads --- */

static void *worker_main(void *arg)
{
	struct engine *engine = arg;

	execute_run(&engine->execute);
	return NULL;
}

static void *poll_main(void *arg)
{
	struct engine *engine = arg;
	struct err e = consumer_run(engine->consumer);

	if (e.kind != ERR_OK)
		on_fatal(engine, e);
	return NULL;
}

struct chores {
	int64_t renewed_ms, maintained_ms, asked_ms, redrive_ms, released_ms;
	struct err kafka; /* the last answer */
};

/* One process of the service at a time: the one that leads the relay. */
static struct err redrive(struct engine *engine, struct chores *chores)
{
	struct relay_view view;

	int64_t from_ms = clock_mono_ms();

	chores->redrive_ms = from_ms + REDRIVE_MS;
	relay_look(engine->relay, &view);
	if (!view.leader || engine->conf.names->topic_count == 0)
		return err_ok();
	arena_reset(engine->threads.arena);
	struct err e = redrive_turn(engine->relay_pg, engine->threads.arena,
		engine->conf.names->group, engine->conf.version);
	/* a long list of letters that all wait for something must not be all that this thread does
	 */
	chores->redrive_ms += REDRIVE_REST * (clock_mono_ms() - from_ms);
	return e;
}

/* Of the leader alone, so that a sum over processes counts each once. */
static struct err count(struct engine *engine)
{
	struct relay_view view;

	relay_look(engine->relay, &view);
	return tally_turn(&engine->counters.tally, view.leader ? engine->relay_pg : NULL,
		engine->threads.arena);
}

/* Who is halted is every process's to know; what waits for an activation is released by one. */
static struct err look_at_tenants(struct engine *engine, struct chores *chores)
{
	int64_t now = clock_mono_ms();
	struct relay_view view;
	size_t count = 0;

	TRY(halt_turn(engine->halt, engine->relay_pg, engine->threads.arena));
	relay_look(engine->relay, &view);
	if (!view.leader || now - chores->released_ms < HALT_TURN_MS)
		return err_ok();
	TRY(halt_release(engine->relay_pg, engine->threads.arena, &count));
	chores->released_ms = count < HALT_RELEASE_MAX ? now : 0;
	return err_ok();
}

/* Renewing claims and making inbox partitions ride on the relay's thread: it turns every 100 ms
 * anyway. */
static struct err do_chores(struct engine *engine, struct chores *chores)
{
	int64_t now = clock_mono_ms();
	struct err e = err_ok();

	if (now - chores->renewed_ms >= CLAIM_RENEW_MS) {
		chores->renewed_ms = now;
		arena_reset(engine->threads.arena);
		e = claim_set_renew(engine->shared.claims, engine->relay_pg, engine->threads.arena,
			engine->conf.names->owner);
		health_report(
			engine->conf.health, HEALTH_POSTGRES, e, (clock_mono_ms() - now) * 1000);
	}
	if (e.kind == ERR_OK && now - chores->maintained_ms >= MAINTAIN_MS) {
		chores->maintained_ms = now;
		e = inbox_maintain(engine->relay_pg);
		if (e.kind == ERR_OK)
			e = claim_forget(engine->relay_pg);
		if (e.kind == ERR_OK)
			e = deadletter_forget(engine->relay_pg);
	}
	if (e.kind == ERR_OK)
		e = look_at_tenants(engine, chores);
	if (e.kind == ERR_OK && now >= chores->redrive_ms)
		e = redrive(engine, chores);
	if (e.kind == ERR_OK)
		e = count(engine);
	return e.kind == ERR_FATAL ? e : err_ok();
}

/* Three ways to see that Kafka does not serve us: no broker answers, or one does and says that we
 * may not, or takes no events. */
static void tell_kafka(struct engine *engine, struct chores *chores)
{
	int64_t now = clock_mono_ms(), took_us = -1;
	struct relay_view view;

	if (now - chores->asked_ms >= KAFKA_ASK_MS) {
		chores->asked_ms = now;
		chores->kafka = relay_ping(engine->relay, KAFKA_WAIT_MS, &took_us);
	}
	relay_look(engine->relay, &view);
	struct err e = chores->kafka;
	if (e.kind == ERR_OK && engine->conf.names->watch != NULL)
		e = kafka_watch_look(engine->conf.names->watch);
	if (e.kind == ERR_OK && view.leader && view.kafka_away_ms >= KAFKA_SLOW_MS)
		e = err_retry(ERR_CODE_KAFKA_AWAY, "events wait to be published");
	health_report(engine->conf.health, HEALTH_KAFKA, e, took_us);
}

static void *relay_main(void *arg)
{
	struct engine *engine = arg;
	struct chores chores = { .maintained_ms = -MAINTAIN_MS, .asked_ms = -KAFKA_ASK_MS };
	struct err e = err_ok();

	while (!engine->threads.relay_stops && e.kind == ERR_OK) {
		e = relay_step(engine->relay);
		tell_kafka(engine, &chores);
		if (e.kind == ERR_OK)
			e = do_chores(engine, &chores);
	}
	if (e.kind != ERR_OK)
		on_fatal(engine, e);
	e = claim_release_all(engine->relay_pg, engine->conf.names->owner);
	if (e.kind != ERR_OK)
		LOG(LOG_WARN, "claim.release_failed", LOG_ERR(e));
	return NULL;
}

static struct err start_thread(pthread_t *thread, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	int failed = pthread_create(thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return failed == 0 ? err_ok() : err_fatal(ERR_CODE_OUT_OF_MEMORY, "no more threads");
}

static struct err start_reading(struct engine *engine, const struct route *routes)
{
	const struct engine_names *names = engine->conf.names;
	const struct consumer_conf conf = {
		.kafka = &names->kafka,
		.group = names->group,
		.topics = names->topics,
		.topic_count = names->topic_count,
		.routes = routes,
		.schedule = engine->schedule,
		.park = engine->park,
		.brakes = engine->brakes,
		.outbox = &names->outbox,
		.replay_max = names->replay_max,
		.pg = engine->consumer_pg,
		.health = engine->conf.health,
		.metrics = engine->conf.metrics,
	};

	TRY(consumer_open(&conf, &engine->consumer));
	health_tick(engine->conf.health); /* one that never comes round is stuck too */
	TRY(start_thread(&engine->threads.poll, poll_main, engine));
	engine->threads.poll_runs = true;
	return err_ok();
}

/* A step for what a call outside came to, when it did not come to its end. */
static bool makes_effects(const struct route *routes)
{
	for (; routes != NULL && routes->type != NULL; routes++)
		if (routes->failed != NULL)
			return true;
	return false;
}

struct err engine_start(struct engine *engine, const struct route *routes, int threads, void *state)
{
	struct threads *running = &engine->threads;
	const struct engine_names *names = engine->conf.names;

	threads = threads < WORKERS_MAX ? threads : WORKERS_MAX;
	engine->shared.crowd = crowd_new((size_t)threads);
	if (engine->shared.crowd == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	engine->execute = (struct execute_conf){ .group = names->group,
		.owner = names->owner,
		.version = engine->conf.version,
		.state = state,
		.schedule = engine->schedule,
		.pool = engine->pool,
		.outbox = names->outbox,
		.relay = engine->relay,
		.shared = engine->shared,
		.park = engine->park,
		.brakes = engine->brakes,
		.halt = engine->halt,
		.health = engine->conf.health,
		.hooks = { on_count, on_failed, on_dead, on_fatal, engine, engine->conf.spans } };
	engine->counters.tally.ledgered = makes_effects(routes);
	/* before any worker asks; who cannot be asked now has no connection for records either */
	struct err e = halt_turn(engine->halt, engine->relay_pg, engine->threads.arena);
	if (e.kind == ERR_FATAL)
		return e;
	TRY(start_thread(&running->relay, relay_main, engine));
	running->relay_runs = true;
	if (names->topic_count == 0)
		return err_ok();
	for (; running->worker_count < threads; running->worker_count++)
		TRY(start_thread(&running->workers[running->worker_count], worker_main, engine));
	return start_reading(engine, routes);
}

void engine_drain(struct engine *engine)
{
	if (engine->consumer != NULL)
		consumer_drain(engine->consumer);
	schedule_stop(engine->schedule);
}

bool engine_is_idle(struct engine *engine)
{
	struct schedule_view view;

	schedule_look(engine->schedule, &view);
	return view.running == 0;
}

void engine_stop(struct engine *engine)
{
	struct threads *running = engine == NULL ? NULL : &engine->threads;

	if (engine == NULL)
		return;
	schedule_stop(engine->schedule);
	for (; running->worker_count > 0; running->worker_count--)
		pthread_join(running->workers[running->worker_count - 1], NULL);
	if (running->poll_runs) {
		consumer_stop(engine->consumer);
		pthread_join(running->poll, NULL);
		running->poll_runs = false;
	}
	running->relay_stops = true;
	if (running->relay_runs) {
		relay_wake(engine->relay);
		pthread_join(running->relay, NULL);
		running->relay_runs = false;
	}
}

/* --- parts --- */

static void count_with(struct metrics *metrics, struct counters *counters)
{
	*counters = (struct counters){ .records = metrics_register(metrics, &records_spec),
		.seconds = metrics_register(metrics, &seconds_spec),
		.handler = metrics_register(metrics, &handler_spec),
		.failed = metrics_register(metrics, &failed_spec),
		.dead = metrics_register(metrics, &dead_spec),
		.delay = metrics_register(metrics, &delay_spec) };
	tally_register(&counters->tally, metrics);
}

struct err engine_open(const struct engine_conf *conf, struct engine **ret_engine)
{
	struct engine *engine = calloc(1, sizeof *engine);
	struct pg_conf relay_pg = conf->names->frame;

	if (engine == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	relay_pg.idle_session_ms = RELAY_IDLE_MS;
	engine->conf = *conf;
	count_with(conf->metrics, &engine->counters);
	pthread_mutex_init(&engine->threads.alone, NULL);
	engine->shared = (struct execute_shared){ .claims = claim_set_new(WORKERS_MAX),
		.gather = gather_new(WORKER_CONNECTIONS),
		.gate = gate_new(),
		.alone = &engine->threads.alone };
	engine->schedule = schedule_new();
	engine->pool = pg_pool_new(&conf->names->pg, WORKER_CONNECTIONS);
	engine->consumer_pg = pg_new(&conf->names->frame);
	engine->relay_pg = pg_new(&relay_pg);
	struct err e = err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	engine->park = park_new(conf->names->group);
	engine->brakes = brake_table_new();
	engine->halt = halt_new(conf->outlives);
	engine->threads.arena = arena_new(CHORES_BYTES);
	if (engine->shared.claims != NULL && engine->shared.gather != NULL &&
		engine->shared.gate != NULL && engine->park != NULL && engine->brakes != NULL &&
		engine->halt != NULL && engine->threads.arena != NULL && engine->schedule != NULL &&
		engine->pool != NULL && engine->consumer_pg != NULL && engine->relay_pg != NULL)
		e = relay_open(engine->relay_pg, &conf->names->kafka, conf->names->outbox.service,
			&engine->relay);
	if (e.kind != ERR_OK) {
		engine_close(engine);
		return e;
	}
	relay_measure(engine->relay, engine->counters.delay, conf->spans);
	*ret_engine = engine;
	return err_ok();
}

void engine_close(struct engine *engine)
{
	if (engine == NULL)
		return;
	consumer_free(engine->consumer);
	relay_close(engine->relay);
	claim_set_free(engine->shared.claims);
	gather_free(engine->shared.gather);
	gate_free(engine->shared.gate);
	crowd_free(engine->shared.crowd);
	park_free(engine->park);
	brake_table_free(engine->brakes);
	halt_free(engine->halt);
	arena_free(engine->threads.arena);
	schedule_free(engine->schedule);
	pg_pool_free(engine->pool);
	pg_free(engine->consumer_pg);
	pg_free(engine->relay_pg);
	pthread_mutex_destroy(&engine->threads.alone);
	free(engine);
}

struct relay *engine_relay(struct engine *engine)
{
	return engine->relay;
}

struct pg_pool *engine_pool(struct engine *engine)
{
	return engine->pool;
}

struct schedule *engine_schedule(struct engine *engine)
{
	return engine->schedule;
}

struct consumer *engine_consumer(const struct engine *engine)
{
	return engine->consumer;
}

struct park *engine_park(struct engine *engine)
{
	return engine->park;
}

struct brake_table *engine_brakes(struct engine *engine)
{
	return engine->brakes;
}

struct halt *engine_halt(struct engine *engine)
{
	return engine->halt;
}
