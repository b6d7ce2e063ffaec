/*
 * What a key costs a request when it is cached: reading and hashing it, and finding it among as
 * many others as there may be. Prints nanoseconds of processor a request. Driven by
 * tests/bench/auth.py.
 *
 *   auth_front TIMES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/key_cache.h"
#include "base/clock.h"
#include "frame/api_keys.h"

static void fill(struct key_cache *cache, struct api_keys_made *made)
{
	for (size_t i = 0; i < KEY_CACHE_KEYS; i++) {
		struct key_cache_entry entry = { .e = err_ok() };
		api_keys_make(NULL, &made[i]);
		memcpy(entry.hash, made[i].hash, sizeof entry.hash);
		key_cache_put(cache, &entry, clock_mono_ms() + 3600000);
	}
}

int main(int argc, char **argv)
{
	size_t times = argc == 2 ? strtoul(argv[1], NULL, 10) : 0, found = 0;
	static struct api_keys_made made[KEY_CACHE_KEYS];
	struct key_cache *cache;

	if (times == 0 || key_cache_open(NULL, &cache).kind != ERR_OK)
		return 2;
	fill(cache, made);
	clock_t from = clock();
	for (size_t i = 0; i < times; i++) {
		struct auth_key key;
		struct auth_who who;
		const struct key_cache_entry *entry;

		auth_key_of(str_of(made[i % KEY_CACHE_KEYS].text), &key);
		entry = key_cache_get(cache, key.hash, clock_mono_ms());
		if (entry != NULL) {
			who = entry->who;
			found += who.deadline_s == 0;
		}
	}
	double took_s = (double)(clock() - from) / CLOCKS_PER_SEC;
	printf("%.1f\n", took_s * 1e9 / (double)times);
	return found > times / 2 ? 0 : 1;
}
