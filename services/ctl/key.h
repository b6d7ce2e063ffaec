/*
 * The noun "key": API keys. A key is shown once, when it is made; the database has only the SHA-256
 * of its whole text, which 32 random bytes make impossible to guess from.
 */
#ifndef ESTEIRA_CTL_KEY_H
#define ESTEIRA_CTL_KEY_H

#include "base/err.h"
#include "base/str.h"
#include "port/digest.h"
#include "port/seal_key.h"
#include "command.h"

enum { KEY_ID_BYTES = 9, KEY_TEXT_BYTES = 56, KEY_SCOPES = 7 };

extern const struct command key_commands[];

/* "uk_<id>_<43 characters of base64url>" and the hash of that text. */
struct key_made {
	char id[KEY_ID_BYTES]; /* 8 hex digits: names the key where it must not be shown */
	char text[KEY_TEXT_BYTES];
	uint8_t hash[DIGEST_BYTES];
};

/* random NULL = the kernel. */
void key_make(const struct seal_random *random, struct key_made *ret_key);

/* Wipes it; usable with SCOPED. */
void key_wipe(struct key_made *key);

/* The comma-separated scopes as KEY_SCOPES flags: extract, status, events, webhooks, audit,
 * operate, admin. ERR_REJECT bad-parameter: an unknown one, one twice, none. */
struct err key_read_scopes(struct str list, bool *ret_scopes) ERR_MUST_USE;

#endif
