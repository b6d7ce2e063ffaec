/*
 * What a service does with an event type. A handler never polls, commits offsets, retries, sleeps
 * or catches signals: it returns what the caller must do next, and the frame does it.
 *
 *   ROUTE_TXN   handle()   inside the transaction that also writes inbox and outbox
 *   ROUTE_WORK  claimed()  inside the transaction that takes the claim
 *               work()     no transaction, no lock; seconds are fine
 *               failed()   when work() failed: a transaction of its own, before the record waits
 *               handle()   inside the one transaction that spends the claim
 *   both        after()    once the transaction has committed; best effort, may be lost in a crash,
 *                          so only what heals by itself goes here
 *               settle()   inside a transaction of its own after after()
 *
 * Each may be NULL but handle. The payload is the decoded struct, the same one in every step.
 */
#ifndef ESTEIRA_FRAME_ROUTE_H
#define ESTEIRA_FRAME_ROUTE_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/outbox.h"
#include "model/codec.h"
#include "model/envelope.h"

struct pg;

/* What a step gets: the same one for all steps of a record, and all of it lives until the record is
 * done. */
struct scope {
	struct arena *arena;
	struct pg *pg; /* in a transaction with the tenant set; NULL in work() and after() */
	void *state;   /* the service's own, from service.open */
	const struct event *event;
	struct outbox *outbox; /* NULL in work() and after() */
	void *user;	       /* a handler's own, from one step to the next */
	int64_t epoch;	       /* > 0: a replay */
	int attempts;	       /* answers about this record before this one */
	int64_t again_ms;      /* set by a step that fails with ERR_RETRY: the pause before the next
				* attempt, instead of tries in place and the route's delay */
	int64_t doubt_ms; /* > 0: what this record did before this wall time may have been lost with
			   * the database's last seconds: no effect outside without a look-up
			   * (frame/effect) */
	bool gone; /* set by a step: in a replay, what the record is about was deleted by design */
};

typedef struct err route_step(struct scope *scope, const void *payload);

enum route_kind { ROUTE_TXN, ROUTE_WORK };

/* What a replay of this route means (design: replay). */
enum route_replay { ROUTE_REBUILD, ROUTE_VERIFY, ROUTE_SOURCE_GONE };

/* After a dead letter its key goes on, or waits for a person's decision (money). */
enum route_death { ROUTE_SKIP, ROUTE_BLOCK_KEY };

struct route {
	const struct codec_type *type; /* its name is the ce_type; NULL ends the table */
	enum route_kind kind;
	enum route_replay replay;
	enum route_death death;
	route_step *handle;
	route_step *claimed;
	route_step *work;
	route_step *failed;
	route_step *after;
	route_step *settle;
	int attempts;	  /* answers until it is a dead letter; 0 = 3 */
	int64_t delay_ms; /* until the second attempt, doubled for each further one; 0 = 2000 */
	/* Whom the payload makes us call, where a tenant has several: a brake is on for one of them
	 * alone, and at most target_max calls of a process are under way to each (0: any number).
	 * NULL: the tenant is meant. PURE. */
	struct id (*target)(const void *payload);
	int target_max;
};

/* The route of a ce_type, or NULL. */
const struct route *route_find(const struct route *routes, struct str type);

#endif
