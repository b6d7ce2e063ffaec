/*
 * The rows of outreach: what is to be told to whom, and each attempt. The transaction and its
 * tenant are the caller's. Failures of all: those of port/pg; ERR_REJECT record-too-large when the
 * arena is full. Worker thread.
 */
#ifndef ESTEIRA_OUTREACH_STORE_H
#define ESTEIRA_OUTREACH_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/erase.h"
#include "model/tenant.h"

struct pg;

/* What is a tenant's; attempts go with their delivery. */
extern const struct erase_step store_erase_steps[];

enum { STORE_ENDPOINTS_MAX = 64, STORE_RESEND_MAX = 500, STORE_FORGET_MAX = 2000 };

/* An endpoint that wants an event. */
struct store_endpoint {
	struct id endpoint_id;
	bool ordered;
};
struct store_endpoints {
	struct store_endpoint *items;
	size_t count;
};

/* Those of the tenant whose filters name the event, at most STORE_ENDPOINTS_MAX. */
struct err store_find_endpoints(struct pg *pg, struct arena *arena, struct tenant tenant,
	const char *filter, struct store_endpoints *ret_endpoints) ERR_MUST_USE;

/* This one alone, whatever it wants; none when it is not active. */
struct err store_find_endpoint(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct id endpoint_id, struct store_endpoints *ret_endpoints) ERR_MUST_USE;

struct store_delivery {
	struct tenant tenant;
	struct id delivery_id, endpoint_id, event_id;
	const char *filter;
	struct str body;
};
/* Queues one INSERT; a row that is there already stays as it is. */
struct err store_add_delivery(struct pg *pg, const struct store_delivery *delivery) ERR_MUST_USE;

/* What a call needs. Texts in the arena. */
struct store_secret {
	uint32_t key_version; /* of the tenant's key that it is wrapped with; 0 = no such secret */
	struct str wrapped;
	struct str key; /* that key, wrapped; ptr NULL: it was destroyed */
};
struct store_call {
	bool is_due;   /* it waits, in this round, and its endpoint is active */
	bool is_there; /* the row is, whatever its state */
	struct id event_id;
	int attempts; /* so far, of all rounds */
	struct str body;
	const char *url;
	bool is_test; /* of the tenant */
	struct store_secret secret, old_secret;
};
struct store_round {
	struct tenant tenant;
	struct id delivery_id;
	int64_t round;
};
struct err store_load_call(struct pg *pg, struct arena *arena, const struct store_round *of,
	struct store_call *ret_call) ERR_MUST_USE;

/* Queues the row of an attempt and what it means for the delivery. */
struct store_attempt {
	struct tenant tenant;
	struct id delivery_id;
	int number;
	int status;		/* 0 = no answer */
	const char *error_code; /* NULL = none */
	int64_t took_ms;
	const char *state; /* of the delivery from now on */
};
struct err store_add_attempt(struct pg *pg, const struct store_attempt *attempt) ERR_MUST_USE;

/* Queues: it will not be sent, if it still waits in this round. */
struct err store_cancel(struct pg *pg, const struct store_round *of) ERR_MUST_USE;

/* Deletes up to STORE_FORGET_MAX deliveries that are 30 days old, with their attempts, and the
 * ledger's word of them: a transaction of its own, of no tenant (the frame's role). */
struct err store_forget(struct pg *pg, struct arena *arena, size_t *ret_count) ERR_MUST_USE;

/* Which deliveries of an endpoint are to be sent again. */
struct store_resend {
	struct tenant tenant;
	struct id endpoint_id;
	struct id delivery_id;	/* nil = any */
	const char *state;	/* NULL = delivered, failed, cancelled */
	int64_t from_ms, to_ms; /* CODEC_NO_INT = open */
	int64_t before_ms;	/* not those that changed since */
};
struct store_again {
	struct id delivery_id;
	int64_t round;
	bool ordered;
};
struct store_agains {
	struct store_again *items;
	size_t count;
};
/* Makes up to STORE_RESEND_MAX of them wait in a new round, the oldest first. */
struct err store_resend(struct pg *pg, struct arena *arena, const struct store_resend *resend,
	struct store_agains *ret_agains) ERR_MUST_USE;

#endif
