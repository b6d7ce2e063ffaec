/* The provider of charges, by HTTP: POST /charges with an Idempotency-Key, GET /lookup?key=. */
#ifndef ESTEIRA_REFERENCE_GATEWAY_H
#define ESTEIRA_REFERENCE_GATEWAY_H

#include "base/arena.h"
#include "frame/effect.h"
#include "events.h"

struct http;

struct gateway {
	struct http *http;
	const char *url; /* without a slash at its end */
	int64_t timeout_ms;
};

struct gateway_answer {
	enum effect_state state;
	const char *reference; /* NULL: none; in arena */
};

/*
 * *ret_answer is always set; when it is EFFECT_INTENT or EFFECT_UNKNOWN the result says how to go
 * on: ERR_RETRY provider-away (nothing happened), try-again (it knows nothing of it: call), or
 * effect-unknown. ERR_REJECT bad-parameter for a bad URL. Blocking; not on the loop's thread.
 */
struct err gateway_charge(const struct gateway *gateway, struct arena *arena,
	const struct events_charge *charge, struct gateway_answer *ret_answer) ERR_MUST_USE;
struct err gateway_ask(const struct gateway *gateway, struct arena *arena,
	const struct events_charge *charge, struct gateway_answer *ret_answer) ERR_MUST_USE;

#endif
