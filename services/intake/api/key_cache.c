#include "api/key_cache.h"

#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/sabotage.h"
#include "frame/metrics.h"
#include "frame/pool.h"
#include "frame/service.h"
#include "intake.h"

enum { WAYS = 4, SETS = KEY_CACHE_KEYS / WAYS };

/* A key being looked up, and who waits for it. */
struct key_cache_lookup {
	struct pool_job job; /* first */
	struct key_cache *cache;
	struct auth_key key;
	struct auth_who who; /* the job's until it is done */
	int64_t since_ms;
	struct key_cache_ask *first;
	struct key_cache_lookup *next;
};

struct key_cache {
	struct api *api;
	struct key_cache_lookup *lookups;
	struct metric *looks;
	struct key_cache_entry sets[SETS][WAYS];
};

/* --- what is known --- */

static size_t set_of(const uint8_t *hash)
{
	return ((size_t)hash[0] << 8 | hash[1]) % SETS;
}

/* What a cache that mixes its keys up would answer. */
static const struct key_cache_entry *anybody(
	const struct key_cache *cache, const uint8_t *hash, int64_t now_ms)
{
	for (size_t i = 0; i < KEY_CACHE_KEYS; i++) {
		const struct key_cache_entry *entry = &cache->sets[i / WAYS][i % WAYS];
		if (entry->until_ms > now_ms && entry->e.kind == ERR_OK &&
			memcmp(entry->hash, hash, DIGEST_BYTES) != 0)
			return entry;
	}
	return NULL;
}

const struct key_cache_entry *key_cache_get(
	const struct key_cache *cache, const uint8_t *hash, int64_t now_ms)
{
	const struct key_cache_entry *set = cache->sets[set_of(hash)];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].until_ms > now_ms && memcmp(set[i].hash, hash, DIGEST_BYTES) == 0)
			return &set[i];
	return sabotage_is("key_cache") ? anybody(cache, hash, now_ms) : NULL;
}

void key_cache_put(struct key_cache *cache, const struct key_cache_entry *entry, int64_t since_ms)
{
	struct key_cache_entry *set = cache->sets[set_of(entry->hash)], *place = set;

	if (entry->e.kind != ERR_OK && entry->e.kind != ERR_REJECT)
		return;
	for (size_t i = 0; i < WAYS; i++) {
		if (memcmp(set[i].hash, entry->hash, DIGEST_BYTES) == 0) {
			place = &set[i];
			break;
		}
		if (set[i].until_ms < place->until_ms)
			place = &set[i];
	}
	*place = *entry;
	place->until_ms =
		since_ms + (entry->e.kind == ERR_OK ? KEY_CACHE_GOOD_MS : KEY_CACHE_BAD_MS);
}

/* One that is being looked up at the moment may still come in: it was asked for before. */
void key_cache_forget(struct key_cache *cache, struct tenant tenant, const char *key_id)
{
	for (size_t i = 0; i < KEY_CACHE_KEYS; i++) {
		struct key_cache_entry *entry = &cache->sets[i / WAYS][i % WAYS];
		if (id_eq(entry->who.tenant.id, tenant.id) &&
			strcmp(entry->who.key_id, key_id) == 0)
			digest_wipe(entry, sizeof *entry);
	}
}

/* --- questions --- */

static struct err run(struct pool_job *job, struct pg *pg, struct arena *arena)
{
	struct key_cache_lookup *lookup = (struct key_cache_lookup *)job;

	return auth_check(pg, arena, &lookup->key, &lookup->who);
}

static void unlink_lookup(struct key_cache_lookup *lookup)
{
	struct key_cache_lookup **at = &lookup->cache->lookups;

	while (*at != lookup)
		at = &(*at)->next;
	*at = lookup->next;
}

static void done(struct pool_job *job, struct err e)
{
	struct key_cache_lookup *lookup = (struct key_cache_lookup *)job;
	struct key_cache_entry entry = { .e = { e.kind, e.code, "" }, .who = lookup->who };
	struct key_cache_ask *ask;

	memcpy(entry.hash, lookup->key.hash, sizeof entry.hash);
	unlink_lookup(lookup);
	key_cache_put(lookup->cache, &entry, lookup->since_ms);
	while ((ask = lookup->first) != NULL) {
		lookup->first = ask->next;
		ask->lookup = NULL;
		ask->done(ask, e, &lookup->who);
	}
	api_job_done(lookup->cache->api);
	free(lookup);
}

static struct key_cache_lookup *find_lookup(struct key_cache *cache, const uint8_t *hash)
{
	struct key_cache_lookup *lookup = cache->lookups;

	while (lookup != NULL && memcmp(lookup->key.hash, hash, DIGEST_BYTES) != 0)
		lookup = lookup->next;
	return lookup;
}

static struct err look_up(
	struct key_cache *cache, const struct auth_key *key, struct key_cache_lookup **ret_lookup)
{
	struct key_cache_lookup *lookup = calloc(1, sizeof *lookup);

	if (lookup == NULL)
		return err_retry(ERR_CODE_OVERLOADED, "no memory for a request");
	lookup->job = (struct pool_job){ .run = run, .done = done };
	lookup->cache = cache;
	lookup->key = *key;
	lookup->since_ms = clock_mono_ms();
	struct err e = api_submit(cache->api, &lookup->job);
	if (e.kind != ERR_OK) {
		free(lookup);
		return e;
	}
	lookup->next = cache->lookups;
	cache->lookups = lookup;
	*ret_lookup = lookup;
	return err_ok();
}

void key_cache_ask(struct key_cache *cache, struct key_cache_ask *ask)
{
	const struct key_cache_entry *known = key_cache_get(cache, ask->key.hash, clock_mono_ms());

	const char *outcome = known != NULL ? "known" : "asked";
	metrics_add(cache->looks, &outcome, 1);
	if (known != NULL) {
		ask->done(ask, known->e, &known->who);
		return;
	}
	ask->lookup = find_lookup(cache, ask->key.hash);
	if (ask->lookup == NULL) {
		struct err e = look_up(cache, &ask->key, &ask->lookup);
		if (e.kind != ERR_OK) {
			ask->done(ask, e, &(struct auth_who){ .deadline_s = 0 });
			return;
		}
	}
	ask->next = ask->lookup->first;
	ask->lookup->first = ask;
}

void key_cache_leave(struct key_cache_ask *ask)
{
	if (ask->lookup == NULL)
		return;
	struct key_cache_ask **at = &ask->lookup->first;
	while (*at != ask)
		at = &(*at)->next;
	*at = ask->next;
	ask->lookup = NULL;
}

/* --- opening and closing --- */

struct err key_cache_open(struct api *api, struct key_cache **ret_cache)
{
	static const struct metrics_spec looks = { METRICS_COUNTER, "esteira_auth_looks_total",
		"API keys looked up, by whether they were known or asked of the database.",
		{ "outcome" }, NULL, 0 };
	struct key_cache *cache = calloc(1, sizeof *cache);

	if (cache == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	cache->api = api;
	if (api != NULL)
		cache->looks = metrics_register(service_metrics(api->intake->service), &looks);
	*ret_cache = cache;
	return err_ok();
}

void key_cache_close(struct key_cache *cache)
{
	if (cache != NULL)
		digest_wipe(cache, sizeof *cache);
	free(cache);
}
