#include "keep.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "port/pg.h"
#include "store.h"

enum { TURN_S = 600, ARENA_BYTES = 1 << 20 };

struct keep {
	struct pg *pg;
	struct arena *arena;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping;
};

static bool wait_turn(struct keep *keep)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += TURN_S;
	pthread_mutex_lock(&keep->lock);
	while (!keep->stopping && pthread_cond_timedwait(&keep->changed, &keep->lock, &until) == 0)
		;
	bool goes_on = !keep->stopping;
	pthread_mutex_unlock(&keep->lock);
	return goes_on;
}

static bool is_stopping(struct keep *keep)
{
	pthread_mutex_lock(&keep->lock);
	bool stopping = keep->stopping;
	pthread_mutex_unlock(&keep->lock);
	return stopping;
}

static void *thread_main(void *arg)
{
	struct keep *keep = arg;

	do {
		size_t count = STORE_FORGET_MAX;
		struct err e = err_ok();
		while (count == STORE_FORGET_MAX && e.kind == ERR_OK && !is_stopping(keep)) {
			arena_reset(keep->arena);
			e = store_forget(keep->pg, keep->arena, &count);
		}
		if (e.kind != ERR_OK)
			LOG(LOG_WARN, "keep.failed", LOG_ERR(e));
	} while (wait_turn(keep));
	return NULL;
}

static void free_keep(struct keep *keep)
{
	pg_free(keep->pg);
	arena_free(keep->arena);
	pthread_cond_destroy(&keep->changed);
	pthread_mutex_destroy(&keep->lock);
	free(keep);
}

struct err keep_open(const struct pg_conf *pg, struct keep **ret_keep)
{
	struct keep *keep = calloc(1, sizeof *keep);
	pthread_condattr_t attr;

	if (keep == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	pthread_mutex_init(&keep->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&keep->changed, &attr);
	pthread_condattr_destroy(&attr);
	keep->pg = pg_new(pg);
	keep->arena = arena_new(ARENA_BYTES);
	if (keep->pg == NULL || keep->arena == NULL ||
		pthread_create(&keep->thread, NULL, thread_main, keep) != 0) {
		free_keep(keep);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	}
	*ret_keep = keep;
	return err_ok();
}

void keep_close(struct keep *keep)
{
	if (keep == NULL)
		return;
	pthread_mutex_lock(&keep->lock);
	keep->stopping = true;
	pthread_cond_signal(&keep->changed);
	pthread_mutex_unlock(&keep->lock);
	pthread_join(keep->thread, NULL);
	free_keep(keep);
}
