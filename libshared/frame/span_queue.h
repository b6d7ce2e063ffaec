/*
 * Finished spans that wait to be sent, as bytes, in batches that are requests already. Bounded by
 * their number and their bytes; what does not fit is dropped and counted, so that whoever ends a
 * span never waits for the receiver. What was taken counts until it is released.
 */
#ifndef ESTEIRA_FRAME_SPAN_QUEUE_H
#define ESTEIRA_FRAME_SPAN_QUEUE_H

#include "base/str.h"

#include <stdint.h>

struct span_queue;

struct span_queue_conf {
	size_t spans_max, bytes_max; /* of all batches */
	size_t batch_spans;	     /* a batch of so many is complete */
	int64_t batch_ms;	     /* so is one that is as old */
	struct str head, tail;	     /* of each batch; borrowed */
};

struct span_batch {
	struct span_batch *next;
	struct buf body;     /* head, spans, tail */
	size_t spans, bytes; /* bytes: without what is around them */
	int64_t began_ms;
};

enum span_queue_put { SPAN_QUEUE_FULL, SPAN_QUEUE_TAKEN, SPAN_QUEUE_COMPLETE };

/* NULL without memory. */
struct span_queue *span_queue_new(const struct span_queue_conf *conf);
void span_queue_free(struct span_queue *queue); /* NULL is fine */

/* Copies the span. FULL: dropped; COMPLETE: taken, and a batch can be sent. Any thread. */
enum span_queue_put span_queue_put(struct span_queue *queue, struct str span, int64_t now_ms);

/* The oldest batch, when it is complete or `all`; NULL when there is none. Any thread. */
struct span_batch *span_queue_take(struct span_queue *queue, int64_t now_ms, bool all);

/* Frees a batch that was taken, and the room it took. Any thread. */
void span_queue_release(struct span_queue *queue, struct span_batch *batch);

/* Spans that wait or were taken. Any thread. */
size_t span_queue_count(struct span_queue *queue);

#endif
