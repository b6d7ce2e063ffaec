/*
 * One object streamed into S3 from the loop, in constant memory. The length is declared first and
 * an object exists only if exactly that many bytes came: whatever goes wrong before closes the
 * connection early. Over https the payload is unsigned (UNSIGNED-PAYLOAD, TLS guards it); over http
 * it is cut into 64 KiB chunks, each signed on top of the one before
 * (STREAMING-AWS4-HMAC-SHA256-PAYLOAD). Source: S3 API Reference, "Signature Calculations for the
 * Authorization Header: Transferring Payload in Multiple Chunks".
 */
#ifndef ESTEIRA_PORT_S3_PUT_H
#define ESTEIRA_PORT_S3_PUT_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct s3;
struct s3_put;

struct s3_put_request {
	const char *key;
	uint64_t size_bytes; /* exactly what will be fed; at least 1 */
	int64_t timeout_ms;  /* of the whole upload; 0: none */
};

/* Loop thread. done comes exactly once, unless the put is aborted; the put is gone when it returns.
 * It may come before s3_put_end: a server that refuses does not wait. Failures: ERR_RETRY
 * storage-away, storage-refused. drained (or NULL): little is waiting, feed more. */
struct s3_put_callbacks {
	void (*done)(void *arg, struct err result);
	void (*drained)(void *arg);
};

/* Starts it; no callback runs before this returns. callbacks is copied. ERR_REJECT bad-parameter,
 * ERR_FATAL without memory. */
struct err s3_put_open(struct s3 *s3, const struct s3_put_request *request,
	const struct s3_put_callbacks *callbacks, void *arg, struct s3_put **ret_put) ERR_MUST_USE;

/* Copies the bytes. ERR_REJECT bad-parameter past size_bytes or past the queue's ceiling (1 MiB by
 * default: feed no more than half of that at once, and only when s3_put_pending is below the other
 * half). After a failure the put is still there: abort it. */
struct err s3_put_feed(struct s3_put *put, struct str bytes) ERR_MUST_USE;

/* Bytes that wait for the socket, framing included; without the chunk that is still being filled.
 */
size_t s3_put_pending(const struct s3_put *put);

/* All was fed; done follows. ERR_REJECT bad-parameter when it was less than size_bytes: abort. */
struct err s3_put_end(struct s3_put *put) ERR_MUST_USE;

/* Closes the connection: no object, no done. The put is gone. */
void s3_put_abort(struct s3_put *put);

#endif
