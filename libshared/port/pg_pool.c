/* A few connections shared by more threads; kept apart from the connection itself. */
#include "port/pg.h"

#include <pthread.h>
#include <stdlib.h>

struct pg_pool {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	unsigned free_count;
	unsigned count;
	unsigned waiting;
	struct pg *free[];
};

struct pg_pool *pg_pool_new(const struct pg_conf *conf, unsigned count)
{
	struct pg_pool *pool = calloc(1, sizeof *pool + count * sizeof pool->free[0]);

	if (pool == NULL)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->freed, NULL);
	pool->count = count;
	for (; pool->free_count < count; pool->free_count++) {
		pool->free[pool->free_count] = pg_new(conf);
		if (pool->free[pool->free_count] == NULL) {
			pool->count = pool->free_count;
			pg_pool_free(pool);
			return NULL;
		}
	}
	return pool;
}

void pg_pool_free(struct pg_pool *pool)
{
	if (pool == NULL)
		return;
	for (unsigned i = 0; i < pool->free_count; i++)
		pg_free(pool->free[i]);
	pthread_cond_destroy(&pool->freed);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

struct pg *pg_pool_take(struct pg_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->waiting++;
	while (pool->free_count == 0)
		pthread_cond_wait(&pool->freed, &pool->lock);
	pool->waiting--;
	struct pg *pg = pool->free[--pool->free_count];
	pthread_mutex_unlock(&pool->lock);
	return pg;
}

struct err pg_pool_give(struct pg_pool *pool, struct pg *pg, struct arena *arena, struct err e)
{
	struct err kept = arena_keep_err(arena, e);

	pthread_mutex_lock(&pool->lock);
	pool->free[pool->free_count++] = pg;
	pthread_cond_signal(&pool->freed);
	pthread_mutex_unlock(&pool->lock);
	return kept;
}

void pg_pool_look(struct pg_pool *pool, struct pg_pool_view *ret_view)
{
	pthread_mutex_lock(&pool->lock);
	*ret_view =
		(struct pg_pool_view){ pool->count, pool->count - pool->free_count, pool->waiting };
	pthread_mutex_unlock(&pool->lock);
}
