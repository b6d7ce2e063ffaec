/*
 * TCP on libuv. uv_close is asynchronous and ends every request of its handle first, so it is the
 * one way out: whatever fails calls tcp_fail, and `closed` is told from the close callback.
 * While connecting, the same handle is closed and made again for each address of the host.
 */
#include "port/stream_tcp.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "port/loop.h"

enum { KEEPALIVE_S = 60, HOST_BYTES = 256, EARLY_MAX_BYTES = 1 << 20, PEER_BYTES = 46 };

enum phase { PHASE_DIALING, PHASE_OPEN, PHASE_CLOSING };

struct stream_tcp {
	uv_tcp_t tcp;
	struct loop *loop;
	const struct stream_events *events;
	void *arg;
	struct dial *dial; /* only while connecting */
	struct err why;
	enum phase phase;
	bool paused;
	bool ended;  /* the peer's end of input was told */
	bool shut;   /* our end was sent */
	bool broken; /* closing the handle of one address to try the next */
	char peer[PEER_BYTES];
};

/* What only a connecting stream needs. It outlives the stream when a look-up cannot be cancelled.
 */
struct dial {
	struct stream_tcp *stream; /* NULL: gone, or connected */
	struct loop_timer *timer;
	uv_getaddrinfo_t lookup;
	uv_connect_t connect;
	struct addrinfo *found;
	struct addrinfo *next;
	struct buf early; /* written before the connection stood */
	bool looking_up;
	struct sockaddr_storage literal;
	uint16_t port;
	char host[HOST_BYTES];
};

struct out {
	uv_write_t req;
	struct stream_tcp *stream;
	char *data;
};

static void dial_next(struct stream_tcp *stream);

static void dial_free(struct dial *dial)
{
	loop_timer_free(dial->timer);
	dial->timer = NULL;
	dial->stream = NULL;
	buf_done(&dial->early);
	if (dial->looking_up) {
		uv_cancel((uv_req_t *)&dial->lookup);
		return; /* on_lookup frees the rest */
	}
	uv_freeaddrinfo(dial->found);
	free(dial);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct stream_tcp *stream = handle->data;

	if (stream->phase != PHASE_CLOSING) {
		stream->broken = false;
		dial_next(stream);
		return;
	}
	if (stream->dial != NULL)
		dial_free(stream->dial);
	if (stream->events != NULL)
		stream->events->closed(stream->arg, stream->why);
	free(stream);
}

static void tcp_fail(struct stream_tcp *stream, struct err why)
{
	if (stream->phase == PHASE_CLOSING)
		return;
	stream->phase = PHASE_CLOSING;
	stream->why = why;
	if (stream->dial != NULL) { /* now: the loop may be closing, and ends its timers first */
		loop_timer_free(stream->dial->timer);
		stream->dial->timer = NULL;
	}
	if (!stream->broken)
		uv_close((uv_handle_t *)&stream->tcp, on_handle_closed);
}

static struct err lost(int uv_code)
{
	return err_retry(ERR_CODE_TRY_AGAIN, uv_strerror(uv_code));
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t hint_bytes, uv_buf_t *ret_buf)
{
	struct stream_tcp *stream = handle->data;

	(void)hint_bytes;
	*ret_buf = uv_buf_init(loop_scratch(stream->loop), LOOP_SCRATCH_BYTES);
}

static void on_read(uv_stream_t *handle, ssize_t len, const uv_buf_t *buf)
{
	struct stream_tcp *stream = handle->data;

	if (stream->phase == PHASE_CLOSING || len == 0)
		return;
	if (len > 0) {
		if (stream->events->data != NULL)
			stream->events->data(stream->arg, (struct str){ buf->base, (size_t)len });
		return;
	}
	stream->ended = true;
	if (len != UV_EOF || stream->events->eof == NULL) {
		tcp_fail(stream, lost((int)len));
		return;
	}
	uv_read_stop(handle);
	stream->events->eof(stream->arg);
}

static void read_start(struct stream_tcp *stream)
{
	if (stream->phase != PHASE_OPEN || stream->paused || stream->ended)
		return;
	int code = uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
	if (code != 0 && code != UV_EALREADY)
		tcp_fail(stream, lost(code));
}

/* --- connecting --- */

static void set_options(struct stream_tcp *stream)
{
	struct sockaddr_storage peer;
	int len = sizeof peer;

	uv_tcp_nodelay(&stream->tcp, 1);
	uv_tcp_keepalive(&stream->tcp, 1, KEEPALIVE_S);
	if (uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&peer, &len) != 0)
		return;
	if (peer.ss_family == AF_INET)
		uv_ip4_name((struct sockaddr_in *)&peer, stream->peer, sizeof stream->peer);
	else if (peer.ss_family == AF_INET6)
		uv_ip6_name((struct sockaddr_in6 *)&peer, stream->peer, sizeof stream->peer);
	static const char mapped[] = "::ffff:";
	if (strncmp(stream->peer, mapped, sizeof mapped - 1) == 0 &&
		strchr(stream->peer, '.') != NULL)
		memmove(stream->peer, stream->peer + sizeof mapped - 1,
			strlen(stream->peer) - (sizeof mapped - 1) + 1);
}

static void on_connect(uv_connect_t *req, int status)
{
	struct stream_tcp *stream = req->handle->data;

	if (stream->phase != PHASE_DIALING || stream->broken)
		return;
	if (status != 0) {
		stream->why = lost(status);
		stream->broken = true;
		uv_close((uv_handle_t *)&stream->tcp, on_handle_closed);
		return;
	}
	struct dial *dial = stream->dial;
	struct buf early = dial->early;
	stream->dial = NULL;
	dial->early = BUF(0);
	dial_free(dial);
	stream->phase = PHASE_OPEN;
	set_options(stream);
	read_start(stream);
	bool shut = stream->shut;
	stream->shut = false;
	stream_tcp_write_take(stream, early.ptr, early.len);
	if (shut)
		stream_tcp_shutdown(stream);
	if (stream->phase == PHASE_OPEN && stream->events->connected != NULL)
		stream->events->connected(stream->arg);
}

/* Tries the next address; the first time, and each time after a failed handle was closed. */
static void dial_next(struct stream_tcp *stream)
{
	struct dial *dial = stream->dial;
	const struct sockaddr *address;

	uv_tcp_init(loop_uv(stream->loop), &stream->tcp);
	stream->tcp.data = stream;
	if (dial->literal.ss_family != AF_UNSPEC && stream->why.kind == ERR_OK) {
		address = (const struct sockaddr *)&dial->literal;
	} else if (dial->next != NULL) {
		address = dial->next->ai_addr;
		dial->next = dial->next->ai_next;
	} else {
		tcp_fail(stream, stream->why);
		return;
	}
	int code = uv_tcp_connect(&dial->connect, &stream->tcp, address, on_connect);
	if (code != 0) {
		stream->why = lost(code);
		stream->broken = true;
		uv_close((uv_handle_t *)&stream->tcp, on_handle_closed);
	}
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct dial *dial = req->data;
	struct stream_tcp *stream = dial->stream;

	dial->looking_up = false;
	dial->found = found;
	dial->next = found;
	if (stream == NULL) {
		dial_free(dial);
		return;
	}
	if (stream->phase != PHASE_DIALING)
		return;
	stream->why = lost(status != 0 ? status : UV_EAI_NONAME);
	/* the handle made at birth is unused: closing it leads to dial_next */
	stream->broken = true;
	uv_close((uv_handle_t *)&stream->tcp, on_handle_closed);
}

static void on_dial_timeout(void *arg)
{
	struct dial *dial = arg;

	tcp_fail(dial->stream, err_retry(ERR_CODE_TIMEOUT, "connecting took too long"));
}

static struct err dial_start(struct stream_tcp *stream, uint64_t timeout_ms)
{
	struct dial *dial = stream->dial;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV };
	char port[8];

	TRY(loop_timer_new(stream->loop, on_dial_timeout, dial, &dial->timer));
	loop_timer_start(dial->timer, timeout_ms, 0);
	uv_tcp_init(loop_uv(stream->loop), &stream->tcp);
	stream->tcp.data = stream;
	dial->stream = stream;
	if (uv_ip4_addr(dial->host, dial->port, (struct sockaddr_in *)&dial->literal) == 0 ||
		uv_ip6_addr(dial->host, dial->port, (struct sockaddr_in6 *)&dial->literal) == 0) {
		stream->broken = true;
		uv_close((uv_handle_t *)&stream->tcp, on_handle_closed);
		return err_ok();
	}
	dial->literal.ss_family = AF_UNSPEC;
	snprintf(port, sizeof port, "%u", (unsigned)dial->port);
	dial->lookup.data = dial;
	int code = uv_getaddrinfo(
		loop_uv(stream->loop), &dial->lookup, on_lookup, dial->host, port, &hints);
	dial->looking_up = code == 0;
	if (code != 0)
		tcp_fail(stream, lost(code));
	return err_ok();
}

struct err stream_tcp_connect(struct loop *loop, const struct stream_target *target,
	const struct stream_events *events, void *arg, struct stream_tcp **ret_stream)
{
	if (target->host == NULL || strlen(target->host) >= HOST_BYTES)
		return err_reject(ERR_CODE_BAD_CONFIG, "the host name is too long");
	struct stream_tcp *stream = calloc(1, sizeof *stream);
	struct dial *dial = calloc(1, sizeof *dial);
	if (stream == NULL || dial == NULL) {
		free(stream);
		free(dial);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a connection");
	}
	stream->loop = loop;
	stream->events = events;
	stream->arg = arg;
	stream->dial = dial;
	dial->early = BUF(EARLY_MAX_BYTES);
	dial->port = target->port;
	snprintf(dial->host, sizeof dial->host, "%s", target->host);
	struct err e = dial_start(stream, target->timeout_ms);
	if (e.kind != ERR_OK) {
		free(dial);
		free(stream);
		return e;
	}
	*ret_stream = stream;
	return err_ok();
}

/* --- writing --- */

/* What libuv has not written yet, by the byte also inside one large write. */
static size_t waiting_bytes(const struct stream_tcp *stream)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&stream->tcp);
}

static void on_written(uv_write_t *req, int status)
{
	struct out *out = req->data;
	struct stream_tcp *stream = out->stream;

	free(out->data);
	free(out);
	if (stream->phase != PHASE_OPEN)
		return;
	if (status != 0)
		tcp_fail(stream, lost(status));
	else if (waiting_bytes(stream) == 0 && stream->events != NULL &&
		 stream->events->drained != NULL)
		stream->events->drained(stream->arg);
}

/* Queues data from offset on; data becomes ours. */
static void enqueue(struct stream_tcp *stream, char *data, size_t offset, size_t size_bytes)
{
	struct out *out = calloc(1, sizeof *out);
	uv_buf_t buf = uv_buf_init(data + offset, (unsigned)(size_bytes - offset));

	if (out == NULL) {
		free(data);
		tcp_fail(stream, err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory to queue a write"));
		return;
	}
	out->req.data = out;
	out->stream = stream;
	out->data = data;
	int code = uv_write(&out->req, (uv_stream_t *)&stream->tcp, &buf, 1, on_written);
	if (code != 0) {
		free(data);
		free(out);
		tcp_fail(stream, lost(code));
	}
}

/* Bytes the kernel took at once, size_bytes too when there is nothing (left) to do. */
static size_t write_now(struct stream_tcp *stream, const char *data, size_t size_bytes)
{
	size_t done = 0;

	if (stream->phase == PHASE_CLOSING || stream->shut)
		return size_bytes;
	if (stream->phase == PHASE_DIALING) {
		buf_add(&stream->dial->early, data, size_bytes);
		if (stream->dial->early.overflow)
			tcp_fail(stream,
				err_retry(ERR_CODE_TRY_AGAIN, "too much was written early"));
		return size_bytes;
	}
	while (done < size_bytes && waiting_bytes(stream) == 0) {
		uv_buf_t buf =
			uv_buf_init((char *)(uintptr_t)data + done, (unsigned)(size_bytes - done));
		int code = uv_try_write((uv_stream_t *)&stream->tcp, &buf, 1);
		if (code == UV_EAGAIN)
			break;
		if (code < 0) {
			tcp_fail(stream, lost(code));
			return size_bytes;
		}
		done += (size_t)code;
	}
	return done;
}

void stream_tcp_write(struct stream_tcp *stream, struct str bytes)
{
	size_t done = write_now(stream, bytes.ptr, bytes.len);

	if (done == bytes.len)
		return;
	char *copy = malloc(bytes.len - done);
	if (copy == NULL) {
		tcp_fail(stream, err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory to queue a write"));
		return;
	}
	memcpy(copy, bytes.ptr + done, bytes.len - done);
	enqueue(stream, copy, 0, bytes.len - done);
}

void stream_tcp_write_take(struct stream_tcp *stream, char *data, size_t size_bytes)
{
	size_t done = write_now(stream, data, size_bytes);

	if (done == size_bytes)
		free(data);
	else
		enqueue(stream, data, done, size_bytes);
}

size_t stream_tcp_pending_bytes(const struct stream_tcp *stream)
{
	return waiting_bytes(stream) + (stream->dial == NULL ? 0 : stream->dial->early.len);
}

void stream_tcp_pause(struct stream_tcp *stream)
{
	stream->paused = true;
	if (stream->phase == PHASE_OPEN)
		uv_read_stop((uv_stream_t *)&stream->tcp);
}

void stream_tcp_resume(struct stream_tcp *stream)
{
	stream->paused = false;
	if (stream->events != NULL)
		read_start(stream);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	(void)status; /* a peer that is gone needs no farewell; the read side tells */
	free(req);
}

void stream_tcp_shutdown(struct stream_tcp *stream)
{
	if (stream->phase == PHASE_CLOSING || stream->shut)
		return;
	stream->shut = true;
	if (stream->phase == PHASE_DIALING)
		return;
	uv_shutdown_t *req = malloc(sizeof *req);
	if (req == NULL || uv_shutdown(req, (uv_stream_t *)&stream->tcp, on_shutdown) != 0) {
		free(req);
		tcp_fail(stream, err_retry(ERR_CODE_TRY_AGAIN, "the connection cannot be ended"));
	}
}

void stream_tcp_close(struct stream_tcp *stream)
{
	tcp_fail(stream, err_ok());
}

const char *stream_tcp_peer(const struct stream_tcp *stream)
{
	return stream->peer;
}

struct stream_tcp *stream_tcp_accept(struct loop *loop, struct uv_stream_s *server)
{
	struct stream_tcp *stream = calloc(1, sizeof *stream);

	if (stream == NULL)
		return NULL;
	stream->loop = loop;
	stream->phase = PHASE_OPEN;
	uv_tcp_init(loop_uv(loop), &stream->tcp);
	stream->tcp.data = stream;
	if (uv_accept(server, (uv_stream_t *)&stream->tcp) != 0) {
		stream_tcp_close(stream);
		return NULL;
	}
	set_options(stream);
	return stream;
}

void stream_tcp_attach(struct stream_tcp *stream, const struct stream_events *events, void *arg)
{
	stream->events = events;
	stream->arg = arg;
	read_start(stream);
}
