#include "frame/service.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "frame/admin.h"
#include "frame/certificate.h"
#include "frame/engine.h"
#include "frame/erase.h"
#include "frame/kafka_watch.h"
#include "frame/metrics.h"
#include "frame/metrics_wire.h"
#include "frame/service_conf.h"
#include "frame/service_role.h"
#include "frame/service_show.h"
#include "port/loop.h"

enum {
	CONF_ARENA_BYTES = 1 << 20,
	THREADS_DEFAULT = 2,
	NEWS_MS = 5000,
	STOP_S = 13, /* of it 3 for spans */
	HEAPS = 2,
	MAPPED_BYTES = 128 << 10, /* from that size on memory goes back when it is freed */
	TRIMMED_BYTES = 256 << 10,
};

struct drain {
	struct loop_timer *timer;
	int64_t since_ms;
	bool begun, own_done;
};

struct chores {
	struct loop_timer *news; /* of secrets */
	struct erase *erase;
	struct spans *spans;
};

struct service_context {
	const struct service *service;
	struct service_conf conf;
	void *own_conf, *state;
	struct arena *arena; /* of everything configured */
	struct engine_names names;
	struct loop *loop;
	struct health *health;
	struct metrics *metrics;
	struct admin *admin;
	struct engine *engine;
	struct drain drain;
	struct chores chores;
	_Atomic bool failed;
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

struct spans *service_spans(struct service_context *context)
{
	return context->chores.spans;
}

struct relay *service_relay(struct service_context *context)
{
	return engine_relay(context->engine);
}

struct pg_pool *service_pool(struct service_context *context)
{
	return engine_pool(context->engine);
}

const struct outbox_conf *service_outbox(struct service_context *context)
{
	return &context->names.outbox;
}

const struct pg_conf *service_pg(struct service_context *context)
{
	return &context->names.pg;
}

const struct pg_conf *service_frame_pg(struct service_context *context)
{
	return &context->names.frame;
}

const struct pg_conf *service_pooled_pg(struct service_context *context)
{
	return &context->names.pooled;
}

const struct kafka_conf *service_kafka(struct service_context *context)
{
	return &context->names.kafka;
}

const char *service_instance(struct service_context *context)
{
	return context->conf.instance;
}

static void on_fail(void *arg, struct err e)
{
	struct service_context *context = arg;

	if (!atomic_exchange(&context->failed, true))
		LOG(LOG_ERROR, "service.failed", LOG_ERR(e));
	loop_stop(context->loop);
}

void service_fail(struct service_context *context, struct err e)
{
	on_fail(context, e);
}

/* --- drain --- */

static void on_drain_turn(void *arg)
{
	struct service_context *context = arg;
	bool done = engine_is_idle(context->engine) && context->drain.own_done;

	if (done || clock_mono_ms() - context->drain.since_ms >= context->conf.drain_ms)
		loop_stop(context->loop);
}

void service_drained(struct service_context *context)
{
	context->drain.own_done = true;
}

static void on_terminate(void *arg)
{
	struct service_context *context = arg;

	if (context->drain.begun)
		return;
	LOG(LOG_INFO, "service.draining", LOG_INT("budget_ms", context->conf.drain_ms));
	context->drain.begun = true;
	context->drain.since_ms = clock_mono_ms();
	admin_set_draining(context->admin);
	engine_drain(context->engine);
	if (context->service->drain != NULL)
		context->service->drain(context->state);
	else
		context->drain.own_done = true;
	loop_timer_start(context->drain.timer, 0, 20);
}

/* --- opening --- */

/* Rotation is seen in the log, also when nothing connects just then. */
static void on_news_turn(void *arg)
{
	struct service_context *context = arg;
	struct service_conf_table tables[SERVICE_CONF_TABLES + 1];

	service_conf_tables(context->service, &context->conf, context->own_conf, tables);
	for (const struct service_conf_table *t = tables; t->items != NULL; t++)
		conf_log_news(t->items, t->base);
}

static struct err open_loop(struct service_context *context)
{
	TRY(loop_open(&context->loop));
	TRY(loop_signal(context->loop, SIGTERM, on_terminate, context));
	TRY(loop_signal(context->loop, SIGINT, on_terminate, context));
	TRY(loop_timer_new(context->loop, on_drain_turn, context, &context->drain.timer));
	TRY(loop_timer_new(context->loop, on_news_turn, context, &context->chores.news));
	loop_timer_start(context->chores.news, NEWS_MS, NEWS_MS);
	context->health = health_new();
	context->metrics = admin_metrics_new(context->service->name, ESTEIRA_VERSION);
	context->names.watch = kafka_watch_new(&context->names.kafka);
	context->names.kafka.ear = (struct kafka_ear){ kafka_watch_note, context->names.watch };
	if (context->health == NULL || context->metrics == NULL || context->names.watch == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	health_measure(context->health, context->metrics);
	certificate_note(context->metrics, "kafka", context->conf.kafka.security.cert_file);
	context->names.pg.ear = metrics_wire_postgres(context->metrics);
	context->names.frame.ear = context->names.pooled.ear = context->names.pg.ear;
	const struct spans_of of = { context->loop, context->metrics, context->service->name,
		ESTEIRA_VERSION, context->conf.instance };
	return spans_open(&of, &context->conf.spans, &context->chores.spans);
}

static struct err open_engine(struct service_context *context)
{
	const struct erase_plan *erase = context->service->erase;
	const struct engine_conf conf = { .names = &context->names,
		.outlives = erase != NULL && erase->outlives,
		.version = ESTEIRA_VERSION,
		.health = context->health,
		.metrics = context->metrics,
		.spans = context->chores.spans,
		.fail = on_fail,
		.arg = context };

	return engine_open(&conf, &context->engine);
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
		.health = context->health,
		.engine = context->engine,
		.step_max_ms = context->conf.step_max_ms,
		.work_max_ms = context->conf.work_max_ms,
		.ready = own_ready,
		.arg = context,
	};

	return admin_open(&conf, context->metrics, &context->admin);
}

static int thread_count(const struct service_context *context)
{
	const struct service *service = context->service;

	if (service->threads_of != NULL)
		return service->threads_of(context->own_conf);
	return service->threads > 0 ? service->threads : THREADS_DEFAULT;
}

static struct err open_erase(struct service_context *context)
{
	const struct erase_conf conf = { .plan = context->service->erase,
		.pg = &context->names.pg,
		.halt = engine_halt(context->engine),
		.state = context->state,
		.fail = on_fail,
		.arg = context };

	return erase_open(&conf, &context->chores.erase);
}

static struct err open_all(struct service_context *context)
{
	const struct service *service = context->service;

	TRY(service_role_check(&context->names, context->arena));
	TRY(open_loop(context));
	TRY(open_engine(context));
	if (service->open != NULL)
		TRY(service->open(context, context->own_conf, &context->state));
	TRY(engine_start(context->engine, service->routes, thread_count(context), context->state));
	TRY(open_erase(context));
	return open_admin(context);
}

/* --- closing --- */

static void on_admin_closed(void *arg)
{
	struct service_context *context = arg;

	loop_stop(context->loop);
}

/* The last to go, so that a drain can be watched to its end. */
static void close_admin(void *arg)
{
	struct service_context *context = arg;

	if (context->admin == NULL)
		loop_stop(context->loop);
	else
		admin_close(context->admin, on_admin_closed, context);
}

static void *stop_main(void *arg)
{
	struct service_context *context = arg;

	erase_close(context->chores.erase);
	engine_stop(context->engine);
	if (context->service->stop != NULL && context->state != NULL)
		context->service->stop(context->state);
	spans_stop(context->chores.spans);
	if (!loop_post(context->loop, close_admin, context))
		loop_stop(context->loop);
	return NULL;
}

/* Threads end while the loop runs: they may be waiting for an answer that comes through it. */
static void stop_threads(struct service_context *context)
{
	pthread_t stopper;

	if (pthread_create(&stopper, NULL, stop_main, context) != 0)
		_exit(1);
	loop_run(context->loop);
	pthread_join(stopper, NULL);
}

static void close_all(struct service_context *context)
{
	if (context->loop != NULL)
		stop_threads(context);
	if (context->service->close != NULL && context->state != NULL)
		context->service->close(context->state);
	loop_timer_free(context->drain.timer);
	loop_timer_free(context->chores.news);
	spans_close(context->chores.spans);
	loop_close(context->loop);
	engine_close(context->engine);
	spans_free(context->chores.spans);
	metrics_free(context->metrics);
	kafka_watch_free(context->names.watch);
	health_free(context->health);
}

static int run(struct service_context *context)
{
	struct err e = open_all(context);

	if (e.kind == ERR_OK) {
		LOG(LOG_INFO, "service.started", LOG_TEXT("version", ESTEIRA_VERSION));
		loop_run(context->loop);
		loop_timer_stop(context->drain.timer); /* the loop runs once more: stop_threads */
		LOG(LOG_INFO, "service.stopping", LOG_INT("failed", context->failed));
	} else {
		LOG(LOG_ERROR, "service.start_failed", LOG_ERR(e));
		context->failed = true;
	}
	/* what is stuck past the drain budget must not keep the process: its claim keeps what it
	 * holds until the lease ends */
	alarm(STOP_S);
	close_all(context);
	return context->failed ? 1 : 0;
}

/* --- the command line --- */

/* Documents and keys live in this memory: no core, and nobody but root may look into it or into
 * our environment. 1 and not 0, because a piped core pattern ignores 0. */
static void forbid_cores(void)
{
	const struct rlimit one = { 1, 1 };

	setrlimit(RLIMIT_CORE, &one);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static enum log_level level_of(const char *name)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	int level = LOG_ERROR;

	while (level > LOG_DEBUG && strcmp(names[level], name) != 0)
		level--;
	return (enum log_level)level;
}

static struct err configure(struct service_context *context)
{
	const struct service *service = context->service;
	struct service_conf_table tables[SERVICE_CONF_TABLES + 1];

	TRY(service_conf_read(service, context->arena, &context->conf, &context->own_conf));
	service_conf_tables(service, &context->conf, context->own_conf, tables);
	for (const struct service_conf_table *t = tables; t->items != NULL; t++)
		conf_forget(t->items);
	log_init(service->name, context->conf.instance, level_of(context->conf.log_level));
	TRY(service_conf_names(service, &context->conf, context->arena, &context->names));
	struct secret *pooler =
		service->pooler_of == NULL ? NULL : service->pooler_of(context->own_conf);
	context->names.pooled = context->names.pg;
	context->names.pooled.pooled = pooler != NULL;
	if (pooler != NULL)
		context->names.pooled.live_url = pooler;
	return err_ok();
}

static int configure_and_run(struct service_context *context, bool only_print)
{
	const struct service *service = context->service;
	struct err e = configure(context);

	if (e.kind == ERR_OK && only_print) {
		struct service_conf_table tables[SERVICE_CONF_TABLES + 1];
		service_conf_tables(service, &context->conf, context->own_conf, tables);
		for (const struct service_conf_table *t = tables; t->items != NULL; t++)
			conf_print(t->items, t->base, stdout);
		return 0;
	}
	if (e.kind == ERR_OK && service->prepare != NULL)
		e = service->prepare(context->own_conf, context->arena);
	if (e.kind == ERR_OK)
		return run(context);
	LOG(LOG_ERROR, "service.start_failed", LOG_ERR(e));
	return 2;
}

/* glibc's defaults are a server's: a heap for each thread, and freed memory kept for more of the
 * same. Records are made on one thread and freed on others, so that each heap stays at its highest.
 * What that saves: docs/benchmarks.md. */
static void keep_small(void)
{
	mallopt(M_ARENA_MAX, HEAPS);
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
	mallopt(M_TRIM_THRESHOLD, TRIMMED_BYTES);
}

int service_run(const struct service *service, int argc, char **argv)
{
	bool only_print = argc == 2 && strcmp(argv[1], "--print-config") == 0;

	if (argc > 1 && !only_print)
		return service_show(service, argc, argv);
	forbid_cores();
	keep_small();
	signal(SIGPIPE, SIG_IGN);
	log_init(service->name, "", LOG_INFO);
	struct service_context *context = calloc(1, sizeof *context);
	struct arena *arena = arena_new(CONF_ARENA_BYTES);
	int code = 1;
	if (context != NULL && arena != NULL) {
		context->service = service;
		context->arena = arena;
		code = configure_and_run(context, only_print);
	}
	arena_free(arena);
	free(context);
	return code;
}
