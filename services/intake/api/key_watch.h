/*
 * What goes on for longer than a key is known for: an event stream says with which key it was asked
 * for, and is told when that key is no longer good, by the cache and the freshness that requests
 * have (key_cache.h). Looked at once a second, in memory; a key is asked of the database when the
 * cache has forgotten it, a few at a time and once for all that hold the same one. A key that
 * nobody can be asked about counts as good for KEY_WATCH_TRUST_MS and not longer. Loop thread only.
 */
#ifndef ESTEIRA_INTAKE_API_KEY_WATCH_H
#define ESTEIRA_INTAKE_API_KEY_WATCH_H

#include "api/key_cache.h"
#include "base/err.h"

struct key_watch;

enum {
	KEY_WATCH_ASKING_MAX = 8,  /* at once, of the threads that answer requests */
	KEY_WATCH_TRUST_MS = 9000, /* a look a second: what ends does so within 10 s */
};

/* Part of the holder's struct; zero but for the first two until key_watch_add. */
struct key_watch_hold {
	struct key_cache_ask ask; /* ask.key is the key; the rest is ours */
	/* The key has ended, or may have. The hold is removed already. */
	void (*ended)(struct key_watch_hold *hold);
	struct key_watch *watch; /* NULL: not added */
	struct key_watch_hold *next;
	int64_t good_ms; /* when it was asked about and found good */
};

/* ERR_FATAL out-of-memory. */
struct err key_watch_open(struct key_cache *cache, struct key_watch **ret_watch) ERR_MUST_USE;

/* When nothing is held. NULL is fine. */
void key_watch_close(struct key_watch *watch);

/* Of a key that a request was let in with just now. */
void key_watch_add(struct key_watch *watch, struct key_watch_hold *hold);
void key_watch_remove(struct key_watch_hold *hold); /* not added is fine */

/* Looks at all that is held; once a second. */
void key_watch_look(struct key_watch *watch);

#endif
