/*
 * The admin port: /livez (do our threads turn), /readyz (what is down, by name), /metrics. Workers
 * stay ready while a server of ours is away: restarting or unrouting them heals nothing.
 */
#ifndef ESTEIRA_FRAME_ADMIN_H
#define ESTEIRA_FRAME_ADMIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct admin;
struct buf;
struct engine;
struct health;
struct loop;
struct metrics;

struct admin_conf {
	struct loop *loop;
	const char *address; /* host:port */
	struct health *health;
	struct engine *engine; /* started */
	int64_t step_max_ms;   /* a handler of ROUTE_TXN hangs after this */
	int64_t work_max_ms;   /* one of ROUTE_WORK */
	/* Appends the service's own members to /readyz (",\"name\":..."); false = not ready. */
	bool (*ready)(void *arg, struct buf *out);
	void *arg;
};

/* What /livez judges by. That it is asked at all says that the loop turns. */
struct admin_signs {
	bool reads;		    /* there is a poll thread */
	int64_t tick_age_ms;	    /* since it came round */
	size_t idle;		    /* workers without a record */
	int64_t oldest_runnable_ms; /* how long a record that could run has waited; 0 = none */
	bool all_up;		    /* every server we stand on answers */
	bool overdue;		    /* a handler has had its record for longer than it may */
};

/* Whether a restart could heal nothing. PURE. */
bool admin_is_alive(const struct admin_signs *signs);

/* Makes the metrics, before anything counts. NULL without memory. */
struct metrics *admin_metrics_new(const char *service, const char *version);

/* Listens. Everything in conf is borrowed. Loop thread. */
struct err admin_open(const struct admin_conf *conf, struct metrics *metrics,
	struct admin **ret_admin) ERR_MUST_USE;
/* Stops listening and frees; done(arg) runs on the loop when nothing is left. Loop thread, which
 * must turn. */
void admin_close(struct admin *admin, void (*done)(void *arg), void *arg);

/* From now on /readyz answers 503. Loop thread. */
void admin_set_draining(struct admin *admin);

#endif
