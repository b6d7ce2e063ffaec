/*
 * What the ways to our own servers cost: the time of round trips to Postgres, Redis and the
 * storage, and how full the pools of connections are. One row each for all clients of a process.
 */
#ifndef ESTEIRA_FRAME_METRICS_WIRE_H
#define ESTEIRA_FRAME_METRICS_WIRE_H

#include "port/ear.h"
#include "port/s3_ear.h"

struct metric;
struct metrics;
struct pg_pool;

/* For struct pg_conf and struct redis_limits; metrics must outlive who is opened with it. A client
 * whose commands wait for something to happen (XREAD BLOCK) gets none. */
struct ear metrics_wire_postgres(struct metrics *metrics);
struct ear metrics_wire_redis(struct metrics *metrics);

/* For struct s3_conf and struct s3_fetch; likewise. */
struct s3_ear metrics_wire_storage(struct metrics *metrics);

/* esteira_pool_size, _busy and _waiting of that pool; name is static. */
struct metrics_wire_pool {
	struct metric *busy, *waiting;
	const char *name;
};
/* One that says so itself: metrics_add with &name. NULL metrics: updates are ignored. */
struct metrics_wire_pool metrics_wire_pool(
	struct metrics *metrics, const char *name, unsigned size);
/* One that is looked at by each scrape, so it must stay until the last one. */
void metrics_wire_watch(struct metrics *metrics, const char *name, struct pg_pool *pool);

#endif
