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

enum { REDIS_GREETING_ARGS = 3, REDIS_GREETING_TEXT_BYTES = 16 };

/* The first greeting from at on that this URL needs; REDIS_GREETING_END when none is left. */
enum redis_greeting redis_greeting_from(const struct redis_url *url, enum redis_greeting at);

/* The words of a greeting; ret_argv takes REDIS_GREETING_ARGS. They point into url, name and text,
 * which takes REDIS_GREETING_TEXT_BYTES. Returns their number. */
size_t redis_greeting_words(const struct redis_url *url, const char *name, enum redis_greeting at,
	char *text, struct str *ret_argv);

#endif
