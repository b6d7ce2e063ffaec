/*
 * Keys: the master key of the installation, one key per tenant wrapped by it, and what is derived
 * or wrapped below. A key is a struct of its own, so that it cannot be swapped with a hash, and is
 * wiped after use. Formats: docs/format.md.
 */
#ifndef ESTEIRA_PORT_SEAL_KEY_H
#define ESTEIRA_PORT_SEAL_KEY_H

#include "base/err.h"
#include "base/str.h"
#include "model/tenant.h"

enum {
	SEAL_KEY_BYTES = 32,
	SEAL_KEY_WRAP_BYTES = 60,   /* nonce 12, ciphertext 32, tag 16 */
	SEAL_KEY_TENANT_BYTES = 61, /* format version 1, then the wrap */
};

struct seal_key {
	uint8_t bytes[SEAL_KEY_BYTES];
};

/* Where random bytes come from; NULL stands for the kernel. Tests with known answers pass another.
 */
struct seal_random {
	void (*fill)(void *arg, void *ret_bytes, size_t len);
	void *arg;
};

/* len bytes from random, or from the kernel when random is NULL. */
void seal_key_fill(const struct seal_random *random, void *ret_bytes, size_t len);

/* A zeroed key in a page of its own: locked in memory where the limits allow it, left out of core
 * dumps. NULL without memory. For keys that live as long as the process. */
struct seal_key *seal_key_new(void);

/* Wipes and frees; NULL is fine. */
void seal_key_free(struct seal_key *key);

/* The same for count keys in a row, as an array. */
struct seal_key *seal_key_room(size_t count);
void seal_key_room_free(struct seal_key *keys, size_t count);

/* Wipes a key that lives in the caller's memory; usable with SCOPED. */
void seal_key_wipe(struct seal_key *key);

/*
 * The master key: the file's exactly 32 raw bytes, as seal_key_new would hold them; seal_key_free
 * ends it. ERR_FATAL secret-missing: there is no such file or it cannot be read. ERR_FATAL
 * bad-config: not a regular file (a symbolic link to one is fine), a mode that is not
 * secret_is_private, another size.
 */
struct err seal_key_load_master(const char *path, struct seal_key **ret_master) ERR_MUST_USE;

/* A fresh tenant key (32 random bytes). random NULL = the kernel. */
void seal_key_make(const struct seal_random *random, struct seal_key *ret_key);

/*
 * A tenant's key as it stands in a database row. key_version >= 1 counts the tenant's keys and,
 * like the tenant, is bound to the blob. ret_blob takes SEAL_KEY_TENANT_BYTES. ERR_FATAL
 * out-of-memory.
 */
struct seal_key_row {
	struct tenant tenant;
	uint32_t version;
};
struct err seal_key_wrap(const struct seal_key *master, const struct seal_key_row *row,
	const struct seal_key *key, const struct seal_random *random, uint8_t *ret_blob)
	ERR_MUST_USE;

/* The reverse. ERR_REJECT undecryptable: another master key, tenant or version, or an altered blob.
 */
struct err seal_key_unwrap(const struct seal_key *master, const struct seal_key_row *row,
	struct str blob, struct seal_key *ret_key) ERR_MUST_USE;

enum { SEAL_KEY_CONTEXT_BYTES = 96 };

/* What a tenant's wrapped key is bound to: "esteira/1|tenant-key|<tenant>|<version>" in text
 * (SEAL_KEY_CONTEXT_BYTES). */
struct str seal_key_context(const struct seal_key_row *row, char *text);

/*
 * The primitives below the two pairs above, for port/seal and port/webhook_secret alone: 32 bytes
 * wrapped with AES-256-GCM
 * under HKDF(outer, context), with context as additional data and a random nonce in front.
 */
struct err seal_key_wrap_raw(const struct seal_key *outer, struct str context,
	const struct seal_key *inner, const struct seal_random *random, uint8_t *ret_wrap)
	ERR_MUST_USE;
struct err seal_key_unwrap_raw(const struct seal_key *outer, struct str context,
	const uint8_t *wrap, struct seal_key *ret_inner) ERR_MUST_USE;

#endif
