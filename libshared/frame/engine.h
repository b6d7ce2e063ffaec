/*
 * The conveyor inside a process: consumer, schedule, workers, relay and claims, with their threads
 * and connections. service.c owns one; it knows nothing of signals, HTTP or the command line.
 */
#ifndef ESTEIRA_FRAME_ENGINE_H
#define ESTEIRA_FRAME_ENGINE_H

#include "base/err.h"
#include "frame/outbox.h"
#include "frame/route.h"
#include "port/kafka.h"
#include "port/pg.h"

struct consumer;
struct engine;
struct halt;
struct health;
struct metrics;
struct park;
struct brake_table;
struct kafka_watch;
struct pg_pool;
struct relay;
struct schedule;
struct spans;

/* Who this process is, worked out of its configuration. */
struct engine_names {
	struct topic_space space;
	struct outbox_conf outbox;
	const char *group;
	const char *const *topics; /* full names of what is read */
	size_t topic_count;
	char owner[96];	       /* of claims: unique per process start */
	int64_t replay_max;    /* records a rewind may hold without confirmation */
	struct pg_conf pg;     /* role esteira_<service> */
	struct pg_conf frame;  /* role esteira_frame_<service> */
	struct pg_conf pooled; /* pg through a pooler, or pg itself */
	struct kafka_conf kafka;
	struct kafka_watch *watch; /* of what kafka.ear hears; NULL: nobody watches */
};

struct engine_conf {
	const struct engine_names *names;
	const char *version;
	struct health *health;
	struct metrics *metrics;
	struct spans *spans;		       /* NULL: none are made */
	bool outlives;			       /* it goes on for every tenant: frame/erase */
	void (*fail)(void *arg, struct err e); /* the process has to end; any thread */
	void *arg;
};

/* Makes the parts; no thread runs yet. Everything in conf is borrowed. */
struct err engine_open(const struct engine_conf *conf, struct engine **ret_engine) ERR_MUST_USE;

/* Starts the threads: the relay, `threads` workers, and (when something is read) the poll thread.
 * state goes into every scope. */
struct err engine_start(struct engine *engine, const struct route *routes, int threads, void *state)
	ERR_MUST_USE;

/* Fetch nothing more, give workers nothing more. Any thread. */
void engine_drain(struct engine *engine);
bool engine_is_idle(struct engine *engine);

/* Ends the threads; what workers hold is finished first. Any thread but the loop's, which must be
 * running because handlers may wait for it. NULL is fine. */
void engine_stop(struct engine *engine);

/* After engine_stop; NULL is fine. */
void engine_close(struct engine *engine);

struct relay *engine_relay(struct engine *engine);
struct pg_pool *engine_pool(struct engine *engine);
struct schedule *engine_schedule(struct engine *engine);
struct park *engine_park(struct engine *engine);
struct brake_table *engine_brakes(struct engine *engine);
struct halt *engine_halt(struct engine *engine);
struct consumer *engine_consumer(const struct engine *engine); /* NULL: nothing is read */

#endif
