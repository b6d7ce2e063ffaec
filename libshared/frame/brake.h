/*
 * Brakes: a (route, tenant) whose records keep failing is stopped for a while instead of being
 * worked through into dead letters. Closed -> open after BRAKE_FAILURES in a row or at once when
 * its provider is away; after its pause one record goes through as a probe; a good one closes it, a
 * bad one opens it for twice as long (at most BRAKE_PAUSE_MAX_MS; that of a target, an endpoint
 * outside, for BRAKE_PAUSE_MS again), after one that tells nothing the next is the probe. The state
 * machine is pure
 * (brake_next); the table of brakes is bounded and forgets the longest unused closed one first. Any
 * thread.
 */
#ifndef ESTEIRA_FRAME_BRAKE_H
#define ESTEIRA_FRAME_BRAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/tenant.h"

enum {
	BRAKE_FAILURES = 5,
	BRAKE_PAUSE_MS = 60000,
	BRAKE_PAUSE_MAX_MS = 600000,
	BRAKE_PROBE_WAIT_MS = 5000,
	BRAKE_TABLE_MAX = 4096,
};

enum brake_state { BRAKE_CLOSED, BRAKE_OPEN, BRAKE_PROBING };

enum brake_event {
	BRAKE_GOOD,    /* a record was handled */
	BRAKE_BAD,     /* an answer that counts: retry parked, or dead */
	BRAKE_AWAY,    /* the provider is away: opens at once */
	BRAKE_PROBE,   /* a record asks to go while open and the pause is over */
	BRAKE_NOTHING, /* its end tells nothing: a redrive that failed again, a duplicate */
};

struct brake {
	enum brake_state state;
	int failures;
	int64_t pause_ms;
	int64_t until_ms; /* OPEN: when a probe may go; PROBING: when another one may */
};

/* PURE: (state, event, now) -> state. longest_ms: what its pauses are doubled up to. */
struct brake brake_next(
	struct brake brake, enum brake_event event, int64_t longest_ms, int64_t now_ms);

/* What a brake is about: what a route does for a tenant, or with one target of the tenant's. */
struct brake_pair {
	const char *route; /* static */
	struct tenant tenant;
	struct id target; /* route->target of the payload; nil: all of the tenant's */
};
bool brake_pair_eq(const struct brake_pair *a, const struct brake_pair *b);

struct brake_table;
struct brake_table *brake_table_new(void); /* NULL without memory */
void brake_table_free(struct brake_table *table);

/* May a record of this pair be handled now? *ret_wait_ms: if not, for how long it is to be parked
 * (> 0); not long while a probe is under way, whose end is near. A probe counts as asked: tell its
 * end with brake_tell. */
bool brake_allows(struct brake_table *table, const struct brake_pair *pair, int64_t now_ms,
	int64_t *ret_wait_ms);
void brake_tell(struct brake_table *table, const struct brake_pair *pair, enum brake_event event,
	int64_t now_ms);

/* More than half of the (route, tenant) pairs seen in this partition in the last 60 s are braked,
 * and at least two: the partition is to stop until *ret_wait_ms is over. The pairs of a partition
 * are those that brake_tell and brake_allows were told with. */
bool brake_stops(struct brake_table *table, const char *topic, int32_t partition, int64_t now_ms,
	int64_t *ret_wait_ms);
/* A record of this pair was seen in this partition. Not for pairs with a target: a tenant whose
 * endpoints are all dead is no reason to stop. */
void brake_see(struct brake_table *table, const char *topic, int32_t partition,
	const struct brake_pair *pair, int64_t now_ms);

/* How many are not closed; without a lock. */
size_t brake_count_open(struct brake_table *table);

/* Whether it is not closed. Asks for no probe. */
bool brake_is_on(struct brake_table *table, const struct brake_pair *pair);

#endif
