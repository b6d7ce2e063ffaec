/*
 * Some partitions, as two arrays side by side: what statements about all of them take. Borrowed.
 */
#ifndef ESTEIRA_FRAME_PLACES_H
#define ESTEIRA_FRAME_PLACES_H

#include <stddef.h>
#include <stdint.h>

struct places {
	const char *const *topics;
	const int32_t *partitions;
	size_t count;
};

#endif
