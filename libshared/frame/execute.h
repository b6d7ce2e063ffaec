/*
 * The worker: takes records from the schedule and carries them through their route's steps inside
 * transactions, and decides what becomes of a failure. Everything true about one record - rows,
 * inbox, outbox - is one Postgres transaction.
 */
#ifndef ESTEIRA_FRAME_EXECUTE_H
#define ESTEIRA_FRAME_EXECUTE_H

#include "base/err.h"
#include "frame/health.h"
#include "frame/outbox.h"
#include "frame/route.h"
#include "frame/schedule.h"

struct claim_set;
struct pg_pool;
struct relay;

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
	struct claim_set *claims; /* being worked on */
	struct health *health;
	/* A record was finished: outcome "done", "duplicate", "retry", "dead", "fenced", "claimed".
	 */
	void (*count)(void *arg, const char *type, const char *outcome, int64_t took_us);
	void (*fatal)(void *arg, struct err e); /* the process has to end */
	void *arg;
};

/* A worker thread's life: returns after schedule_stop or a fatal error. */
void execute_run(const struct execute_conf *conf);

#endif
