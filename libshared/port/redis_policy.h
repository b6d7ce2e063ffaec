/*
 * Whether a Redis may hold what must not be kept. Results live in it for minutes, encrypted; one
 * that writes to disk would keep them, one that evicts would lose them early. Servers that hide
 * their configuration (managed ones do) are taken as they are: nothing is known about them.
 */
#ifndef ESTEIRA_PORT_REDIS_POLICY_H
#define ESTEIRA_PORT_REDIS_POLICY_H

#include "base/err.h"

struct loop;
struct redis;

/* Loop thread, called once:
 *   ERR_OK                  nothing is wrong, or the server does not tell
 *   ERR_FATAL unsafe-store  the message names the setting
 *   ERR_FATAL out-of-memory */
typedef void redis_policy_fn(void *arg, struct err result);

/*
 * Asks for save, appendonly and maxmemory-policy, again and again while the server is away; done is
 * never called inside this call. redis must stay open until done was called or the loop has
 * stopped for good. Loop thread. ERR_FATAL out-of-memory; done is then never called.
 */
struct err redis_policy_check(
	struct redis *redis, struct loop *loop, redis_policy_fn *done, void *arg) ERR_MUST_USE;

#endif
