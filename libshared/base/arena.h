/*
 * Bump memory with a ceiling. One arena lives as long as the message (or request) it serves and is
 * reset after it, so handlers neither malloc nor free. What is not memory (a handle, a key to be
 * wiped) hangs on it as a deferred cleanup. Not thread-safe: one thread at a time.
 */
#ifndef ESTEIRA_BASE_ARENA_H
#define ESTEIRA_BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

struct arena;

/* A heap-made arena that will hand out at most ceiling_bytes between two resets. NULL without
 * memory. */
struct arena *arena_new(size_t ceiling_bytes);

/* Runs the cleanups, then frees everything. NULL is fine. arena_drop is the SCOPED form. */
void arena_free(struct arena *arena);
void arena_drop(struct arena **arena);

/* Runs the cleanups (last deferred first) and forgets all allocations; keeps one block for reuse.
 */
void arena_reset(struct arena *arena);

/* size_bytes of zeroed memory, aligned for any type; NULL when the ceiling or the heap is reached.
 */
void *arena_alloc(struct arena *arena, size_t size_bytes);

/* A NUL-terminated copy; NULL as above. */
char *arena_strdup(struct arena *arena, struct str text);
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* fn(arg) runs at the next reset or free. False (fn not registered) when memory is out. */
bool arena_defer(struct arena *arena, void (*fn)(void *arg), void *arg);

/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);

/* The failure of a NULL from this arena: ERR_REJECT, record-too-large. */
struct err arena_overflow(void) ERR_MUST_USE;

/* e, with its message copied into the arena; without room the title of its code. */
struct err arena_keep_err(struct arena *arena, struct err e) ERR_MUST_USE;

#endif
