#include "frame/pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "frame/metrics.h"
#include "frame/metrics_wire.h"
#include "port/loop.h"
#include "port/pg.h"

/* A client waits: longer than a lock may take (5 s), not as long as a statement. */
enum { ANSWER_MS = 8000 };

struct pool {
	struct pool_conf conf;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct pool_job *first, **end;
	size_t waiting;
	bool stopping;
	struct metrics_wire_pool measured;
	unsigned thread_count;
	pthread_t threads[];
};

static void on_loop(void *arg)
{
	struct pool_job *job = arg;
	struct arena *arena = job->arena;

	job->done(job, job->e);
	arena_free(arena);
}

static struct pool_job *take(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (pool->first == NULL && !pool->stopping)
		pthread_cond_wait(&pool->changed, &pool->lock);
	struct pool_job *job = pool->stopping ? NULL : pool->first;
	if (job != NULL) {
		pool->first = job->next;
		if (pool->first == NULL)
			pool->end = &pool->first;
		pool->waiting--;
		metrics_add(pool->measured.waiting, &pool->measured.name, -1);
		metrics_add(pool->measured.busy, &pool->measured.name, 1);
	}
	pthread_mutex_unlock(&pool->lock);
	return job;
}

static struct err run_job(struct pool *pool, struct pool_job *job, struct pg *pg)
{
	job->arena = arena_new(pool->conf.arena_bytes);
	if (job->arena == NULL)
		return err_retry(ERR_CODE_OVERLOADED, "no memory for a request");
	pg_refresh(pg);
	struct err e = job->run(job, pg, job->arena);
	if (e.kind != ERR_OK)
		pg_rollback(pg);
	return e;
}

static void *thread_main(void *arg)
{
	struct pool *pool = arg;
	struct pg_conf conf = *pool->conf.pg;

	conf.answer_ms = ANSWER_MS;
	struct pg *pg = pg_new(&conf);
	struct pool_job *job;

	while (pg != NULL && (job = take(pool)) != NULL) {
		job->e = run_job(pool, job, pg);
		metrics_add(pool->measured.busy, &pool->measured.name, -1);
		if (!loop_post(pool->conf.loop, on_loop, job))
			arena_free(
				job->arena); /* the loop has ended, and with it the job's owner */
	}
	pg_free(pg);
	return NULL;
}

struct err pool_open(const struct pool_conf *conf, struct pool **ret_pool)
{
	struct pool *pool = calloc(1, sizeof *pool + conf->threads * sizeof pool->threads[0]);
	pthread_attr_t attr;

	if (pool == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the request pool");
	pool->conf = *conf;
	pool->end = &pool->first;
	pool->measured = metrics_wire_pool(
		conf->name == NULL ? NULL : conf->metrics, conf->name, conf->threads);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->changed, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512 * 1024);
	while (pool->thread_count < conf->threads &&
		pthread_create(&pool->threads[pool->thread_count], &attr, thread_main, pool) == 0)
		pool->thread_count++;
	pthread_attr_destroy(&attr);
	if (pool->thread_count < conf->threads) {
		pool_close(pool);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no more threads for the request pool");
	}
	*ret_pool = pool;
	return err_ok();
}

struct err pool_submit(struct pool *pool, struct pool_job *job)
{
	pthread_mutex_lock(&pool->lock);
	bool full = pool->waiting >= pool->conf.queue_max || pool->stopping;
	if (!full) {
		job->next = NULL;
		*pool->end = job;
		pool->end = &job->next;
		pool->waiting++;
		metrics_add(pool->measured.waiting, &pool->measured.name, 1);
		pthread_cond_signal(&pool->changed);
	}
	pthread_mutex_unlock(&pool->lock);
	return full ? err_retry(ERR_CODE_OVERLOADED, "too many requests are waiting") : err_ok();
}

void pool_close(struct pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	for (struct pool_job *job = pool->first, *next; job != NULL; job = next) {
		next = job->next;
		job->arena = NULL;
		job->e = err_retry(ERR_CODE_SHUTTING_DOWN, "this instance is shutting down");
		if (!loop_post(pool->conf.loop, on_loop, job))
			return; /* the loop has ended, and with it the jobs' owners */
	}
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
