/*
 * The front: what every request with a key passes before its route sees it. The key is asked of the
 * cache (key_cache.h), then whether its tenant is active, whether it has the route's scope, and
 * last the rate limit of the route's class. Nothing of the body is read before. Loop thread only.
 */
#ifndef ESTEIRA_INTAKE_API_FRONT_H
#define ESTEIRA_INTAKE_API_FRONT_H

#include "api/auth.h"
#include "api/key_cache.h"
#include "api/rate.h"
#include "base/err.h"

struct api;
struct call_route;
struct front;
struct key_watch;
struct web_exchange;

/* The extra of every row of the route table. */
struct front_gate {
	unsigned scope; /* of enum api_keys_scope; 0 = open to everybody, never asked here */
	enum rate_class class;
	const struct call_route *call; /* of call_handle; NULL when the row has its own handler */
};

/* One request at the front, part of the asker's struct; zero but for the first two. */
struct front_ask {
	struct web_exchange *exchange;
	/* The answer, once. ERR_REJECT unauthenticated, forbidden, rate-limited; failures of
	 * api_submit and of the key's look-up. ask->who is set unless the key is not good. The
	 * answer that follows carries the RateLimit fields. */
	void (*done)(struct front_ask *ask, struct err e);
	struct auth_who who;
	struct front *front;
	struct key_cache_ask key;
	struct rate_ask rate;
};

/* Failures: rate_open, key_cache_open. After one *ret_front may be set. */
struct err front_open(struct api *api, struct front **ret_front) ERR_MUST_USE;

/* After intake->pool has ended. NULL is fine. */
void front_close(struct front *front);

/* Asks for the exchange's route and key. Answers by ask->done, maybe inside this call. */
void front_ask(struct front *front, struct front_ask *ask);

/* Takes the question back: done will not be called. What is not being asked is fine. */
void front_leave(struct front_ask *ask);

/* The keys of answers that last. */
struct key_watch *front_watch(const struct front *front);

/* A key has ended here: it is asked for anew, so that this process knows at once. key_id: 8 hex
 * digits. */
void front_forget(struct front *front, struct tenant tenant, const char *key_id);

#endif
