/*
 * Some partitions, as two arrays side by side: what statements about all of them take. Borrowed.
 */
#ifndef ESTEIRA_FRAME_PLACES_H
#define ESTEIRA_FRAME_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct pg_arg;

struct places {
	const char *const *topics;
	const int32_t *partitions;
	size_t count;
};

/* As two parameters of a statement, text[] and bigint[]: ret_args[0] and [1]. */
struct err places_args(struct arena *arena, const struct places *places, struct pg_arg *ret_args)
	ERR_MUST_USE;

#endif
