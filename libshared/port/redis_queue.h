/*
 * The commands of one Redis connection, oldest first: Redis answers in order, so the head is always
 * the one the next reply belongs to. Every entry that went in comes out by exactly one answer.
 */
#ifndef ESTEIRA_PORT_REDIS_QUEUE_H
#define ESTEIRA_PORT_REDIS_QUEUE_H

#include "port/redis.h"

struct redis_entry {
	struct redis_entry *next;
	redis_reply_fn *fn;
	void *arg;
	char *wire; /* heap memory; NULL once it is with the stream */
	size_t wire_len;
	struct ear ear;
	int64_t made_us;     /* clock_mono_us() */
	int64_t deadline_ms; /* clock_mono_ms() */
	struct err failure;  /* of an entry that will not be sent or answered */
};

struct redis_queue {
	struct redis_entry *head;
	struct redis_entry *tail;
	size_t count;
	size_t wire_bytes; /* in entries that still have their wire */
};

/* A new entry with the command's bytes. ERR_FATAL out-of-memory. */
struct err redis_queue_make(const struct redis_command *command, struct redis_entry **ret_entry)
	ERR_MUST_USE;

void redis_queue_add(struct redis_queue *queue, struct redis_entry *entry);

/* The head, which is not in the queue any more; NULL when there is none. */
struct redis_entry *redis_queue_take(struct redis_queue *queue);

/* Moves all of from, or what is past its deadline, to the end of to, with that failure. */
void redis_queue_fail_all(struct redis_queue *from, struct err failure, struct redis_queue *to);
void redis_queue_fail_late(
	struct redis_queue *from, int64_t now_ms, struct err failure, struct redis_queue *to);

/* The first deadline; INT64_MAX of an empty queue. */
int64_t redis_queue_deadline(const struct redis_queue *queue);

/* Frees the entry and gives the one answer. */
void redis_queue_answer(
	struct redis_entry *entry, struct err result, const struct redis_reply *reply);

#endif
