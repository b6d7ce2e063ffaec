/*
 * The proof that this process can recognise: a key in Redis that lives REDISKEY_ALIVE_TTL_S and is
 * set after a recognised page, at most once in 10 s; a process that recognised nothing for 20 s
 * proves it with a built-in bitmap. /v1/health of intake looks for such keys.
 */
#ifndef ESTEIRA_OCR_ALIVE_H
#define ESTEIRA_OCR_ALIVE_H

#include "base/err.h"

#include <stdint.h>

struct alive;
struct document_reader;
struct health;
struct loop;
struct redis;

/* All borrowed. */
struct alive_conf {
	struct loop *loop;
	struct redis *redis;
	struct health *health;
	struct document_reader *reader;
	const char *instance;
	void (*fatal)(void *arg, struct err e); /* the proof failed for good; any thread */
	void *arg;
};

/* Loop thread; proves at once. ERR_FATAL out-of-memory. */
struct err alive_open(const struct alive_conf *conf, struct alive **ret_alive) ERR_MUST_USE;

/* A page was recognised. Any thread. */
void alive_proved(struct alive *alive);

/* Milliseconds since the last proof; -1 before the first. Any thread. */
int64_t alive_age_ms(const struct alive *alive);

/* After redis_close and before document_close, on the loop's thread when the loop has stopped;
 * waits for a proof under way (at most 5 s). NULL is fine. */
void alive_close(struct alive *alive);

#endif
