/*
 * Rate limits: a sliding window of 60 s, exact over all replicas, because the log of what passed is
 * a list in Redis that one script reads and extends by Redis's own clock, in one round trip. While
 * Redis is away or slower than ESTEIRA_RATE_REDIS_MS each process counts for itself (window.h): the
 * limit is then per process, but there is one. When Redis is back, for a minute what a
 * process has let pass counts beside what Redis knows. Loop thread only.
 */
#ifndef ESTEIRA_INTAKE_API_RATE_H
#define ESTEIRA_INTAKE_API_RATE_H

#include "api/window.h"
#include "base/err.h"
#include "base/str.h"
#include "model/tenant.h"

struct intake_conf;
struct loop;
struct metrics;
struct rate;
struct rate_flight;
struct redis_reply;

/* What is counted together, a column of the route table. Of a key: with those it took the place of
 * by rotation, which is no fresh minute. */
enum rate_class {
	RATE_NONE,    /* nothing: who asks is not known */
	RATE_EXTRACT, /* of a key */
	RATE_STATUS,  /* of a key */
	RATE_DEFAULT, /* of a tenant */
	RATE_KEYS,    /* of a key: no other can keep it from ending keys */
	RATE_CLASSES,
};

/* "none", "extract", "status", "default", "keys". */
const char *rate_class_name(enum rate_class class);

enum { RATE_KEY_ID_BYTES = 9 };

/* Whose request of which class. */
struct rate_of {
	enum rate_class class; /* not RATE_NONE */
	struct tenant tenant;
	char lineage[RATE_KEY_ID_BYTES];
	int64_t limit; /* a minute, at least 1 */
};

/* One question, part of the asker's struct; zero but for the first two. */
struct rate_ask {
	struct rate_of of;
	/* The answer, once. */
	void (*done)(struct rate_ask *ask, const struct window_verdict *verdict);
	struct rate_flight *flight; /* what is waited for; NULL = nothing */
};

struct rate_conf {
	struct loop *loop;
	struct metrics *metrics;
	const struct intake_conf *intake; /* where Redis is, and from when on it is slow */
};

/* Opens a Redis connection of its own. Failures: those of redis_open. After one *ret_rate may be
 * set. */
struct err rate_open(const struct rate_conf *conf, struct rate **ret_rate) ERR_MUST_USE;

/* When nobody asks any more. NULL is fine. */
void rate_close(struct rate *rate);

/* Answers by ask->done, inside this call when Redis is away. */
void rate_ask(struct rate *rate, struct rate_ask *ask);

/* Takes the question back: done will not be called. What is not being asked is fine. */
void rate_leave(struct rate_ask *ask);

/* --- texts, pure --- */

enum { RATE_FIELD_BYTES = 64 };

/* RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10). Each takes
 * RATE_FIELD_BYTES. */
void rate_write_fields(const struct rate_of *of, const struct window_verdict *verdict,
	char *ret_policy, char *ret_limit);

/* Retry-After: whole seconds, 1 to 60, after which it passes if nobody else came. */
unsigned rate_retry_after_s(const struct window_verdict *verdict);

/* What the script answered; false: it is no answer to this question. */
bool rate_read_reply(const struct redis_reply *reply, int64_t limit, struct window_verdict *ret);

#endif
