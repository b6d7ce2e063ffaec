/*
 * What goes to the server: all commands of one turn of the loop in one write, because a write of
 * its own costs the kernel and the server more than a command does. Loop thread only.
 */
#ifndef ESTEIRA_PORT_REDIS_OUT_H
#define ESTEIRA_PORT_REDIS_OUT_H

#include "port/redis_queue.h"

struct loop_timer;
struct stream;

struct redis_out {
	struct stream *stream; /* borrowed, as long as something waits for it */
	struct loop_timer *end_of_turn;
	struct buf waiting; /* commands, whole ones */
};

/* ERR_FATAL out-of-memory. */
struct err redis_out_open(struct loop *loop, struct redis_out *out) ERR_MUST_USE;

/* Drops what waits. One that was never opened is fine. */
void redis_out_close(struct redis_out *out);

/* Takes the entry's bytes; they go to stream at the end of this turn at the latest. */
void redis_out_add(struct redis_out *out, struct stream *stream, struct redis_entry *entry);

/* Drops what waits: its stream is being closed. */
void redis_out_drop(struct redis_out *out);

#endif
