/*
 * One TLS session as a machine without I/O: encrypted bytes go in and come out, plain ones come out
 * and go in. port/stream moves them over the wire; a test cuts them where it likes. What cannot be
 * decided yet waits inside, bounded by STREAM_TLS_HELD_BYTES. Any single thread.
 */
#ifndef ESTEIRA_PORT_STREAM_TLS_H
#define ESTEIRA_PORT_STREAM_TLS_H

#include "base/err.h"
#include "base/str.h"

struct stream_tls;
struct tls;

enum { STREAM_TLS_HELD_BYTES = 256 * 1024 };

enum stream_tls_step {
	STREAM_TLS_MORE,  /* needs more bytes from the peer */
	STREAM_TLS_READY, /* the handshake is done; once, before any data */
	STREAM_TLS_DATA,  /* *ret_plain holds what was opened, in the caller's room */
	STREAM_TLS_END,	  /* the peer said that nothing follows */
	STREAM_TLS_FAIL,  /* stream_tls_failure says why; for good. An alert may wait to be sent */
};

/* host: the name or address that the server's certificate must have, for a client's side; NULL: a
 * server's side. tls must outlive it, its later renewals do not touch it. NULL without memory. */
struct stream_tls *stream_tls_new(struct tls *tls, const char *host);
void stream_tls_free(struct stream_tls *tls); /* NULL is fine */

/* What came from the peer; borrowed until stream_tls_keep, which comes before the next feed. */
void stream_tls_feed(struct stream_tls *tls, struct str bytes);

/* Takes one step; a client's first one says hello. room takes at least a record's 16 KiB. */
enum stream_tls_step stream_tls_step(
	struct stream_tls *tls, char *room, size_t room_bytes, struct str *ret_plain);

/* Copies what no step has taken yet. False without memory or past the bound: give it up. */
bool stream_tls_keep(struct stream_tls *tls);

/* Whether a step could be taken without another feed. */
bool stream_tls_has_input(const struct stream_tls *tls);

/* Whether anything was ever fed. */
bool stream_tls_is_used(const struct stream_tls *tls);

/* After STREAM_TLS_READY. False when the session is broken or memory is out. */
bool stream_tls_write(struct stream_tls *tls, struct str bytes) ERR_MUST_USE;

/* Tells the peer that nothing follows. */
void stream_tls_shutdown(struct stream_tls *tls);

/* What is to be sent, as heap memory of the caller's; NULL when there is nothing. */
char *stream_tls_take(struct stream_tls *tls, size_t *ret_size_bytes);

/* After STREAM_TLS_FAIL: ERR_RETRY tls-failed, msg is static. */
struct err stream_tls_failure(const struct stream_tls *tls) ERR_MUST_USE;

#endif
