/*
 * Hashes, the kernel's randomness and comparisons that take the same time for every content. The
 * one-shot functions cannot fail: without memory or randomness the process aborts, because going on
 * with a wrong hash or a guessable key would be worse. Any thread; one struct digest per thread.
 */
#ifndef ESTEIRA_PORT_DIGEST_H
#define ESTEIRA_PORT_DIGEST_H

#include "base/id.h"
#include "base/str.h"

enum { DIGEST_BYTES = 32, DIGEST_HEX_BYTES = 65, DIGEST_SHA1_HEX_BYTES = 41 };

/* SHA-256 (FIPS 180-4) over bytes that come in pieces. */
struct digest;

/* NULL without memory. */
struct digest *digest_new(void);
void digest_add(struct digest *digest, struct str bytes);

/* The hash of all that was added; the struct may then only be freed. ret_hash takes DIGEST_BYTES.
 */
void digest_end(struct digest *digest, uint8_t *ret_hash);

/* NULL is fine. digest_drop is the SCOPED form. */
void digest_free(struct digest *digest);
void digest_drop(struct digest **digest);

/* One-shot SHA-256, HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869; ret_key takes len <= 255 *
 * DIGEST_BYTES; an empty salt is the RFC's string of zeros). ret_hash and ret_mac take
 * DIGEST_BYTES. */
void digest_sha256(struct str bytes, uint8_t *ret_hash);
void digest_hmac_sha256(struct str key, struct str bytes, uint8_t *ret_mac);
void digest_hkdf(struct str secret, struct str salt, struct str info, void *ret_key, size_t len);

/* SHA-1 in hex, by which Redis names a script; it protects nothing. ret_text takes
 * DIGEST_SHA1_HEX_BYTES. */
void digest_sha1_hex(struct str bytes, char *ret_text);

/* UUID version 5 (RFC 9562 section 5.5) of the parts joined by 0x1F, as they are: no normalising.
 */
void digest_uuid5(struct id space, const struct str *parts, size_t count, struct id *ret_id);

/* The name space of derived event ids: UUIDv5(DNS, "esteira.events"). */
struct id digest_event_namespace(void);

/* True when equal; the time depends on len alone. */
bool digest_equal(const void *a, const void *b, size_t len);

/* len bytes from the kernel's generator. */
void digest_random(void *ret_bytes, size_t len);

/* Zeros that the compiler does not remove. */
void digest_wipe(void *bytes, size_t len);

#endif
