/*
 * The door to a connection: passes everything through to TCP, or through a TLS session above it.
 * What came encrypted is opened only while the owner reads; what it does not want yet stays
 * encrypted in the session, at most what one read of the socket brings. When TLS fails, the peer
 * is sent the alert that says so and read on for a moment: closing at once would reset the
 * connection and could destroy the alert on its way.
 */
#include "port/stream.h"

#include <stdlib.h>

#include "port/loop.h"
#include "port/stream_tcp.h"
#include "port/stream_tls.h"
#include "port/tls.h"

enum {
	EARLY_MAX_BYTES = 1 << 20,
	ROOM_BYTES = 16 * 1024,
	UNASKED_MAX_BYTES = 64 * 1024,
	FAREWELL_MS = 1000,
};

/* What only a stream under TLS needs. */
struct session {
	struct stream_tls *tls;
	struct tls *from;
	struct loop_timer *timer; /* the handshake's end; then what waits after a pause; then the
				     farewell's end */
	struct buf early;	  /* written before the handshake was done */
	size_t unasked_bytes;	  /* of TLS's own that wait for a peer who takes nothing */
	bool ready;		  /* the handshake is done */
	bool ended;		  /* the peer's farewell was told */
	bool shut;
	bool pumping;
};

struct stream {
	struct stream_tcp *tcp;
	struct loop *loop;
	const struct stream_events *events; /* NULL: nobody's yet */
	void *arg;
	struct session *session; /* NULL: plain */
	struct err why;		 /* of our closing */
	bool closing;
	bool paused;
};

/* --- ends --- */

/* The timer goes now and not with the rest: the loop may be closing, and ends its timers first. */
static void close_now(struct stream *stream)
{
	if (stream->session != NULL) {
		loop_timer_free(stream->session->timer);
		stream->session->timer = NULL;
	}
	stream_tcp_close(stream->tcp);
}

static void stream_fail(struct stream *stream, struct err why)
{
	if (stream->closing)
		return;
	stream->closing = true;
	stream->why = why;
	close_now(stream);
}

static void session_free(struct session *session)
{
	if (session == NULL)
		return;
	loop_timer_free(session->timer);
	stream_tls_free(session->tls);
	buf_done(&session->early);
	free(session);
}

static void stream_free(struct stream *stream)
{
	session_free(stream->session);
	free(stream);
}

static void on_closed(void *arg, struct err why)
{
	struct stream *stream = arg;

	if (stream->events != NULL)
		stream->events->closed(stream->arg, stream->closing ? stream->why : why);
	stream_free(stream);
}

/* Hands over what the session wants to be sent; how much it was. */
static size_t flush(struct stream *stream)
{
	size_t size_bytes;
	char *wire = stream_tls_take(stream->session->tls, &size_bytes);

	if (wire != NULL)
		stream_tcp_write_take(stream->tcp, wire, size_bytes);
	return size_bytes;
}

/* The same for what the peer made TLS say: the owner does not see it, so it is bounded here. */
static void flush_unasked(struct stream *stream)
{
	struct session *session = stream->session;

	session->unasked_bytes += flush(stream);
	if (stream_tcp_pending_bytes(stream->tcp) == 0)
		session->unasked_bytes = 0;
	if (session->unasked_bytes > UNASKED_MAX_BYTES) {
		tls_count(session->from, TLS_BROKEN);
		stream_fail(stream, err_retry(ERR_CODE_TLS_FAILED, "the peer takes no answers"));
	}
}

/* TLS failed: the alert goes out, then the connection ends. */
static void say_farewell(struct stream *stream)
{
	struct session *session = stream->session;

	if (stream->closing)
		return;
	tls_count(session->from, session->ready ? TLS_BROKEN : TLS_REFUSED);
	stream->closing = true;
	stream->why = stream_tls_failure(session->tls);
	flush(stream);
	stream_tcp_shutdown(stream->tcp);
	stream_tcp_resume(stream->tcp);
	loop_timer_start(session->timer, FAREWELL_MS, 0);
}

static void end_of_input(struct stream *stream)
{
	if (stream->events->eof != NULL)
		stream->events->eof(stream->arg);
	else
		stream_fail(stream, err_retry(ERR_CODE_TRY_AGAIN, "end of file"));
}

/* --- the TLS session --- */

/* The handshake needs the socket whether the owner reads or not. */
static void update_reading(struct stream *stream)
{
	if (stream->paused && stream->session->ready)
		stream_tcp_pause(stream->tcp);
	else
		stream_tcp_resume(stream->tcp);
}

static void seal(struct stream *stream, struct str bytes)
{
	if (stream_tls_write(stream->session->tls, bytes))
		flush(stream);
	else
		stream_fail(stream, err_retry(ERR_CODE_TRY_AGAIN, "a write under TLS failed"));
}

static void end_session(struct stream *stream)
{
	stream_tls_shutdown(stream->session->tls);
	flush(stream);
	stream_tcp_shutdown(stream->tcp);
}

static void on_ready(struct stream *stream)
{
	struct session *session = stream->session;
	struct buf early = session->early;

	loop_timer_stop(session->timer);
	session->ready = true;
	session->early = BUF(0);
	tls_count(session->from, TLS_ESTABLISHED);
	update_reading(stream);
	if (early.len > 0)
		seal(stream, buf_str(&early));
	buf_done(&early);
	if (session->shut)
		end_session(stream);
	else
		flush(stream);
	if (!stream->closing && stream->events->connected != NULL)
		stream->events->connected(stream->arg);
}

static void on_step(struct stream *stream, enum stream_tls_step step, struct str plain)
{
	switch (step) {
	case STREAM_TLS_MORE:
		break;
	case STREAM_TLS_READY:
		on_ready(stream);
		break;
	case STREAM_TLS_DATA:
		if (stream->events->data != NULL)
			stream->events->data(stream->arg, plain);
		break;
	case STREAM_TLS_END:
		stream->session->ended = true;
		end_of_input(stream);
		break;
	case STREAM_TLS_FAIL:
		say_farewell(stream);
		break;
	}
}

static bool wants_more(const struct stream *stream)
{
	const struct session *session = stream->session;

	return !stream->closing && !session->ended && !(stream->paused && session->ready);
}

/* Everything that can be opened and is wanted; the rest is kept. */
static void pump(struct stream *stream)
{
	struct session *session = stream->session;
	enum stream_tls_step step = STREAM_TLS_DATA;
	char room[ROOM_BYTES];
	struct str plain = { NULL, 0 };

	session->pumping = true;
	while (step != STREAM_TLS_MORE && wants_more(stream)) {
		step = stream_tls_step(session->tls, room, sizeof room, &plain);
		on_step(stream, step, plain);
	}
	session->pumping = false;
	if (stream->closing)
		return;
	if (!stream_tls_keep(session->tls))
		stream_fail(stream, err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory to hold input"));
	else
		flush_unasked(stream);
}

static void on_timer(void *arg)
{
	struct stream *stream = arg;

	if (stream->closing) {
		close_now(stream);
	} else if (!stream->session->ready) {
		tls_count(stream->session->from, TLS_LATE);
		stream_fail(stream, err_retry(ERR_CODE_TIMEOUT, "the TLS handshake took too long"));
	} else {
		pump(stream);
	}
}

/* host: whom a client expects; NULL for a server's side. */
static bool secure(struct stream *stream, struct tls *tls, const char *host)
{
	struct session *session = calloc(1, sizeof *session);

	if (session == NULL)
		return false;
	session->from = tls;
	session->early = BUF(EARLY_MAX_BYTES);
	session->tls = stream_tls_new(tls, host);
	struct err e = loop_timer_new(stream->loop, on_timer, stream, &session->timer);
	if (session->tls == NULL || e.kind != ERR_OK) {
		session_free(session);
		return false;
	}
	stream->session = session;
	return true;
}

/* --- events of TCP --- */

static void on_connected(void *arg)
{
	struct stream *stream = arg;

	if (stream->session != NULL) {
		loop_timer_start(
			stream->session->timer, tls_handshake_ms(stream->session->from), 0);
		pump(stream); /* says hello */
	} else if (stream->events->connected != NULL) {
		stream->events->connected(stream->arg);
	}
}

static void on_data(void *arg, struct str bytes)
{
	struct stream *stream = arg;

	if (stream->closing)
		return;
	if (stream->session != NULL) {
		stream_tls_feed(stream->session->tls, bytes);
		pump(stream);
	} else if (stream->events->data != NULL) {
		stream->events->data(stream->arg, bytes);
	}
}

static void on_eof(void *arg)
{
	struct stream *stream = arg;
	const struct session *session = stream->session;

	if (stream->closing) {
		close_now(stream);
	} else if (session == NULL) {
		end_of_input(stream);
	} else if (!session->ended) {
		/* who only looks whether somebody listens is no failure */
		if (stream_tls_is_used(session->tls))
			tls_count(session->from, session->ready ? TLS_BROKEN : TLS_REFUSED);
		stream_fail(
			stream, err_retry(session->ready ? ERR_CODE_TRY_AGAIN : ERR_CODE_TLS_FAILED,
					"the connection was cut"));
	}
}

static void on_drained(void *arg)
{
	struct stream *stream = arg;

	if (stream->closing || stream->events == NULL || stream->events->drained == NULL)
		return;
	if (stream->session == NULL || stream->session->ready)
		stream->events->drained(stream->arg);
}

static const struct stream_events tcp_events = { on_connected, on_data, on_eof, on_drained,
	on_closed };

/* --- the door --- */

struct err stream_connect(struct loop *loop, const struct stream_target *target,
	const struct stream_events *events, void *arg, struct stream **ret_stream)
{
	struct stream *stream = calloc(1, sizeof *stream);

	if (stream == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a connection");
	*stream = (struct stream){ .loop = loop, .events = events, .arg = arg };
	if (target->tls != NULL && !secure(stream, target->tls, target->host)) {
		stream_free(stream);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a connection");
	}
	struct err e = stream_tcp_connect(loop, target, &tcp_events, stream, &stream->tcp);
	if (e.kind != ERR_OK) {
		stream_free(stream);
		return e;
	}
	*ret_stream = stream;
	return err_ok();
}

struct stream *stream_accept(struct loop *loop, struct uv_stream_s *server)
{
	struct stream_tcp *tcp = stream_tcp_accept(loop, server);
	struct stream *stream = tcp == NULL ? NULL : calloc(1, sizeof *stream);

	if (stream == NULL) {
		if (tcp != NULL)
			stream_tcp_close(tcp);
		return NULL;
	}
	stream->loop = loop;
	stream->tcp = tcp;
	stream_tcp_pause(tcp);
	stream_tcp_attach(tcp, &tcp_events, stream);
	return stream;
}

void stream_attach(
	struct stream *stream, struct tls *tls, const struct stream_events *events, void *arg)
{
	stream->events = events;
	stream->arg = arg;
	if (tls != NULL) {
		if (!secure(stream, tls, NULL)) {
			stream_fail(stream, err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory for TLS"));
			return;
		}
		loop_timer_start(stream->session->timer, tls_handshake_ms(tls), 0);
	}
	stream_tcp_resume(stream->tcp);
}

/* True when it is settled: dropped, or kept until the handshake is done. */
static bool write_early(struct stream *stream, struct str bytes)
{
	struct session *session = stream->session;

	if (stream->closing || session->shut || bytes.len == 0)
		return true;
	if (session->ready)
		return false;
	buf_add_str(&session->early, bytes);
	if (session->early.overflow)
		stream_fail(stream, err_retry(ERR_CODE_TRY_AGAIN, "too much was written early"));
	return true;
}

void stream_write(struct stream *stream, struct str bytes)
{
	if (stream->session == NULL)
		stream_tcp_write(stream->tcp, bytes);
	else if (!write_early(stream, bytes))
		seal(stream, bytes);
}

void stream_write_take(struct stream *stream, char *data, size_t size_bytes)
{
	if (stream->session == NULL) {
		stream_tcp_write_take(stream->tcp, data, size_bytes);
		return;
	}
	stream_write(stream, (struct str){ data, size_bytes });
	free(data);
}

size_t stream_pending_bytes(const struct stream *stream)
{
	size_t early = stream->session == NULL ? 0 : stream->session->early.len;

	return stream_tcp_pending_bytes(stream->tcp) + early;
}

void stream_pause(struct stream *stream)
{
	stream->paused = true;
	if (stream->session == NULL)
		stream_tcp_pause(stream->tcp);
	else if (!stream->closing)
		update_reading(stream);
}

void stream_resume(struct stream *stream)
{
	struct session *session = stream->session;

	stream->paused = false;
	if (stream->events == NULL || stream->closing)
		return;
	stream_tcp_resume(stream->tcp);
	if (session != NULL && session->ready && !session->pumping &&
		stream_tls_has_input(session->tls))
		loop_timer_start(session->timer, 0, 0);
}

void stream_shutdown(struct stream *stream)
{
	struct session *session = stream->session;

	if (session == NULL) {
		stream_tcp_shutdown(stream->tcp);
		return;
	}
	if (stream->closing || session->shut)
		return;
	session->shut = true;
	if (session->ready)
		end_session(stream);
}

void stream_close(struct stream *stream)
{
	stream_fail(stream, err_ok());
	close_now(stream); /* also in the middle of a farewell */
}

const char *stream_peer(const struct stream *stream)
{
	return stream_tcp_peer(stream->tcp);
}
