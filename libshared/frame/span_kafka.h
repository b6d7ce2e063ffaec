/*
 * The spans of a record's way: sent by the relay, processed by a worker. What is sent carries the
 * sender's span as its traceparent, so that who processes it follows from there; what a step emits
 * follows from the span that processes. A record that no trace was begun for is sent without a
 * span.
 */
#ifndef ESTEIRA_FRAME_SPAN_KAFKA_H
#define ESTEIRA_FRAME_SPAN_KAFKA_H

#include "base/arena.h"
#include "base/err.h"

struct kafka_record;
struct span;
struct spans;
struct task;
struct transact;

/* The span of a record that is about to be sent, in the arena; the record's traceparent is replaced
 * by its own. NULL: there is none, the record stays as it is - also when it is a dead letter, whose
 * headers nobody touches. delay_ms: how long its row has waited. */
struct span *span_kafka_send(
	struct spans *spans, struct arena *arena, struct kafka_record *record, int64_t delay_ms);

/* A broker has it. span may be NULL. topic as it was sent. */
void span_kafka_sent(struct span *span, const char *topic);

/* The record is being handled from now on; task->span and the event's traceparent are set when its
 * trace is recorded. The event has been read. */
void span_kafka_process(const struct transact *t, struct task *task);

/* What did not come to its end, as its attempt will be told. */
void span_kafka_fail(struct task *task, struct err e);

/* It came to that end; "claimed" is none, it is looked at again. */
void span_kafka_processed(struct task *task, const char *outcome);

#endif
