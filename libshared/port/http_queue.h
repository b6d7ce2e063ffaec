/*
 * Bytes fed by the caller and not yet taken by the socket: a list of blocks, each freed as soon as
 * it was read, so that a drained queue holds no memory. The ceiling is checked by port/http.
 */
#ifndef ESTEIRA_PORT_HTTP_QUEUE_H
#define ESTEIRA_PORT_HTTP_QUEUE_H

#include "base/str.h"

struct http_queue_block;

/* Zero it to begin. */
struct http_queue {
	struct http_queue_block *first;
	struct http_queue_block *last;
	size_t pending_bytes;
};

void http_queue_done(struct http_queue *queue);

/* Copies the bytes. False without memory; the queue is then as before. */
bool http_queue_add(struct http_queue *queue, struct str bytes);

/* Moves up to max_bytes to ret_bytes; returns how many. */
size_t http_queue_take(struct http_queue *queue, size_t max_bytes, char *ret_bytes);

#endif
