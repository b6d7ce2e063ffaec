#include "port/redis_queue.h"

#include "base/clock.h"

#include "port/redis_wire.h"

#include <stdlib.h>

struct err redis_queue_make(const struct redis_command *command, struct redis_entry **ret_entry)
{
	struct redis_entry *entry = calloc(1, sizeof *entry);

	if (entry == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a Redis command");
	struct err e = redis_wire_format(command, &entry->wire, &entry->wire_len);
	if (e.kind != ERR_OK) {
		free(entry);
		return e;
	}
	entry->made_us = clock_mono_us();
	entry->deadline_ms = clock_mono_ms() + command->timeout_ms;
	*ret_entry = entry;
	return err_ok();
}

void redis_queue_add(struct redis_queue *queue, struct redis_entry *entry)
{
	entry->next = NULL;
	if (queue->tail == NULL)
		queue->head = entry;
	else
		queue->tail->next = entry;
	queue->tail = entry;
	queue->count++;
	queue->wire_bytes += entry->wire == NULL ? 0 : entry->wire_len;
}

struct redis_entry *redis_queue_take(struct redis_queue *queue)
{
	struct redis_entry *entry = queue->head;

	if (entry == NULL)
		return NULL;
	queue->head = entry->next;
	if (queue->head == NULL)
		queue->tail = NULL;
	queue->count--;
	queue->wire_bytes -= entry->wire == NULL ? 0 : entry->wire_len;
	return entry;
}

void redis_queue_fail_late(
	struct redis_queue *from, int64_t now_ms, struct err failure, struct redis_queue *to)
{
	struct redis_queue all = *from;
	struct redis_entry *entry;

	*from = (struct redis_queue){ .count = 0 };
	while ((entry = redis_queue_take(&all)) != NULL) {
		bool late = entry->deadline_ms <= now_ms;
		if (late)
			entry->failure = failure;
		redis_queue_add(late ? to : from, entry);
	}
}

void redis_queue_fail_all(struct redis_queue *from, struct err failure, struct redis_queue *to)
{
	redis_queue_fail_late(from, INT64_MAX, failure, to);
}

int64_t redis_queue_deadline(const struct redis_queue *queue)
{
	int64_t first = INT64_MAX;

	for (const struct redis_entry *entry = queue->head; entry != NULL; entry = entry->next)
		if (entry->deadline_ms < first)
			first = entry->deadline_ms;
	return first;
}

void redis_queue_answer(
	struct redis_entry *entry, struct err result, const struct redis_reply *reply)
{
	redis_reply_fn *fn = entry->fn;
	void *arg = entry->arg;

	if (reply != NULL)
		ear_tell(&entry->ear, entry->made_us);
	free(entry->wire);
	free(entry);
	fn(arg, result, reply);
}
