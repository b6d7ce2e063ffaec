#include "port/redis_backoff.h"

#include <sys/random.h>
#include <sys/types.h>

uint64_t redis_backoff_next(int64_t *backoff_ms)
{
	uint16_t random = 0;
	int64_t backoff = *backoff_ms;
	ssize_t got = getrandom(&random, sizeof random, GRND_NONBLOCK);

	(void)got; /* without randomness the delay is only less spread */
	*backoff_ms = backoff * 2 > REDIS_BACKOFF_MAX_MS ? REDIS_BACKOFF_MAX_MS : backoff * 2;
	return (uint64_t)(backoff / 2 + random % (backoff / 2 + 1));
}
