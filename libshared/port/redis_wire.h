/*
 * Bytes of the Redis protocol to and from our structs: the only module that knows hiredis, in the
 * shapes of 0.14 and of 1.x. A reply is decoded straight into an arena, so that a hostile length or
 * nesting meets one ceiling, and a reply that is not RESP2 is a broken connection.
 */
#ifndef ESTEIRA_PORT_REDIS_WIRE_H
#define ESTEIRA_PORT_REDIS_WIRE_H

#include "port/redis.h"

struct redis_wire;

/* A decoder for one connection; reply_max_bytes bounds what one reply takes, raw or decoded. NULL
 * without memory. One thread at a time. */
struct redis_wire *redis_wire_new(size_t reply_max_bytes);
void redis_wire_free(struct redis_wire *wire); /* NULL is fine */

/* Takes the bytes. False when they exceed the ceiling or memory is out: give the connection up. */
bool redis_wire_feed(struct redis_wire *wire, struct str bytes);

/* The next complete reply, or NULL when more bytes are needed; valid until the next call. False
 * when the bytes are not RESP2 or a reply exceeds the ceiling: give the connection up. */
bool redis_wire_next(struct redis_wire *wire, const struct redis_reply **ret_reply);

/* A command as heap memory, to be freed by the caller. ERR_FATAL out-of-memory. */
struct err redis_wire_format(const struct redis_command *command, char **ret_bytes, size_t *ret_len)
	ERR_MUST_USE;

/* A deep copy; NULL when the arena is full. */
struct redis_reply *redis_wire_copy(struct arena *arena, const struct redis_reply *reply);

#endif
