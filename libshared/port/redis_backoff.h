/* How long the Redis client waits before it connects again. */
#ifndef ESTEIRA_PORT_REDIS_BACKOFF_H
#define ESTEIRA_PORT_REDIS_BACKOFF_H

#include <stdint.h>

enum { REDIS_BACKOFF_MIN_MS = 100, REDIS_BACKOFF_MAX_MS = 2000 };

/* Half to all of *backoff_ms, so that many clients do not come back in step; doubles *backoff_ms up
 * to the maximum. Any thread. */
uint64_t redis_backoff_next(int64_t *backoff_ms);

#endif
