/*
 * The Redis client of the suite: one connection on the loop, pipelined, always trying to be there.
 * It is made while the server is away as well; a command then fails at once with ERR_RETRY
 * redis-away, and every accepted command gets exactly one answer. Nothing is sent twice: whether a
 * command whose connection broke took effect is unknown to the caller.
 *
 * A command that blocks (XREAD BLOCK) holds up all behind it and so has a struct redis of its own.
 * Protocol: RESP2 (https://redis.io/docs/reference/protocol-spec).
 */
#ifndef ESTEIRA_PORT_REDIS_H
#define ESTEIRA_PORT_REDIS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "port/ear.h"

struct loop;
struct redis;
struct secret;

/* 0 and NULL take the default in brackets. */
struct redis_limits {
	size_t inflight_max;	    /* commands waiting for their answer [1,024] */
	size_t queued_max_bytes;    /* of commands the kernel has not taken yet [32 MiB] */
	size_t reply_max_bytes;	    /* one reply in memory [16 MiB] */
	int64_t connect_timeout_ms; /* until the server has greeted us [2,000] */
	const char *name;	    /* shown by CLIENT LIST; copied [esteira] */
	const char *ca_file; /* of rediss://: PEM of the authorities believed, read again when it
				changes; copied [the system's] */
	struct secret *password; /* in place of the URL's, as it is at each connect; not owned */
	struct ear ear;		 /* of each command that was answered [nobody] */
};

enum redis_kind {
	REDIS_NIL,
	REDIS_INT,   /* number */
	REDIS_TEXT,  /* text: bulk strings and states such as OK */
	REDIS_ERROR, /* text: the server refused the command, "WRONGTYPE ..." */
	REDIS_ARRAY, /* count items */
};

struct redis_reply {
	enum redis_kind kind;
	struct str text;
	int64_t number;
	struct redis_reply *items;
	size_t count;
};

/* Copied by redis_send; borrowed by redis_call until it returns. */
struct redis_command {
	const struct str *argv;
	size_t argc;	    /* at least 1 */
	int64_t timeout_ms; /* at least 1; longer than BLOCK for a command that blocks */
};

/* The one answer to a command, on the loop's thread; reply is valid during the call and NULL when
 * result is a failure:
 *   ERR_OK                       also with a reply of kind REDIS_ERROR: the caller decides
 *   ERR_RETRY redis-away         not connected, connection lost, timeout, queue full, closed
 *   ERR_REJECT record-too-large  the command alone is larger than queued_max_bytes
 *   ERR_FATAL out-of-memory
 * redis_send and redis_close are allowed inside. */
typedef void redis_reply_fn(void *arg, struct err result, const struct redis_reply *reply);

/* Loop thread. url: redis://[[user]:password@]host[:port][/db], parts percent-encoded; rediss:// is
 * the same under TLS, and the server must prove to be host. limits may be NULL. Starts connecting
 * (again and again: 100 ms .. 2 s with jitter) and does not fail when the server is away. ERR_FATAL
 * bad-config for a malformed URL and for authorities that cannot be read, ERR_FATAL out-of-memory.
 */
struct err redis_open(struct loop *loop, const char *url, const struct redis_limits *limits,
	struct redis **ret_redis) ERR_MUST_USE;

/* Loop thread, or the last thread after the loop has stopped. Ends every command with ERR_RETRY
 * before it returns; the loop (loop_close suffices) must turn once more to free the rest. No other
 * thread may begin a redis_call any more. NULL is fine. */
void redis_close(struct redis *redis);

/* Loop thread. Commands sent while the first answer of a fresh connection is awaited wait for it.
 * fn is never called inside redis_send, unless redis was closed. A command that takes longer than
 * its timeout breaks the connection, because its answer would be taken for another's; do not use
 * timeouts that a busy server misses. */
void redis_send(
	struct redis *redis, const struct redis_command *command, redis_reply_fn *fn, void *arg);

/* Blocking, any thread but the loop's, which must be running. The reply is copied into arena.
 * Failures as of redis_reply_fn, and ERR_REJECT record-too-large when the arena is full. */
struct err redis_call(struct redis *redis, const struct redis_command *command, struct arena *arena,
	struct redis_reply **ret_reply) ERR_MUST_USE;

/* Whether the server has greeted us and the connection stands. Any thread. */
bool redis_is_up(const struct redis *redis);

/* CLIENT ID of the connection, so that another one can CLIENT UNBLOCK it; 0 when away or refused
 * by an ACL. Any thread. */
int64_t redis_id(const struct redis *redis);

#endif
