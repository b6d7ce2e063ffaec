/*
 * A tenant's data keys: wrapped in intake.v1_tenant_keys, unwrapped by the master key
 * (frame/master), in clear only here (frame/unwrapped) and in the arena of who uses them. The row
 * is read at every use, so a new version counts at once and one that was destroyed is gone at once;
 * only its unwrapping is remembered, for at most 10 s without use.
 */
#ifndef ESTEIRA_FRAME_KEYRING_H
#define ESTEIRA_FRAME_KEYRING_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/master.h"
#include "port/seal_key.h"

struct health;
struct keyring;
struct loop;
struct metrics;
struct pg;

struct keyring_conf {
	struct master_conf master;
	int64_t cache_keys, cache_s;
};

/* The rows of a configuration table for the struct keyring_conf at this offset of it. */
#define KEYRING_CONF_ITEMS(at)                                                                     \
	MASTER_CONF_ITEMS((at) + offsetof(struct keyring_conf, master)),                           \
		{ "ESTEIRA_SEAL_CACHE_KEYS", CONF_INT,                                             \
			(at) + offsetof(struct keyring_conf, cache_keys), "256", 1, 4096, NULL,    \
			"Most tenants' keys that are in memory in clear at once." },               \
	{                                                                                          \
		"ESTEIRA_SEAL_CACHE_S", CONF_INT, (at) + offsetof(struct keyring_conf, cache_s),   \
			"300", 1, 3600, NULL,                                                      \
			"How long a tenant's key stays in memory at most, seconds; 10 without "    \
			"use."                                                                     \
	}

/* What a service lends its keyring, for as long as it lives. */
struct keyring_of {
	struct loop *loop;
	struct health *health;
	struct metrics *metrics;
};

/* Loop thread. Texts of conf are borrowed. Failures: master_open. */
struct err keyring_open(const struct keyring_of *of, const struct keyring_conf *conf,
	struct keyring **ret_keyring) ERR_MUST_USE;

/* Wipes every key. Loop thread, when nobody asks any more. NULL is fine. */
void keyring_close(struct keyring *keyring);

/* A key as it stands in its row. */
struct keyring_row {
	struct seal_key_row of;
	struct str wrapped; /* ptr NULL: there is none (any more) */
};

/* Fills wrapped, in arena memory, with the key of row->of.tenant of row->of.version, or its newest
 * for version 0 (row->of.version says which). In the caller's transaction with the tenant set;
 * quick. ERR_REJECT secret-missing: the tenant has no such key (any more). */
struct err keyring_find(struct keyring *keyring, struct pg *pg, struct arena *arena,
	struct keyring_row *row) ERR_MUST_USE;

/* Queues: until the transaction ends, no version of the tenant's key is destroyed. For whoever
 * writes down what it sealed; a version that was read before may be gone already. */
struct err keyring_hold(struct pg *pg, struct tenant tenant) ERR_MUST_USE;

/* Its key in clear, in arena memory that is wiped when the arena is reset. With a key service this
 * may take seconds: not in a transaction that others wait for, not on the loop's thread. ERR_REJECT
 * secret-missing: wrapped is NULL; undecryptable: the master key opens others, and not this one.
 * ERR_RETRY keys-away; keys-refused: also while the master key has opened none. */
struct err keyring_unwrap(struct keyring *keyring, struct arena *arena,
	const struct keyring_row *row, const struct seal_key **ret_key) ERR_MUST_USE;

/* The tenant's keys were destroyed or are not to be used: wipes them now. Any thread. */
void keyring_forget(struct keyring *keyring, struct tenant tenant);

#endif
