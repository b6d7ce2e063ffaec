#include "frame/span_queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct span_queue {
	struct span_queue_conf conf;
	pthread_mutex_t lock;
	struct span_batch *first, *last;
	size_t spans, bytes;
};

struct span_queue *span_queue_new(const struct span_queue_conf *conf)
{
	struct span_queue *queue = calloc(1, sizeof *queue);

	if (queue == NULL)
		return NULL;
	queue->conf = *conf;
	pthread_mutex_init(&queue->lock, NULL);
	return queue;
}

static void free_batch(struct span_batch *batch)
{
	buf_done(&batch->body);
	free(batch);
}

void span_queue_free(struct span_queue *queue)
{
	if (queue == NULL)
		return;
	for (struct span_batch *batch = queue->first, *next; batch != NULL; batch = next) {
		next = batch->next;
		free_batch(batch);
	}
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

static bool is_full(const struct span_queue *queue, size_t more_bytes)
{
	return queue->spans >= queue->conf.spans_max ||
	       queue->bytes + more_bytes > queue->conf.bytes_max;
}

static struct span_batch *begin_batch(struct span_queue *queue, int64_t now_ms)
{
	struct span_batch *batch = calloc(1, sizeof *batch);

	if (batch == NULL)
		return NULL;
	batch->body = BUF(queue->conf.bytes_max + queue->conf.head.len + queue->conf.tail.len);
	batch->began_ms = now_ms;
	buf_add_str(&batch->body, queue->conf.head);
	if (queue->first == NULL)
		queue->first = batch;
	else
		queue->last->next = batch;
	queue->last = batch;
	return batch;
}

/* A span and the comma before it. */
static bool append(struct span_queue *queue, struct span_batch *batch, struct str span)
{
	char *room = buf_extend(&batch->body, span.len + (batch->spans > 0));

	if (room == NULL)
		return false;
	if (batch->spans > 0)
		*room++ = ',';
	memcpy(room, span.ptr, span.len);
	batch->spans++;
	batch->bytes += span.len + 1;
	queue->spans++;
	queue->bytes += span.len + 1;
	return true;
}

enum span_queue_put span_queue_put(struct span_queue *queue, struct str span, int64_t now_ms)
{
	enum span_queue_put answer = SPAN_QUEUE_FULL;

	pthread_mutex_lock(&queue->lock);
	if (!is_full(queue, span.len + 1)) {
		struct span_batch *batch = queue->last;
		if (batch == NULL || batch->spans >= queue->conf.batch_spans)
			batch = begin_batch(queue, now_ms);
		if (batch != NULL && append(queue, batch, span))
			answer = batch->spans >= queue->conf.batch_spans ? SPAN_QUEUE_COMPLETE
									 : SPAN_QUEUE_TAKEN;
	}
	pthread_mutex_unlock(&queue->lock);
	return answer;
}

static bool is_due(const struct span_queue *queue, int64_t now_ms)
{
	return queue->first->spans >= queue->conf.batch_spans ||
	       now_ms - queue->first->began_ms >= queue->conf.batch_ms;
}

struct span_batch *span_queue_take(struct span_queue *queue, int64_t now_ms, bool all)
{
	struct span_batch *batch = NULL;

	pthread_mutex_lock(&queue->lock);
	if (queue->first != NULL && (all || is_due(queue, now_ms))) {
		batch = queue->first;
		queue->first = batch->next;
		if (queue->first == NULL)
			queue->last = NULL;
		batch->next = NULL;
	}
	pthread_mutex_unlock(&queue->lock);
	if (batch != NULL)
		buf_add_str(&batch->body, queue->conf.tail);
	return batch;
}

void span_queue_release(struct span_queue *queue, struct span_batch *batch)
{
	pthread_mutex_lock(&queue->lock);
	queue->spans -= batch->spans;
	queue->bytes -= batch->bytes;
	pthread_mutex_unlock(&queue->lock);
	free_batch(batch);
}

size_t span_queue_count(struct span_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	size_t count = queue->spans;
	pthread_mutex_unlock(&queue->lock);
	return count;
}
