/*
 * The effect ledger: what we do outside - a charge, a message, a webhook - is written down before
 * and after, by business key and without the epoch, so that neither a crash nor a replay does it
 * twice. A ledgered effect is a ROUTE_WORK: claimed() calls effect_begin (committed as `sending`
 * before the call), work() calls the provider, handle() calls effect_end. What a crash or a timeout
 * leaves as `sending` becomes `unknown` and is resolved by asking, never by a blind repeat.
 */
#ifndef ESTEIRA_FRAME_EFFECT_H
#define ESTEIRA_FRAME_EFFECT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/tenant.h"

struct pg;

enum effect_state {
	EFFECT_INTENT,	  /* not happened: may be tried */
	EFFECT_SENDING,	  /* under way, or its process died */
	EFFECT_CONFIRMED, /* happened */
	EFFECT_FAILED,	  /* did not happen and never will */
	EFFECT_UNKNOWN, /* may have happened: ask the provider, wait for its webhook, or a person */
};
const char *effect_state_name(enum effect_state state);

/* PURE: may a row go from one state to the other? Staying is always allowed. */
bool effect_may(enum effect_state from, enum effect_state to);

/* Which effect. */
struct effect_key {
	struct tenant tenant;
	const char *kind;   /* "charge", "webhook": static */
	const char *key;    /* business key: "invoice:period", "endpoint:event" */
	struct str request; /* what is asked for; its SHA-256 is kept */
	bool repeatable;  /* at-least-once is its nature: `sending` and `unknown` are tried again */
	int64_t doubt_ms; /* scope->doubt_ms: what the row said before then may be out of date, and
			   * the provider is asked before it is called */
};

/* What work() has to do. */
enum effect_task {
	EFFECT_CALL, /* do it; the row says `sending` */
	EFFECT_ASK,  /* it may have happened: ask, do not repeat; the row says `unknown` */
	EFFECT_OVER, /* confirmed or failed before: nothing; reference and state as they were */
};

struct effect_view {
	enum effect_task task;
	enum effect_state state; /* before this attempt */
	const char *reference;	 /* the provider's, NULL when none; in arena */
	int attempts;		 /* calls begun before this one */
};

/* PURE: what is to be done about a row in this state? */
enum effect_task effect_next(enum effect_state state, bool repeatable);

/* In the transaction of claimed(). ERR_REJECT effect-conflict: the key was used for another
 * request. Failures: pg_query. */
struct err effect_begin(struct pg *pg, struct arena *arena, const struct effect_key *key,
	struct effect_view *ret_view) ERR_MUST_USE;

/* In the transaction of handle(): EFFECT_CONFIRMED, _FAILED, _UNKNOWN, or _INTENT when it surely
 * did not happen and may be tried again. reference may be NULL. ERR_REJECT bad-transition when the
 * row does not allow it. */
struct err effect_end(struct pg *pg, struct arena *arena, const struct effect_key *key,
	enum effect_state state, const char *reference) ERR_MUST_USE;

/* Rows by state, for metrics: counts[EFFECT_...]. Only what is open: confirmed and failed stay 0,
 * for they only grow and counting them would read the whole table. */
struct err effect_count(struct pg *pg, struct arena *arena, int64_t *counts) ERR_MUST_USE;

#endif
