/*
 * One TCP connection on the loop, the bottom of port/stream: what is said there of connecting,
 * writing, pausing and closing is done here, in the clear. Loop thread only.
 */
#ifndef ESTEIRA_PORT_STREAM_TCP_H
#define ESTEIRA_PORT_STREAM_TCP_H

#include "base/err.h"
#include "base/str.h"
#include "port/stream.h"

struct stream_tcp;

/* Starts connecting and reading; *events must outlive the stream, target->tls is not looked at. An
 * unreachable peer is reported by closed(), not here. ERR_FATAL out-of-memory; ERR_REJECT
 * bad-config for a host that is too long. */
struct err stream_tcp_connect(struct loop *loop, const struct stream_target *target,
	const struct stream_events *events, void *arg, struct stream_tcp **ret_stream) ERR_MUST_USE;

/* The next connection that waits at a listening libuv handle; the caller must stream_tcp_attach or
 * stream_tcp_close it. NULL when it was lost meanwhile. */
struct stream_tcp *stream_tcp_accept(struct loop *loop, struct uv_stream_s *server);

/* Gives an accepted stream its owner and starts reading. */
void stream_tcp_attach(struct stream_tcp *stream, const struct stream_events *events, void *arg);

/* Sends a copy of bytes. On failure (no memory, connection lost) the stream closes itself. A no-op
 * after stream_tcp_shutdown or stream_tcp_close. */
void stream_tcp_write(struct stream_tcp *stream, struct str bytes);

/* The same without a copy: data is heap memory and freed here. */
void stream_tcp_write_take(struct stream_tcp *stream, char *data, size_t size_bytes);

/* Bytes accepted by stream_tcp_write and not yet by the kernel. */
size_t stream_tcp_pending_bytes(const struct stream_tcp *stream);

/* Stops and goes on reading; both may be repeated. A paused stream notices a lost peer only by a
 * write. */
void stream_tcp_pause(struct stream_tcp *stream);
void stream_tcp_resume(struct stream_tcp *stream);

/* Ends our side after what is queued; reading goes on. */
void stream_tcp_shutdown(struct stream_tcp *stream);

/* Closes without waiting for the queue; may be repeated until closed() was called. No other event
 * comes after it. */
void stream_tcp_close(struct stream_tcp *stream);

/* The peer's address as text without port; "" when unknown. Valid as long as the stream. */
const char *stream_tcp_peer(const struct stream_tcp *stream);

#endif
