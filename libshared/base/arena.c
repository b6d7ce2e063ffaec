#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 16 * 1024, ALIGN = 16 };

struct block {
	struct block *next;
	size_t size;
	size_t used;
	_Alignas(ALIGN) unsigned char data[];
};

struct cleanup {
	struct cleanup *next;
	void (*fn)(void *arg);
	void *arg;
};

struct arena {
	struct block *blocks;
	struct cleanup *cleanups;
	size_t ceiling;
	size_t used;
};

struct arena *arena_new(size_t ceiling_bytes)
{
	struct arena *arena = calloc(1, sizeof *arena);

	if (arena != NULL)
		arena->ceiling = ceiling_bytes;
	return arena;
}

static void run_cleanups(struct arena *arena)
{
	while (arena->cleanups != NULL) {
		struct cleanup *last = arena->cleanups;

		arena->cleanups = last->next;
		last->fn(last->arg);
	}
}

/* Frees every block but the first of ordinary size, which the next message uses again. */
static struct block *free_blocks(struct block *blocks)
{
	struct block *keep = NULL;

	while (blocks != NULL) {
		struct block *next = blocks->next;

		if (keep == NULL && blocks->size == BLOCK_BYTES)
			keep = blocks;
		else
			free(blocks);
		blocks = next;
	}
	return keep;
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	run_cleanups(arena);
	free(free_blocks(arena->blocks));
	free(arena);
}

void arena_drop(struct arena **arena)
{
	arena_free(*arena);
	*arena = NULL;
}

void arena_reset(struct arena *arena)
{
	run_cleanups(arena);
	arena->blocks = free_blocks(arena->blocks);
	if (arena->blocks != NULL) {
		arena->blocks->next = NULL;
		arena->blocks->used = 0;
	}
	arena->used = 0;
}

static struct block *block_with_room(struct arena *arena, size_t size)
{
	struct block *top = arena->blocks;
	size_t want = size > BLOCK_BYTES ? size : BLOCK_BYTES;

	if (top != NULL && top->size - top->used >= size)
		return top;
	struct block *block = malloc(sizeof *block + want);
	if (block == NULL)
		return NULL;
	block->next = top;
	block->size = want;
	block->used = 0;
	arena->blocks = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
	if (size_bytes > arena->ceiling || size_bytes > PTRDIFF_MAX)
		return NULL;
	size_t size = (size_bytes + ALIGN - 1) / ALIGN * ALIGN;
	if (size > arena->ceiling - arena->used)
		return NULL;
	struct block *block = block_with_room(arena, size);
	if (block == NULL)
		return NULL;
	void *memory = block->data + block->used;
	block->used += size;
	arena->used += size;
	return memset(memory, 0, size);
}

char *arena_strdup(struct arena *arena, struct str text)
{
	char *copy = text.len < SIZE_MAX ? arena_alloc(arena, text.len + 1) : NULL;

	if (copy != NULL && text.len > 0)
		memcpy(copy, text.ptr, text.len);
	return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
	if (text == NULL)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

bool arena_defer(struct arena *arena, void (*fn)(void *arg), void *arg)
{
	struct cleanup *cleanup = arena_alloc(arena, sizeof *cleanup);

	if (cleanup == NULL)
		return false;
	*cleanup = (struct cleanup){ arena->cleanups, fn, arg };
	arena->cleanups = cleanup;
	return true;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

struct err arena_overflow(void)
{
	return err_reject(ERR_CODE_RECORD_TOO_LARGE, "the memory of one message is used up");
}

struct err arena_keep_err(struct arena *arena, struct err e)
{
	const char *msg = e.kind == ERR_OK ? e.msg : arena_strdup(arena, str_of(e.msg));

	e.msg = msg == NULL ? err_code_title(e.code) : msg;
	return e;
}
