/*
 * What wraps the tenants' keys: the 32 bytes of a file, or a key service that never shows its own.
 * One of them is in force and wraps; beside it a second file may still open what it wrapped before,
 * so that a master key is rotated while everything runs (docs/keys.md). The first byte of a wrapped
 * key says which kind wrapped it: docs/format.md.
 */
#ifndef ESTEIRA_FRAME_MASTER_H
#define ESTEIRA_FRAME_MASTER_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "frame/conf.h"
#include "port/seal_key.h"
#include "port/transit.h"

struct loop;
struct master;

enum { MASTER_BLOB_BYTES = 1 + TRANSIT_TEXT_MAX + 1 }; /* room for any wrapped key */

struct master_conf {
	const char *file, *old_file;
	struct transit_conf transit;
};

/* The rows of a configuration table for the struct master_conf at this offset of it. */
#define MASTER_CONF_ITEMS(at)                                                                      \
	{ "ESTEIRA_SEAL_MASTER_FILE", CONF_TEXT, (at) + offsetof(struct master_conf, file), "", 0, \
		0, NULL,                                                                           \
		"File of the master key: 32 raw bytes, mode 0600, 0400 or, of our group, 0440. "   \
		"This or ESTEIRA_SEAL_TRANSIT_URL." },                                             \
		{ "ESTEIRA_SEAL_MASTER_OLD_FILE", CONF_TEXT,                                       \
			(at) + offsetof(struct master_conf, old_file), "", 0, 0, NULL,             \
			"File of the master key before it, of the same form: opens, never "        \
			"wraps." },                                                                \
		{ "ESTEIRA_SEAL_TRANSIT_URL", CONF_TEXT,                                           \
			(at) + offsetof(struct master_conf, transit.url), "", 0, 0, NULL,          \
			"https://host:port of an OpenBao or Vault that keeps the master key." },   \
		{ "ESTEIRA_SEAL_TRANSIT_MOUNT", CONF_TEXT,                                         \
			(at) + offsetof(struct master_conf, transit.mount), "transit", 0, 0, NULL, \
			"Where its transit engine is mounted." },                                  \
		{ "ESTEIRA_SEAL_TRANSIT_KEY", CONF_TEXT,                                           \
			(at) + offsetof(struct master_conf, transit.key), "esteira", 0, 0, NULL,   \
			"The name of its key, made with derived=true." },                          \
		{ "ESTEIRA_SEAL_TRANSIT_TOKEN_FILE", CONF_TEXT,                                    \
			(at) + offsetof(struct master_conf, transit.token_file), "", 0, 0, NULL,   \
			"File of the token; read again when it changes or is refused." },          \
	{                                                                                          \
		"ESTEIRA_SEAL_TRANSIT_CA_FILE", CONF_TEXT,                                         \
			(at) + offsetof(struct master_conf, transit.ca_file), "", 0, 0, NULL,      \
			"PEM file of the authorities for its certificate; empty: the system's."    \
	}

/* Loop thread; reads files, no traffic; loop may be NULL without a key service. Texts of conf are
 * borrowed. ERR_FATAL bad-config: both or neither, or a file or service that cannot be;
 * secret-missing: no such file; out-of-memory. */
struct err master_open(
	struct loop *loop, const struct master_conf *conf, struct master **ret_master) ERR_MUST_USE;

/* Wipes. Loop thread; the loop must turn once more. NULL is fine. */
void master_close(struct master *master);

/* Whether a key service is in force. */
bool master_is_remote(const struct master *master);

/* A wrapped key: bytes in the caller's memory. */
struct master_blob {
	uint8_t bytes[MASTER_BLOB_BYTES];
	size_t len;
};

/* With a key service these block (never on the loop's thread) and fail as port/transit does. */

/* Wraps under what is in force. */
struct err master_wrap(struct master *master, const struct seal_key_row *row,
	const struct seal_key *key, struct master_blob *ret_blob) ERR_MUST_USE;

/* Opens what any of them wrapped. A file that does not open it is read again first: it may have
 * been replaced. ERR_REJECT undecryptable: none of them did, or for another row. */
struct err master_unwrap(struct master *master, const struct seal_key_row *row, struct str blob,
	struct seal_key *ret_key) ERR_MUST_USE;

/* The same key under what is in force. *ret_changed false: it was already (of a key service: under
 * the newest version of its key), *ret_blob is left alone. Failures of both above. */
struct err master_rewrap(struct master *master, const struct seal_key_row *row, struct str blob,
	struct master_blob *ret_blob, bool *ret_changed) ERR_MUST_USE;

/* Whether what is in force can be used as it should: bad-config for a key that is not derived. */
struct err master_check(struct master *master) ERR_MUST_USE;

/* Loop thread: transit_ask; asks nobody and fails with internal without a key service. */
struct err master_ask(struct master *master, void (*done)(void *arg, struct err e), void *arg)
	ERR_MUST_USE;

#endif
