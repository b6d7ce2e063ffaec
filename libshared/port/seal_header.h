/*
 * What the envelopes of port/seal have in common: the header's layout and the secrets that HKDF
 * makes of an envelope's key material. For port/seal*.c alone; the format is docs/format.md.
 */
#ifndef ESTEIRA_PORT_SEAL_HEADER_H
#define ESTEIRA_PORT_SEAL_HEADER_H

#include "port/seal.h"
#include "port/seal_key.h"

enum seal_purpose {
	SEAL_PURPOSE_DOC = 1,
	SEAL_PURPOSE_RESULT = 2,
	SEAL_PURPOSE_PERSONAL = 3, /* reserved: rows of people */
};

/* Offsets that the purposes use; the rest is seal_header.c's. */
enum {
	SEAL_HEADER_AT_NONCE = 12,
	SEAL_HEADER_AT_PART = 52, /* what a purpose adds */
	SEAL_CONTEXT_BYTES = 112,
};

/* The commitment names the key without showing it, so that no ciphertext opens under two keys. */
struct seal_secrets {
	uint8_t key[SEAL_KEY_BYTES];
	uint8_t commitment[SEAL_KEY_BYTES];
};

/* HKDF(material, salt, "esteira/1|<what>|<tenant>|<job>"), what being "doc" or "result". */
struct seal_secrets seal_header_secrets(
	const struct seal_context *context, const char *what, struct str material, struct str salt);

/* Wipes; usable with SCOPED. */
void seal_header_wipe(struct seal_secrets *secrets);

/* "esteira/1|<what>|<tenant>|<job>" in text (SEAL_CONTEXT_BYTES). */
struct str seal_header_context(const struct seal_context *context, const char *what, char *text);

/* Writes the first SEAL_HEADER_AT_PART bytes, with a random nonce. */
void seal_header_make(const struct seal_context *context, enum seal_purpose purpose,
	const struct seal_secrets *secrets, uint8_t *ret_header);

/* The key version in a header, of which len >= 12 bytes are there. ERR_REJECT undecryptable. */
struct err seal_header_version(struct str header, uint32_t *ret_version) ERR_MUST_USE;

/* Purpose and version of a whole header. ERR_REJECT undecryptable. */
struct err seal_header_check(const struct seal_context *context, enum seal_purpose purpose,
	const uint8_t *header) ERR_MUST_USE;

/* The commitment, in constant time. ERR_REJECT undecryptable. */
struct err seal_header_fits(const struct seal_secrets *secrets, const uint8_t *header) ERR_MUST_USE;

/* The two failures of opening. */
struct err seal_header_refuse(const char *msg) ERR_MUST_USE;
struct err seal_header_no_memory(void) ERR_MUST_USE;

#endif
