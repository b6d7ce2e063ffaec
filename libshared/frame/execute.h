/*
 * The worker: takes records from the schedule and carries them through their route's steps inside
 * transactions, and does with a failure what frame/verdict says. Everything true about one record -
 * rows, inbox, outbox, its place among the parked - is one Postgres transaction.
 */
#ifndef ESTEIRA_FRAME_EXECUTE_H
#define ESTEIRA_FRAME_EXECUTE_H

#include <pthread.h>

#include "base/err.h"
#include "frame/health.h"
#include "frame/outbox.h"
#include "frame/route.h"
#include "frame/schedule.h"

struct brake_table;
struct claim_set;
struct crowd;
struct gate;
struct gather;
struct halt;
struct park;
struct pg_pool;
struct relay;
struct spans;

/* What the process wants to know of its workers; any worker's thread. */
struct execute_hooks {
	/* A record came to an end, or not: outcome "done", "duplicate", "retry", "again", "dead",
	 * "fenced", "claimed", "parked", "gone", "held", "stale", "suspended", "erased". took_us <
	 * 0: not measured; handler_us, its part in the service's own steps, 0: none ran. */
	void (*count)(void *arg, const char *type, const char *outcome, int64_t took_us,
		int64_t handler_us);
	/* A try of a record failed, whatever comes of it. */
	void (*failed)(void *arg, enum err_code code);
	/* A record became a dead letter (or did so again). */
	void (*dead)(void *arg, const char *error_class);
	void (*fatal)(void *arg, struct err e); /* the process has to end */
	void *arg;
	struct spans *spans; /* where records leave theirs; NULL: nowhere */
};

/* What workers know of each other. */
struct execute_shared {
	struct claim_set *claims; /* being worked on */
	struct gather *gather;
	struct gate *gate;
	struct crowd *crowd;
	pthread_mutex_t *alone; /* of the one that runs alone: failure_run_suspect */
};

/* What the workers of a process share. All borrowed. */
struct execute_conf {
	const char *group;
	const char *owner;   /* of claims: unique per process start */
	const char *version; /* for dead letters */
	void *state;	     /* the service's own */
	struct schedule *schedule;
	struct pg_pool *pool;
	struct outbox_conf outbox;
	struct relay *relay;
	struct execute_shared shared;
	struct park *park;
	struct brake_table *brakes;
	struct halt *halt;
	struct health *health;
	struct execute_hooks hooks;
};

/* A worker thread's life: returns after schedule_stop or a fatal error. */
void execute_run(const struct execute_conf *conf);

#endif
