#include "frame/worker.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/span.h"
#include "frame/span_kafka.h"

struct worker *worker_new(const struct execute_conf *conf, size_t arena_bytes)
{
	struct worker *worker = calloc(1, sizeof *worker);

	if (worker == NULL)
		return NULL;
	worker->conf = conf;
	worker->transact = (struct transact){ conf, arena_new(arena_bytes) };
	if (worker->transact.arena != NULL)
		return worker;
	free(worker);
	return NULL;
}

void worker_free(struct worker *worker)
{
	arena_free(worker->transact.arena);
	free(worker);
}

void worker_log(
	const struct worker *worker, const struct task *task, const char *event, struct err e)
{
	char trace[TRACE_ID_TEXT_BYTES] = "", id[ID_TEXT_BYTES], span[SPAN_ID_TEXT_BYTES] = "";
	struct trace parsed;

	if (trace_parse(str_of(task->event.traceparent), &parsed))
		trace_format_id(parsed, trace);
	if (task->span != NULL)
		span_format_id(task->span, span);
	id_format(task->entry.event_id, id);
	LOG(e.kind == ERR_RETRY ? LOG_WARN : LOG_ERROR, event,
		LOG_TEXT("group", worker->conf->group),
		LOG_TEXT("topic", task->record->partition->topic),
		LOG_INT("partition", task->record->partition->number),
		LOG_INT("offset", task->record->offset), LOG_INT("epoch", task->entry.epoch),
		LOG_TEXT("type", task->event.type), LOG_TEXT("event_id", id),
		LOG_TEXT("tenant", task->event.slug), LOG_TEXT("trace_id", trace),
		LOG_TEXT("span_id", span), LOG_ERR(e));
}

struct brake_pair worker_pair(const struct task *task)
{
	const struct route *route = task->record->route;
	struct brake_pair pair = { .route = route->type->name, .tenant = task->event.tenant };

	if (route->target != NULL)
		pair.target = route->target(task->payload);
	return pair;
}

/* A payload that cannot be read names no target. */
void worker_brake(const struct worker *worker, const struct task *task, enum brake_event event)
{
	const struct route *route = task->record->route;

	if (route == NULL || task->event.type == NULL || (route->target != NULL && !task->is_read))
		return;
	const struct brake_pair pair = worker_pair(task);
	brake_tell(worker->conf->brakes, &pair, event, clock_mono_ms());
}

void worker_count(
	const struct worker *worker, struct task *task, const char *outcome, int64_t took_us)
{
	const struct route *route = task->record->route;

	span_kafka_processed(task, outcome);
	worker->conf->hooks.count(worker->conf->hooks.arg, route == NULL ? "" : route->type->name,
		outcome, took_us, task->handler_us);
}
