/*
 * A tenant's data keys: wrapped in intake.v1_tenant_keys, unwrapped here with the master key, which
 * only intake and ocr hold. Nothing is cached: a key that is destroyed is gone at once.
 */
#ifndef ESTEIRA_FRAME_KEYRING_H
#define ESTEIRA_FRAME_KEYRING_H

#include "base/arena.h"
#include "base/err.h"
#include "port/seal_key.h"

struct pg;

/*
 * The key of row->tenant of row->version, or its newest for version 0 (row->version says which),
 * into arena memory that is wiped when the arena is reset. In the caller's transaction with the
 * tenant set. ERR_REJECT secret-missing: the tenant has no such key (any more). ERR_REJECT
 * undecryptable: another master key.
 */
struct err keyring_load(struct pg *pg, struct arena *arena, const struct seal_key *master,
	struct seal_key_row *row, const struct seal_key **ret_key) ERR_MUST_USE;

/* The same of a wrapped key that was read already, of row->tenant and row->version. ptr NULL: there
 * is none. */
struct err keyring_unwrap(struct arena *arena, const struct seal_key *master,
	const struct seal_key_row *row, struct str wrapped, const struct seal_key **ret_key)
	ERR_MUST_USE;

#endif
