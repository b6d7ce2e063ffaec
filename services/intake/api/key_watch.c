#include "api/key_watch.h"

#include <stdlib.h>

#include "base/clock.h"

struct key_watch {
	struct key_cache *cache;
	struct key_watch_hold *first;
	struct key_watch_hold *at; /* the next one of this round; NULL: it is over */
	size_t asking;
	bool going; /* inside go() */
};

static void end(struct key_watch_hold *hold)
{
	key_watch_remove(hold);
	hold->ended(hold);
}

/* False: the cache knows nothing of the key. */
static bool judge(struct key_watch_hold *hold)
{
	const struct key_cache_entry *known =
		key_cache_get(hold->watch->cache, hold->ask.key.hash, clock_mono_ms());

	if (known == NULL)
		return false;
	if (known->e.kind == ERR_OK)
		hold->good_ms = known->until_ms - KEY_CACHE_GOOD_MS;
	else
		end(hold);
	return true;
}

static void go(struct key_watch *watch)
{
	if (watch->going)
		return;
	watch->going = true;
	while (watch->at != NULL && watch->asking < KEY_WATCH_ASKING_MAX) {
		struct key_watch_hold *hold = watch->at;
		watch->at = hold->next;
		if (hold->ask.lookup != NULL || judge(hold))
			continue;
		watch->asking++;
		key_cache_ask(watch->cache, &hold->ask);
	}
	watch->going = false;
}

/* What the answer was stands in the cache now, unless it was none. */
static void on_answer(struct key_cache_ask *ask, struct err e, const struct auth_who *who)
{
	struct key_watch_hold *hold = (struct key_watch_hold *)ask;
	struct key_watch *watch = hold->watch;

	(void)e;
	(void)who;
	watch->asking--;
	(void)judge(hold);
	go(watch);
}

void key_watch_add(struct key_watch *watch, struct key_watch_hold *hold)
{
	hold->ask.done = on_answer;
	hold->watch = watch;
	hold->good_ms = clock_mono_ms() - KEY_CACHE_GOOD_MS;
	hold->next = watch->first;
	watch->first = hold;
}

void key_watch_remove(struct key_watch_hold *hold)
{
	struct key_watch *watch = hold->watch;

	if (watch == NULL)
		return;
	struct key_watch_hold **at = &watch->first;
	while (*at != hold)
		at = &(*at)->next;
	*at = hold->next;
	if (watch->at == hold)
		watch->at = hold->next;
	if (hold->ask.lookup != NULL)
		watch->asking--;
	key_cache_leave(&hold->ask);
	hold->watch = NULL;
}

/* A round that has not come to its end goes on: those it waits for are not asked about twice. */
void key_watch_look(struct key_watch *watch)
{
	int64_t now_ms = clock_mono_ms();
	struct key_watch_hold *next;

	for (struct key_watch_hold *hold = watch->first; hold != NULL; hold = next) {
		next = hold->next;
		if (now_ms - hold->good_ms >= KEY_WATCH_TRUST_MS)
			end(hold);
	}
	if (watch->at == NULL)
		watch->at = watch->first;
	go(watch);
}

struct err key_watch_open(struct key_cache *cache, struct key_watch **ret_watch)
{
	struct key_watch *watch = calloc(1, sizeof *watch);

	if (watch == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	watch->cache = cache;
	*ret_watch = watch;
	return err_ok();
}

void key_watch_close(struct key_watch *watch)
{
	free(watch);
}
