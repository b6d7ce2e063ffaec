/*
 * What a service does with an event type. A handler never polls, commits offsets, retries, sleeps
 * or catches signals: it returns what the caller must do next, and the frame does it.
 *
 *   ROUTE_TXN   handle()                      inside the transaction that also writes inbox and
 * outbox ROUTE_WORK  claimed()                     inside the transaction that takes the claim
 *               work()                        no transaction, no lock; seconds are fine
 *               handle()                      inside the one transaction that spends the claim
 *   both        after()                       once the transaction has committed; best effort, may
 * be lost in a crash, so only what heals by itself goes here settle()                      inside a
 * transaction of its own after after()
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

/* What a step gets. All of it lives until the record is done. */
struct scope {
	struct arena *arena;
	struct pg *pg; /* in a transaction with the tenant set; NULL in work() and after() */
	void *state;   /* the service's own, from service.open */
	const struct event *event;
	struct outbox *outbox; /* NULL in work() and after() */
	void *user;	       /* a handler's own, from one step to the next */
};

typedef struct err route_step(struct scope *scope, const void *payload);

enum route_kind { ROUTE_TXN, ROUTE_WORK };

/* What a replay of this route means (design: replay). */
enum route_replay { ROUTE_REBUILD, ROUTE_VERIFY, ROUTE_SOURCE_GONE };

struct route {
	const struct codec_type *type; /* its name is the ce_type; NULL ends the table */
	enum route_kind kind;
	enum route_replay replay;
	route_step *handle;
	route_step *claimed;
	route_step *work;
	route_step *after;
	route_step *settle;
	int64_t patience_ms; /* how long a retryable answer is retried in place; 0 = 10 minutes */
};

/* The route of a ce_type, or NULL. */
const struct route *route_find(const struct route *routes, struct str type);

#endif
