#include "frame/span_kafka.h"

#include <stdio.h>
#include <string.h>

#include "frame/execute.h"
#include "frame/schedule.h"
#include "frame/span.h"
#include "frame/transact.h"
#include "port/kafka.h"

#define SYSTEM	     "kafka"
#define DEAD_LETTERS ".dlq"

static bool is_for_dead_letters(const char *topic)
{
	const size_t len = strlen(topic), tail = sizeof DEAD_LETTERS - 1;

	return len >= tail && strcmp(topic + len - tail, DEAD_LETTERS) == 0;
}

static struct str *find_trace(struct headers *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		if (strcmp(headers->items[i].name, "traceparent") == 0)
			return &headers->items[i].value;
	return NULL;
}

/* What sending and processing have in common. */
static void name(struct span *span, const char *operation, const char *topic, const char *partition)
{
	span_add_text(span, OTLP_MESSAGING_SYSTEM, SYSTEM);
	span_add_text(span, OTLP_MESSAGING_OPERATION, operation);
	span_add_text(span, OTLP_MESSAGING_TYPE, operation);
	span_add_text(span, OTLP_MESSAGING_DESTINATION, topic);
	span_add_text(span, OTLP_MESSAGING_PARTITION, partition);
}

static char *write_trace(const struct span *span, struct arena *arena)
{
	char *text = arena_alloc(arena, TRACE_TEXT_BYTES);

	if (text != NULL)
		trace_format(span->trace, text);
	return text;
}

static const char *text_of(struct arena *arena, const struct headers *headers, const char *name)
{
	const struct str value = envelope_find(headers, name);

	return value.ptr == NULL ? NULL : arena_strdup(arena, value);
}

struct span *span_kafka_send(
	struct spans *spans, struct arena *arena, struct kafka_record *record, int64_t delay_ms)
{
	struct str *trace = spans == NULL ? NULL : find_trace(&record->headers);
	struct trace parent;

	if (trace == NULL || is_for_dead_letters(record->topic) || !trace_parse(*trace, &parent) ||
		!parent.sampled)
		return NULL;
	struct span *span = arena_alloc(arena, sizeof *span);
	if (span == NULL)
		return NULL;
	span_begin(spans, OTLP_PRODUCER, *trace, span);
	const char *mine = write_trace(span, arena);
	if (mine == NULL)
		return NULL;
	*trace = str_of(mine);
	name(span, "send", record->topic, arena_printf(arena, "%d", (int)record->partition));
	span_add_text(span, OTLP_MESSAGING_ID, text_of(arena, &record->headers, "ce_id"));
	span_add_text(span, OTLP_EVENT_TYPE, text_of(arena, &record->headers, "ce_type"));
	span_add_number(span, OTLP_OUTBOX_DELAY, delay_ms);
	return span;
}

void span_kafka_sent(struct span *span, const char *topic)
{
	if (span != NULL)
		span_end(span, "send", topic);
}

static void describe(const struct transact *t, const struct task *task, struct span *span)
{
	const struct partition *partition = task->record->partition;
	char *id = arena_alloc(t->arena, ID_TEXT_BYTES);

	if (id != NULL)
		id_format(task->event.id, id);
	name(span, "process", partition->topic,
		arena_printf(t->arena, "%d", (int)partition->number));
	span_add_number(span, OTLP_MESSAGING_OFFSET, task->record->offset);
	span_add_text(span, OTLP_MESSAGING_GROUP, t->conf->group);
	span_add_text(span, OTLP_MESSAGING_ID, id);
	span_add_text(span, OTLP_EVENT_TYPE, task->event.type);
	span_add_text(span, OTLP_TENANT, task->event.slug);
	if (task->entry.epoch > 0)
		span_add_number(span, OTLP_EPOCH, task->entry.epoch);
}

void span_kafka_process(const struct transact *t, struct task *task)
{
	struct spans *spans = t->conf->hooks.spans;

	if (spans == NULL)
		return;
	struct span *span = arena_alloc(t->arena, sizeof *span);
	if (span == NULL)
		return;
	span_begin(spans, OTLP_CONSUMER, str_of(task->event.traceparent), span);
	if (span->spans == NULL && span->has_parent)
		return; /* not recorded, as who began it has decided */
	const char *mine = write_trace(span, t->arena);
	if (mine == NULL)
		return;
	task->event.traceparent = mine;
	if (span->spans == NULL)
		return; /* as decided here, for what follows too */
	describe(t, task, span);
	task->span = span;
}

void span_kafka_fail(struct task *task, struct err e)
{
	if (task->span != NULL)
		span_fail(task->span, err_code_name(e.code));
}

void span_kafka_processed(struct task *task, const char *outcome)
{
	if (task->span == NULL || strcmp(outcome, "claimed") == 0)
		return;
	span_add_text(task->span, OTLP_OUTCOME, outcome);
	span_end(task->span, "process", task->record->partition->topic);
}
