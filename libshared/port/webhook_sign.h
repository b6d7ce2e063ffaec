/*
 * Signatures of webhooks by Standard Webhooks 1.0.0 (github.com/standard-webhooks, the symmetric
 * scheme "v1"): HMAC-SHA-256 of "<id>.<timestamp>.<body>". The receiver must be able to tell the
 * three parts, so no id has a '.'. Any thread.
 */
#ifndef ESTEIRA_PORT_WEBHOOK_SIGN_H
#define ESTEIRA_PORT_WEBHOOK_SIGN_H

#include "base/err.h"
#include "base/str.h"

enum {
	WEBHOOK_SIGN_KEY_MIN = 24,
	WEBHOOK_SIGN_KEY_MADE = 32,
	WEBHOOK_SIGN_KEY_MAX = 64,
	WEBHOOK_SIGN_SECRET_BYTES = 95, /* "whsec_", 88 characters, NUL */
	WEBHOOK_SIGN_KEYS_MAX = 2,	/* the new one and the old one */
	WEBHOOK_SIGN_VALUE_BYTES = 96,	/* two of "v1," and 44 characters, a space, NUL */
	WEBHOOK_SIGN_ID_MAX = 255,
	WEBHOOK_SIGN_BODY_MAX = 1024 * 1024,
	WEBHOOK_SIGN_HEADER_MAX = 4096, /* bytes of a header that is verified */
	WEBHOOK_SIGN_TOLERANCE_S = 300,
};

/* The bytes of a secret, wiped by its owner. */
struct webhook_sign_key {
	uint8_t bytes[WEBHOOK_SIGN_KEY_MAX];
	size_t len;
};

struct webhook_sign_message {
	struct str id;	     /* header webhook-id: the same at every attempt */
	int64_t timestamp_s; /* header webhook-timestamp: of this attempt, since 1970 */
	struct str body;     /* as it is sent */
};

/* A new random key. */
void webhook_sign_make(struct webhook_sign_key *ret_key);

/* Its text, "whsec_" and base64 with padding; ret_text takes WEBHOOK_SIGN_SECRET_BYTES. */
void webhook_sign_format(const struct webhook_sign_key *key, char *ret_text);

/* The key of a text; each key has one text. ERR_REJECT bad-parameter. */
struct err webhook_sign_parse(struct str text, struct webhook_sign_key *ret_key) ERR_MUST_USE;

/* Also the SCOPED form. */
void webhook_sign_wipe(struct webhook_sign_key *key);

/* The header webhook-signature, one signature per key in their order (1 to WEBHOOK_SIGN_KEYS_MAX);
 * ret_value takes WEBHOOK_SIGN_VALUE_BYTES. ERR_REJECT bad-parameter for an id that is empty,
 * longer than WEBHOOK_SIGN_ID_MAX or not printable ASCII without '.' and space, or a time before
 * 1970; record-too-large for a body above WEBHOOK_SIGN_BODY_MAX. */
struct err webhook_sign_value(const struct webhook_sign_key *keys, size_t count,
	const struct webhook_sign_message *message, char *ret_value) ERR_MUST_USE;

/* Whether one of the signatures in header is of one of the keys, and the timestamp within
 * WEBHOOK_SIGN_TOLERANCE_S of now_s. ERR_REJECT unauthenticated when not, other failures as of
 * webhook_sign_value. Signatures of other schemes are passed over. How long it takes says nothing
 * about the right signature. */
struct err webhook_sign_verify(const struct webhook_sign_key *keys, size_t count,
	const struct webhook_sign_message *message, struct str header, int64_t now_s) ERR_MUST_USE;

#endif
