/*
 * What Postgres said of an API key, kept for seconds, so that thousands of small requests ask it
 * once and not each time. The price is named: a revoked or expired key, or one of a suspended
 * tenant, ends within KEY_CACHE_GOOD_MS. A key is known by the hash of what was sent; of keys that
 * are asked for at once the first alone is looked up. Loop thread only.
 */
#ifndef ESTEIRA_INTAKE_API_KEY_CACHE_H
#define ESTEIRA_INTAKE_API_KEY_CACHE_H

#include "api/auth.h"
#include "base/err.h"

struct api;
struct key_cache;
struct key_cache_lookup;

enum {
	KEY_CACHE_GOOD_MS = 5000, /* from the question on */
	KEY_CACHE_BAD_MS = 1000,
	KEY_CACHE_KEYS = 1024, /* kept at most */
};

/* One question, part of the asker's struct; zero but for the first two. */
struct key_cache_ask {
	struct auth_key key;
	/* The answer, once: err_ok, or the failures of auth_check and api_submit. *who is set
	 * unless the key is unknown, and valid during the call like e.msg. */
	void (*done)(struct key_cache_ask *ask, struct err e, const struct auth_who *who);
	struct key_cache_lookup *lookup; /* that is waited for; NULL = none */
	struct key_cache_ask *next;
};

/* ERR_FATAL out-of-memory. */
struct err key_cache_open(struct api *api, struct key_cache **ret_cache) ERR_MUST_USE;

/* Wipes it. After intake->pool has ended. NULL is fine. */
void key_cache_close(struct key_cache *cache);

/* Answers by ask->done, inside this call when the key is known. */
void key_cache_ask(struct key_cache *cache, struct key_cache_ask *ask);

/* Takes the question back: done will not be called. What is not being asked is fine. */
void key_cache_leave(struct key_cache_ask *ask);

/* Drops what is known of that key. */
void key_cache_forget(struct key_cache *cache, struct tenant tenant, const char *key_id);

/* --- the memory of it, for key_cache.c and its test --- */

struct key_cache_entry {
	struct err e; /* err_ok, or a reject with a static message */
	struct auth_who who;
	int64_t until_ms; /* monotonic; it counts before that moment */
	uint8_t hash[DIGEST_BYTES];
};

/* NULL: not known at now_ms. Valid until the next key_cache_put. */
const struct key_cache_entry *key_cache_get(
	const struct key_cache *cache, const uint8_t *hash, int64_t now_ms);

/* Keeps an answer to a question of since_ms; failures other than rejects are not kept. In a full
 * place the entry that ends first makes room, so wrong keys push each other out before good ones.
 */
void key_cache_put(struct key_cache *cache, const struct key_cache_entry *entry, int64_t since_ms);

#endif
