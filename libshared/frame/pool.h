/*
 * Threads for what an HTTP request asks of Postgres, so that handlers are straight lines and the
 * loop never waits. A job runs on a pool thread with a connection and an arena, then its end runs
 * on the loop.
 */
#ifndef ESTEIRA_FRAME_POOL_H
#define ESTEIRA_FRAME_POOL_H

#include "base/arena.h"
#include "base/err.h"

struct loop;
struct metrics;
struct pg;
struct pg_conf;
struct pool;

/* Owned by the caller, untouched by him until done has run. */
struct pool_job {
	/* On a pool thread. */
	struct err (*run)(struct pool_job *job, struct pg *pg, struct arena *arena);
	/* On the loop; e is what run returned, or shutting-down when it never ran. The arena's
	 * memory is valid until done returns. */
	void (*done)(struct pool_job *job, struct err e);
	struct pool_job *next; /* the pool's */
	struct err e;
	struct arena *arena;
};

struct pool_conf {
	struct loop *loop;
	const struct pg_conf *pg;
	unsigned threads; /* and connections */
	size_t arena_bytes;
	size_t queue_max; /* waiting jobs */
	const char *name; /* static: of the metrics; NULL: none */
	struct metrics *metrics;
};

struct err pool_open(const struct pool_conf *conf, struct pool **ret_pool) ERR_MUST_USE;

/* Queues the job. ERR_RETRY overloaded: the queue is full, done will not be called. Loop thread. */
struct err pool_submit(struct pool *pool, struct pool_job *job) ERR_MUST_USE;

/* Lets running jobs end, ends the waiting ones with shutting-down (their done runs on the loop),
 * joins the threads, frees the pool. Any thread but the loop's, which must be running. NULL is
 * fine. */
void pool_close(struct pool *pool);

#endif
