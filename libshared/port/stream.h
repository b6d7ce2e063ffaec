/*
 * One connection on the loop, either side, in the clear or under TLS: the same calls and events.
 * Writes are tried at once and queued when the peer is slow; the owner bounds the queue by
 * stream_pending_bytes. Whatever happens, `closed` is called exactly once, never from inside a
 * stream_* call, and the stream is gone when it returns. Loop thread only.
 *
 * Under TLS no event but closed comes before the handshake is done, which may take
 * tls_handshake_ms. The peer's end counts only when it said so (close_notify): a connection that
 * ends without is lost, because anybody could have cut it there.
 */
#ifndef ESTEIRA_PORT_STREAM_H
#define ESTEIRA_PORT_STREAM_H

#include "base/err.h"
#include "base/str.h"

struct loop;
struct stream;
struct tls;
struct uv_stream_s;

/* What a stream tells its owner. Any may be NULL but closed. */
struct stream_events {
	/* stream_connect succeeded, TLS included; writes are allowed before it and wait. */
	void (*connected)(void *arg);
	/* Bytes came in; they are valid during the call only. Never called while paused. */
	void (*data)(void *arg, struct str bytes);
	/* The peer will send no more. NULL: the stream closes itself then (ERR_RETRY try-again). */
	void (*eof)(void *arg);
	/* The queue is empty again after a write that had to wait. */
	void (*drained)(void *arg);
	/* The end. ERR_OK after stream_close; ERR_RETRY timeout when connecting or the handshake
	 * took too long; ERR_RETRY tls-failed when TLS was refused on either side, msg says why;
	 * ERR_RETRY try-again for every other loss. Callers put their own code in its place. */
	void (*closed)(void *arg, struct err why);
};

struct stream_target {
	const char *host; /* name or address; IPv6 without brackets */
	uint16_t port;
	uint64_t timeout_ms; /* for look-up and all addresses together */
	struct tls *tls;     /* a client's; host is whom its certificate must name. NULL: plain */
};

/* Starts connecting and reading; *events must outlive the stream, target->tls too. An unreachable
 * peer is reported by closed(), not here. ERR_FATAL out-of-memory; ERR_REJECT bad-config for a host
 * that is too long. */
struct err stream_connect(struct loop *loop, const struct stream_target *target,
	const struct stream_events *events, void *arg, struct stream **ret_stream) ERR_MUST_USE;

/* The next connection that waits at a listening libuv handle, for port/stream_listener; the caller
 * must stream_attach or stream_close it. NULL when it was lost meanwhile. */
struct stream *stream_accept(struct loop *loop, struct uv_stream_s *server);

/* Gives an accepted stream its owner and starts reading, under tls (a server's, which outlives it)
 * or plainly when that is NULL. Without memory for TLS the stream closes itself. */
void stream_attach(
	struct stream *stream, struct tls *tls, const struct stream_events *events, void *arg);

/* Sends a copy of bytes. On failure (no memory, connection lost) the stream closes itself. A no-op
 * after stream_shutdown or stream_close. */
void stream_write(struct stream *stream, struct str bytes);

/* The same, but data is heap memory and freed here. */
void stream_write_take(struct stream *stream, char *data, size_t size_bytes);

/* Bytes accepted by stream_write and not yet by the kernel; under TLS as they go over the wire. */
size_t stream_pending_bytes(const struct stream *stream);

/* Stops and goes on reading; both may be repeated. A paused stream notices a lost peer only by a
 * write. No event is called inside. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* Ends our side after what is queued; reading goes on. */
void stream_shutdown(struct stream *stream);

/* Closes without waiting for the queue; may be repeated until closed() was called. No other event
 * comes after it. */
void stream_close(struct stream *stream);

/* The peer's address as text without port; "" when unknown. Valid as long as the stream. */
const char *stream_peer(const struct stream *stream);

#endif
