#include "frame/service.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/admin.h"
#include "frame/claim.h"
#include "frame/consumer.h"
#include "frame/execute.h"
#include "frame/inbox.h"
#include "frame/metrics.h"
#include "frame/relay.h"
#include "frame/service_conf.h"
#include "port/kafka.h"
#include "port/loop.h"
#include "port/pg.h"

#ifndef ESTEIRA_VERSION
#define ESTEIRA_VERSION "0.1.0"
#endif

enum {
	CONF_ARENA_BYTES = 1 << 20,
	THREADS_DEFAULT = 2,
	THREADS_MAX = 64,
	MAX_POLL_MS = 300000,
	WORKER_CONNECTIONS = 2,
	STACK_BYTES = 1 << 20,
	MAINTAIN_MS = 3600 * 1000,
	PROBE_MS = 1000,
};

struct service_context {
	const struct service *service;
	struct service_conf conf;
	void *own_conf, *state;
	struct arena *arena; /* of everything configured */
	struct topic_space space;
	struct outbox_conf outbox;
	struct pg_conf pg_conf, frame_pg_conf, relay_pg_conf;
	struct kafka_conf kafka;
	char owner[96];
	const char *group;
	const char **topics;
	size_t topic_count;
	struct loop *loop;
	struct loop_timer *drain_timer;
	struct health *health;
	struct admin *admin;
	struct metrics *metrics;
	struct metric *records, *record_seconds;
	struct schedule *schedule;
	struct pg_pool *pool;
	struct pg *consumer_pg, *relay_pg;
	struct relay *relay;
	struct consumer *consumer;
	struct execute_conf execute;
	pthread_t workers[THREADS_MAX], poll_thread, relay_thread;
	int worker_count;
	int64_t drain_since_ms;
	bool draining, own_drained, poll_started, relay_started;
	_Atomic bool failed, relay_stop;
};

struct loop *service_loop(struct service_context *context)
{
	return context->loop;
}

struct health *service_health(struct service_context *context)
{
	return context->health;
}

struct metrics *service_metrics(struct service_context *context)
{
	return context->metrics;
}

struct relay *service_relay(struct service_context *context)
{
	return context->relay;
}

const struct outbox_conf *service_outbox(struct service_context *context)
{
	return &context->outbox;
}

const struct pg_conf *service_pg(struct service_context *context)
{
	return &context->pg_conf;
}

const struct pg_conf *service_frame_pg(struct service_context *context)
{
	return &context->frame_pg_conf;
}

const char *service_instance(struct service_context *context)
{
	return context->conf.instance;
}

struct pg_pool *service_pool(struct service_context *context)
{
	return context->pool;
}

void service_fail(struct service_context *context, struct err e)
{
	if (!atomic_exchange(&context->failed, true))
		LOG(LOG_ERROR, "service.failed", LOG_ERR(e));
	loop_stop(context->loop);
}

/* --- threads --- */

static void on_fatal(void *arg, struct err e)
{
	service_fail(arg, e);
}

static const struct metrics_spec records_spec = { METRICS_COUNTER, "esteira_records_total",
	"Records by what became of them.", { "type", "outcome" }, NULL, 0 };
static const struct metrics_spec record_seconds_spec = { METRICS_HISTOGRAM,
	"esteira_record_seconds", "From a worker's hand to the commit.", { "type" }, NULL, 0 };

static void on_count(void *arg, const char *type, const char *outcome, int64_t took_us)
{
	const struct service_context *context = arg;
	const char *const labels[] = { type, outcome };

	metrics_add(context->records, labels, 1);
	if (took_us >= 0)
		metrics_observe(context->record_seconds, labels, (double)took_us / 1e6);
}

static void *worker_main(void *arg)
{
	struct service_context *context = arg;

	execute_run(&context->execute);
	return NULL;
}

static void *poll_main(void *arg)
{
	struct service_context *context = arg;
	struct err e = consumer_run(context->consumer);

	if (e.kind != ERR_OK)
		service_fail(context, e);
	consumer_close(context->consumer);
	return NULL;
}

/* Renewing claims and making partitions ride on the relay's thread: it turns every 100 ms anyway.
 */
static struct err chores(
	struct service_context *context, int64_t *renewed_ms, int64_t *maintained_ms)
{
	int64_t now = clock_mono_ms();
	struct err e = err_ok();

	if (now - *renewed_ms >= CLAIM_RENEW_MS) {
		*renewed_ms = now;
		e = claim_renew_all(context->relay_pg, context->owner);
		health_report(
			context->health, HEALTH_POSTGRES, e, clock_mono_ms() * 1000 - now * 1000);
	}
	if (e.kind == ERR_OK && now - *maintained_ms >= MAINTAIN_MS) {
		*maintained_ms = now;
		e = inbox_maintain(context->relay_pg);
	}
	return e.kind == ERR_FATAL ? e : err_ok();
}

static void *relay_main(void *arg)
{
	struct service_context *context = arg;
	int64_t renewed_ms = 0, maintained_ms = -MAINTAIN_MS;
	struct err e = err_ok();

	while (!context->relay_stop && e.kind == ERR_OK) {
		e = relay_step(context->relay);
		if (e.kind == ERR_OK)
			e = chores(context, &renewed_ms, &maintained_ms);
	}
	if (e.kind != ERR_OK)
		service_fail(context, e);
	e = claim_release_all(context->relay_pg, context->owner);
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

static struct err start_threads(struct service_context *context)
{
	int wanted = context->service->threads > 0 ? context->service->threads : THREADS_DEFAULT;

	TRY(start_thread(&context->relay_thread, relay_main, context));
	context->relay_started = true;
	if (context->topic_count == 0)
		return err_ok();
	for (; context->worker_count < wanted; context->worker_count++)
		TRY(start_thread(&context->workers[context->worker_count], worker_main, context));
	TRY(start_thread(&context->poll_thread, poll_main, context));
	context->poll_started = true;
	return err_ok();
}

/* --- drain --- */

static bool is_drained(struct service_context *context)
{
	struct schedule_view view;

	schedule_look(context->schedule, &view);
	return view.running == 0 && context->own_drained;
}

static void on_drain_turn(void *arg)
{
	struct service_context *context = arg;

	if (is_drained(context) ||
		clock_mono_ms() - context->drain_since_ms >= context->conf.drain_ms)
		loop_stop(context->loop);
}

void service_drained(struct service_context *context)
{
	context->own_drained = true;
}

static void on_terminate(void *arg)
{
	struct service_context *context = arg;

	if (context->draining)
		return;
	LOG(LOG_INFO, "service.draining", LOG_INT("budget_ms", context->conf.drain_ms));
	context->draining = true;
	context->drain_since_ms = clock_mono_ms();
	admin_set_draining(context->admin);
	if (context->consumer != NULL)
		consumer_drain(context->consumer);
	schedule_stop(context->schedule);
	if (context->service->drain != NULL)
		context->service->drain(context->state);
	else
		context->own_drained = true;
	loop_timer_start(context->drain_timer, 0, 20);
}

/* --- opening --- */

static struct err read_conf(struct service_context *context)
{
	const struct service *service = context->service;

	TRY(conf_read(service_conf_items, context->arena, &context->conf));
	context->own_conf = arena_alloc(context->arena, service->conf_size + 1);
	if (context->own_conf == NULL)
		return arena_overflow();
	if (service->conf != NULL)
		TRY(conf_read(service->conf, context->arena, context->own_conf));
	if (context->conf.instance[0] == '\0') {
		char host[64] = "host";
		gethostname(host, sizeof host - 1);
		context->conf.instance = arena_printf(context->arena, "%s-%d", host, (int)getpid());
	}
	return context->conf.instance == NULL ? arena_overflow() : err_ok();
}

static void derive(struct service_context *context)
{
	const struct service_conf *conf = &context->conf;
	struct id id = id_v7();
	char id_text[ID_TEXT_BYTES];

	id_format(id, id_text);
	snprintf(context->owner, sizeof context->owner, "%.50s:%s", conf->instance, id_text);
	context->space =
		(struct topic_space){ conf->kafka_prefix, conf->partitions, conf->ocr_partitions };
	context->outbox = (struct outbox_conf){ &context->space, context->service->name };
	context->pg_conf = (struct pg_conf){ conf->pg_url, conf->instance, 0 };
	context->frame_pg_conf = (struct pg_conf){ conf->pg_frame_url, conf->instance, 0 };
	context->relay_pg_conf =
		(struct pg_conf){ conf->pg_frame_url, conf->instance, RELAY_IDLE_MS };
	context->kafka = (struct kafka_conf){ .brokers = conf->kafka_brokers,
		.client = conf->instance,
		.session_ms = (int)conf->kafka_session_ms,
		.max_poll_ms = MAX_POLL_MS };
}

static struct err name_topics(struct service_context *context)
{
	const enum topic *topics = context->service->topics;

	context->group = topic_group(&context->space, context->service->name, context->arena);
	context->topics = arena_alloc(context->arena, TOPIC_COUNT * sizeof *context->topics);
	if (context->group == NULL || context->topics == NULL)
		return arena_overflow();
	for (; topics != NULL && *topics != TOPIC_COUNT; topics++) {
		const char *name = topic_name(&context->space, *topics, context->arena);
		if (name == NULL)
			return arena_overflow();
		context->topics[context->topic_count++] = name;
	}
	return err_ok();
}

/* A role that could bypass row-level security would make every policy a decoration. */
static struct err check_role(const struct pg_conf *conf, struct arena *arena)
{
	static const struct pg_statement safe = { "service_role_is_safe", "SELECT role_is_safe()" };
	const struct pg_rows *rows;
	struct pg *pg = pg_new(conf);

	if (pg == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a connection");
	struct err e = pg_query(pg, arena, &safe, NULL, 0, &rows);
	if (e.kind == ERR_OK && pg_get_int(rows, 0, 0) == 0)
		e = err_fatal(ERR_CODE_UNSAFE_ROLE, err_code_title(ERR_CODE_UNSAFE_ROLE));
	pg_free(pg);
	return e;
}

/* Postgres may come up after us; a wrong role never becomes right. */
static struct err check_roles(struct service_context *context)
{
	for (;;) {
		struct err e = check_role(&context->pg_conf, context->arena);
		if (e.kind == ERR_OK)
			e = check_role(&context->frame_pg_conf, context->arena);
		if (e.kind != ERR_RETRY)
			return e;
		LOG(LOG_WARN, "service.waits_for_postgres", LOG_ERR(e));
		usleep(PROBE_MS * 1000);
	}
}

static struct err open_consumer(struct service_context *context)
{
	const struct consumer_conf conf = {
		.kafka = &context->kafka,
		.group = context->group,
		.topics = context->topics,
		.topic_count = context->topic_count,
		.routes = context->service->routes,
		.schedule = context->schedule,
		.pg = context->consumer_pg,
		.health = context->health,
	};

	if (context->topic_count == 0)
		return err_ok();
	return consumer_open(&conf, &context->consumer);
}

static struct err open_parts(struct service_context *context)
{
	context->schedule = schedule_new();
	context->pool = pg_pool_new(&context->pg_conf, WORKER_CONNECTIONS);
	context->consumer_pg = pg_new(&context->frame_pg_conf);
	context->relay_pg = pg_new(&context->relay_pg_conf);
	if (context->schedule == NULL || context->pool == NULL || context->consumer_pg == NULL ||
		context->relay_pg == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	TRY(relay_open(
		context->relay_pg, &context->kafka, context->service->name, &context->relay));
	if (context->service->open != NULL)
		TRY(context->service->open(context, context->own_conf, &context->state));
	TRY(open_consumer(context));
	context->execute = (struct execute_conf){ .group = context->group,
		.owner = context->owner,
		.version = ESTEIRA_VERSION,
		.state = context->state,
		.schedule = context->schedule,
		.pool = context->pool,
		.outbox = context->outbox,
		.relay = context->relay,
		.health = context->health,
		.count = on_count,
		.fatal = on_fatal,
		.arg = context };
	return err_ok();
}

static struct err open_loop(struct service_context *context)
{
	TRY(loop_open(&context->loop));
	TRY(loop_signal(context->loop, SIGTERM, on_terminate, context));
	TRY(loop_signal(context->loop, SIGINT, on_terminate, context));
	TRY(loop_timer_new(context->loop, on_drain_turn, context, &context->drain_timer));
	context->health = health_new();
	context->metrics = admin_metrics_new(context->service->name, ESTEIRA_VERSION);
	if (context->health == NULL || context->metrics == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	context->records = metrics_register(context->metrics, &records_spec);
	context->record_seconds = metrics_register(context->metrics, &record_seconds_spec);
	return err_ok();
}

static bool own_ready(void *arg, struct buf *out)
{
	struct service_context *context = arg;

	if (context->service->ready == NULL || context->state == NULL)
		return true;
	return context->service->ready(context->state, out);
}

static struct err open_admin(struct service_context *context)
{
	const struct admin_conf conf = {
		.loop = context->loop,
		.address = context->conf.admin_listen,
		.service = context->service->name,
		.version = ESTEIRA_VERSION,
		.health = context->health,
		.schedule = context->schedule,
		.consumer = context->consumer,
		.relay = context->relay,
		.ready = own_ready,
		.arg = context,
	};

	return admin_open(&conf, context->metrics, &context->admin);
}

static struct err open_all(struct service_context *context)
{
	TRY(check_roles(context));
	TRY(open_loop(context));
	TRY(open_parts(context));
	TRY(open_admin(context));
	return start_threads(context);
}

/* --- closing --- */

static void join_threads(struct service_context *context)
{
	schedule_stop(context->schedule);
	for (int i = 0; i < context->worker_count; i++)
		pthread_join(context->workers[i], NULL);
	if (context->poll_started) {
		consumer_stop(context->consumer);
		pthread_join(context->poll_thread, NULL);
	}
	context->relay_stop = true;
	if (context->relay_started) {
		relay_wake(context->relay);
		pthread_join(context->relay_thread, NULL);
	}
}

static void *stop_main(void *arg)
{
	struct service_context *context = arg;

	if (context->schedule != NULL)
		join_threads(context);
	if (context->service->stop != NULL && context->state != NULL)
		context->service->stop(context->state);
	loop_stop(context->loop);
	return NULL;
}

/* Threads end while the loop runs: they may be waiting for an answer that comes through it. */
static void stop_threads(struct service_context *context)
{
	pthread_t stopper;
	struct err e = start_thread(&stopper, stop_main, context);

	if (e.kind != ERR_OK)
		return;
	loop_run(context->loop);
	pthread_join(stopper, NULL);
}

static void close_all(struct service_context *context)
{
	if (context->loop != NULL)
		stop_threads(context);
	if (context->service->close != NULL && context->state != NULL)
		context->service->close(context->state);
	admin_close(context->admin);
	relay_close(context->relay);
	loop_timer_free(context->drain_timer);
	loop_close(context->loop);
	schedule_free(context->schedule);
	pg_pool_free(context->pool);
	pg_free(context->consumer_pg);
	pg_free(context->relay_pg);
	health_free(context->health);
	metrics_free(context->metrics);
}

static int run(struct service_context *context)
{
	struct err e = open_all(context);

	if (e.kind == ERR_OK) {
		LOG(LOG_INFO, "service.started", LOG_TEXT("version", ESTEIRA_VERSION));
		loop_run(context->loop);
		LOG(LOG_INFO, "service.stopping", LOG_INT("failed", context->failed));
	} else {
		LOG(LOG_ERROR, "service.start_failed", LOG_ERR(e));
		context->failed = true;
	}
	/* a worker that is stuck past the drain budget must not keep the process: what it holds is
	 * kept by its claim until the lease ends */
	alarm(10);
	close_all(context);
	return context->failed ? 1 : 0;
}

/* --- the command line --- */

static int print(const struct service *service, const char *what)
{
	if (strcmp(what, "--version") == 0) {
		printf("esteira-%s %s\n", service->name, ESTEIRA_VERSION);
		return 0;
	}
	if (strcmp(what, "--markdown") == 0) {
		conf_markdown(service_conf_items, stdout);
		if (service->conf != NULL)
			conf_markdown(service->conf, stdout);
		return 0;
	}
	bool help = strcmp(what, "--help") == 0;
	FILE *out = help ? stdout : stderr;
	fprintf(out,
		"usage: esteira-%s [--help|--version|--print-config|--markdown]\n"
		"Runs until SIGTERM. Configured by the environment:\n",
		service->name);
	conf_help(service_conf_items, out);
	if (service->conf != NULL)
		conf_help(service->conf, out);
	return help ? 0 : 2;
}

static void print_conf(const struct service_context *context)
{
	conf_print(service_conf_items, &context->conf, stdout);
	if (context->service->conf != NULL)
		conf_print(context->service->conf, context->own_conf, stdout);
}

/* Documents and keys live in this memory: no core. 1 and not 0, because a piped core pattern
 * ignores 0. */
static void forbid_cores(void)
{
	const struct rlimit one = { 1, 1 };

	setrlimit(RLIMIT_CORE, &one);
}

static enum log_level level_of(const char *name)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	int level = LOG_ERROR;

	while (level > LOG_DEBUG && strcmp(names[level], name) != 0)
		level--;
	return (enum log_level)level;
}

int service_run(const struct service *service, int argc, char **argv)
{
	bool only_print = argc == 2 && strcmp(argv[1], "--print-config") == 0;
	struct service_context *context = calloc(1, sizeof *context);

	if (argc > 1 && !only_print) {
		free(context);
		return print(service, argv[1]);
	}
	forbid_cores();
	signal(SIGPIPE, SIG_IGN);
	log_init(service->name, "", LOG_INFO);
	if (context == NULL || (context->arena = arena_new(CONF_ARENA_BYTES)) == NULL)
		return 1;
	context->service = service;
	struct err e = read_conf(context);
	if (e.kind == ERR_OK && only_print) {
		print_conf(context);
		arena_free(context->arena);
		free(context);
		return 0;
	}
	if (e.kind == ERR_OK) {
		log_init(service->name, context->conf.instance, level_of(context->conf.log_level));
		derive(context);
		e = name_topics(context);
	}
	if (e.kind == ERR_OK && service->prepare != NULL)
		e = service->prepare(context->own_conf, context->arena);
	if (e.kind != ERR_OK)
		LOG(LOG_ERROR, "service.start_failed", LOG_ERR(e));
	int code = e.kind != ERR_OK ? 2 : run(context);
	arena_free(context->arena);
	free(context);
	return code;
}
