#include "frame/metrics_wire.h"

#include "frame/metrics.h"
#include "port/pg.h"

static const struct metrics_spec postgres_spec = { METRICS_HISTOGRAM, "esteira_postgres_seconds",
	"Round trips to Postgres: from what was sent together to its last answer.", { NULL }, NULL,
	0 };
static const struct metrics_spec redis_spec = { METRICS_HISTOGRAM, "esteira_redis_seconds",
	"Commands to Redis, from the call to the answer.", { NULL }, NULL, 0 };
static const struct metrics_spec storage_spec = { METRICS_HISTOGRAM, "esteira_storage_seconds",
	"Calls of the storage, from the request to the answer.", { "operation", "outcome" }, NULL,
	0 };
static const struct metrics_spec size_spec = { METRICS_GAUGE, "esteira_pool_size",
	"Connections that a pool has.", { "pool" }, NULL, 0 };
static const struct metrics_spec busy_spec = { METRICS_GAUGE, "esteira_pool_busy",
	"Connections of a pool that are in use.", { "pool" }, NULL, 0 };
static const struct metrics_spec waiting_spec = { METRICS_GAUGE, "esteira_pool_waiting",
	"Who waits for a connection of a pool.", { "pool" }, NULL, 0 };

static void on_call(void *arg, int64_t took_us)
{
	metrics_observe(arg, NULL, (double)took_us / 1e6);
}

struct ear metrics_wire_postgres(struct metrics *metrics)
{
	return (struct ear){ on_call, metrics_register(metrics, &postgres_spec) };
}

struct ear metrics_wire_redis(struct metrics *metrics)
{
	return (struct ear){ on_call, metrics_register(metrics, &redis_spec) };
}

static void on_storage_call(
	void *arg, enum s3_operation operation, enum s3_outcome outcome, int64_t took_us)
{
	static const char *const operations[S3_OPERATIONS] = { "bucket", "get", "head", "put",
		"delete", "list" };
	static const char *const outcomes[S3_OUTCOMES] = { "ok", "missing", "refused", "failed" };
	const char *const labels[] = { operations[operation], outcomes[outcome] };

	metrics_observe(arg, labels, (double)took_us / 1e6);
}

struct s3_ear metrics_wire_storage(struct metrics *metrics)
{
	return (struct s3_ear){ on_storage_call, metrics_register(metrics, &storage_spec) };
}

struct metrics_wire_pool metrics_wire_pool(struct metrics *metrics, const char *name, unsigned size)
{
	struct metrics_wire_pool pool = { NULL, NULL, name };

	if (metrics == NULL)
		return pool;
	metrics_set(metrics_register(metrics, &size_spec), &name, size);
	pool.busy = metrics_register(metrics, &busy_spec);
	pool.waiting = metrics_register(metrics, &waiting_spec);
	metrics_add(pool.busy, &name, 0);
	metrics_add(pool.waiting, &name, 0);
	return pool;
}

static double read_busy(void *arg)
{
	struct pg_pool_view view;

	pg_pool_look(arg, &view);
	return view.busy;
}

static double read_waiting(void *arg)
{
	struct pg_pool_view view;

	pg_pool_look(arg, &view);
	return view.waiting;
}

void metrics_wire_watch(struct metrics *metrics, const char *name, struct pg_pool *pool)
{
	struct pg_pool_view view;

	pg_pool_look(pool, &view);
	metrics_set(metrics_register(metrics, &size_spec), &name, view.size);
	metrics_watch(metrics_register(metrics, &busy_spec), &name, read_busy, pool);
	metrics_watch(metrics_register(metrics, &waiting_spec), &name, read_waiting, pool);
}
