#include "port/http_queue.h"

#include <stdlib.h>
#include <string.h>

struct http_queue_block {
	struct http_queue_block *next;
	size_t len;
	size_t taken;
	char bytes[];
};

static void drop_first(struct http_queue *queue)
{
	struct http_queue_block *block = queue->first;

	queue->first = block->next;
	if (queue->first == NULL)
		queue->last = NULL;
	free(block);
}

void http_queue_done(struct http_queue *queue)
{
	while (queue->first != NULL)
		drop_first(queue);
	queue->pending_bytes = 0;
}

bool http_queue_add(struct http_queue *queue, struct str bytes)
{
	if (bytes.len == 0)
		return true;
	struct http_queue_block *block = malloc(sizeof *block + bytes.len);
	if (block == NULL)
		return false;
	*block = (struct http_queue_block){ .len = bytes.len };
	memcpy(block->bytes, bytes.ptr, bytes.len);
	if (queue->last == NULL)
		queue->first = block;
	else
		queue->last->next = block;
	queue->last = block;
	queue->pending_bytes += bytes.len;
	return true;
}

size_t http_queue_take(struct http_queue *queue, size_t max_bytes, char *ret_bytes)
{
	size_t total = 0;

	while (queue->first != NULL && total < max_bytes) {
		struct http_queue_block *block = queue->first;
		size_t len = block->len - block->taken;

		if (len > max_bytes - total)
			len = max_bytes - total;
		memcpy(ret_bytes + total, block->bytes + block->taken, len);
		block->taken += len;
		total += len;
		if (block->taken == block->len)
			drop_first(queue);
	}
	queue->pending_bytes -= total;
	return total;
}
