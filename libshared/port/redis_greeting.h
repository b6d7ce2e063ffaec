/*
 * What a fresh connection says before any command of ours: who we are, which database, what we are
 * called, and the question for our own id. Sent in this order and answered in it.
 */
#ifndef ESTEIRA_PORT_REDIS_GREETING_H
#define ESTEIRA_PORT_REDIS_GREETING_H

#include "port/redis_url.h"

enum redis_greeting {
	REDIS_GREETING_AUTH,
	REDIS_GREETING_SELECT,
	REDIS_GREETING_NAME,
	REDIS_GREETING_ID,
	REDIS_GREETING_END,
};

/* The first greeting from at on that this URL needs; REDIS_GREETING_END when none is left. */
enum redis_greeting redis_greeting_from(const struct redis_url *url, enum redis_greeting at);

/* A greeting as it goes over the wire, in heap memory for the caller. ERR_FATAL out-of-memory. */
struct err redis_greeting_format(const struct redis_url *url, const char *name,
	enum redis_greeting at, char **ret_bytes, size_t *ret_len) ERR_MUST_USE;

#endif
