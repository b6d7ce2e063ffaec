/*
 * A key service that never shows its key: the transit engine of OpenBao or Vault, over HTTPS. It
 * wraps and unwraps 32 bytes under a key of its own that is derived for each context, so what was
 * wrapped for one context does not open for another. Every doubt (no answer, no right, sealed, an
 * answer that cannot be read) is a fault of ours to wait for, ERR_RETRY keys-away or keys-refused;
 * only "this ciphertext is not mine" is about what was asked.
 * Source: OpenBao API, /v1/transit and /v1/sys/health
 * (https://openbao.org/api-docs/secret/transit/).
 */
#ifndef ESTEIRA_PORT_TRANSIT_H
#define ESTEIRA_PORT_TRANSIT_H

#include "base/err.h"
#include "base/str.h"
#include "port/seal_key.h"

struct loop;
struct transit;

enum { TRANSIT_TEXT_MAX = 512 }; /* of a ciphertext, "vault:v1:..." */

struct transit_conf {
	const char *url;	/* https://host[:port] */
	const char *mount;	/* "transit" */
	const char *key;	/* its name; must have been made with derived=true */
	const char *token_file; /* read again when it changes and when it is refused */
	const char *ca_file;	/* PEM; "" or NULL: the system's */
};

/* Loop thread; no traffic. Texts of conf are borrowed. ERR_FATAL bad-config (a URL that is not
 * https, a name that is none, no token), out-of-memory. */
struct err transit_open(struct loop *loop, const struct transit_conf *conf,
	struct transit **ret_transit) ERR_MUST_USE;

/* Loop thread; the loop must turn once more. NULL is fine. */
void transit_close(struct transit *transit);

/* Blocking, any thread but the loop's, 4 s at most. ret_text takes TRANSIT_TEXT_MAX + 1. */
struct err transit_wrap(struct transit *transit, struct str context, const struct seal_key *key,
	char *ret_text) ERR_MUST_USE;

/* The same. ERR_REJECT undecryptable: altered, of another context or another key. */
struct err transit_unwrap(struct transit *transit, struct str context, struct str text,
	struct seal_key *ret_key) ERR_MUST_USE;

/* Blocking likewise. ERR_FATAL bad-config: the key is not derived, so that no context would count.
 */
struct err transit_check(struct transit *transit) ERR_MUST_USE;

/* Loop thread: asks whether the service is there and open; done is called once unless the call
 * fails at once or the transit is closed. */
struct err transit_ask(struct transit *transit, void (*done)(void *arg, struct err e), void *arg)
	ERR_MUST_USE;

/* N of "vault:vN:...", the version of its key; 0: no such text. */
unsigned transit_version_of(struct str text);

#endif
