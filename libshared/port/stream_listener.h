/*
 * A listening TCP socket on the loop; each connection becomes a struct stream. Loop thread only.
 */
#ifndef ESTEIRA_PORT_STREAM_LISTENER_H
#define ESTEIRA_PORT_STREAM_LISTENER_H

#include "base/err.h"
#include "base/str.h"

struct loop;
struct stream;
struct stream_listener;

/* A new connection: the callee must stream_attach or stream_close it. */
typedef void stream_accept_fn(void *arg, struct stream *stream);

/* Listens on "host:port" ("127.0.0.1:0" = any free port, "[::]:80", "0.0.0.0:80"), without
 * SO_REUSEPORT. ERR_REJECT bad-config when the address is malformed, ERR_FATAL bad-config when it
 * is taken. */
struct err stream_listener_open(struct loop *loop, const char *address, stream_accept_fn *accept,
	void *arg, struct stream_listener **ret_listener) ERR_MUST_USE;

uint16_t stream_listener_port(const struct stream_listener *listener);

/* Stops accepting; accepted streams live on. NULL is fine. */
void stream_listener_close(struct stream_listener *listener);

#endif
