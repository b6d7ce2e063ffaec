/*
 * TLS as the suite speaks it: one struct tls per port that is served or server that is called, made
 * from files and read again when they change, so that a renewed certificate needs no restart. 1.3,
 * or from 1.2 on with forward secrecy and authenticated encryption only; no renegotiation, no
 * resumption, no early data. Verification cannot be switched off. Sessions: port/stream.
 * Loop thread, but for tls_counted, tls_expires_s and tls_file_expires_s.
 */
#ifndef ESTEIRA_PORT_TLS_H
#define ESTEIRA_PORT_TLS_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct ssl_st;
struct tls;

enum tls_role { TLS_SERVER, TLS_CLIENT };

/* All PEM. NULL and "" both mean: not given. */
struct tls_conf {
	enum tls_role role;
	const char *cert_file; /* leaf first, then what leads to the authority; a server needs it */
	const char *key_file;  /* not encrypted; with cert_file or not at all */
	const char *ca_file;   /* server: clients must have a certificate of these authorities;
				  client: the authorities believed, in place of the system's */
	const char *alpn;      /* server: the one protocol spoken ("http/1.1"); a client that names
				  only others is refused */
	bool from_1_2;	       /* TLS 1.2 will do */
	uint64_t handshake_ms; /* how long it may take; 0: 10,000 */
};

/* Copies conf and reads the files. ERR_FATAL bad-config when they cannot be read or do not belong
 * together, out-of-memory. */
struct err tls_open(const struct tls_conf *conf, struct tls **ret_tls) ERR_MUST_USE;

/* Sessions live on, streams must not: they count here. NULL is fine. */
void tls_close(struct tls *tls);

enum tls_change {
	TLS_SAME,
	TLS_RENEWED, /* sessions from now on use what the files hold */
	TLS_STALE,   /* the files are not usable, the old ones are used on; told once per change */
};

/* Looks at the files. *ret_why: ERR_OK unless they are unusable now, TLS_STALE or not: unreadable,
 * not a pair, or a certificate that has expired already. */
enum tls_change tls_refresh(struct tls *tls, struct err *ret_why);

/* When the own certificate in use expires, seconds since 1970; 0 without one. Any thread. */
int64_t tls_expires_s(const struct tls *tls);

/* The same of the first certificate in a PEM file; 0 when there is none to be read. Any thread. */
int64_t tls_file_expires_s(const char *path);

enum tls_event {
	TLS_ESTABLISHED, /* handshakes done */
	TLS_REFUSED,	 /* handshakes that failed, on either side */
	TLS_LATE,	 /* handshakes that took too long */
	TLS_BROKEN,	 /* sessions cut without a farewell, or by bytes that are none of TLS */
	TLS_EVENTS,
};

/* Sessions so far by what became of them; tls_count is for port/stream. Any thread. */
void tls_count(struct tls *tls, enum tls_event event);
uint64_t tls_counted(const struct tls *tls, enum tls_event event);

/* --- for the files of port/stream --- */

/* A session that is ready for its handshake, to be freed by SSL_free. host: whom a server's
 * certificate must name; NULL on a server. NULL without memory or for a host that cannot be one. */
struct ssl_st *tls_session(struct tls *tls, const char *host);

uint64_t tls_handshake_ms(const struct tls *tls);

#endif
