/*
 * API keys of a tenant, by frame/api_keys. Same role and rules as store.h: each function is one
 * transaction, its audit entry told by intake's outbox. Failures: those of frame/api_keys.
 */
#ifndef ESTEIRA_CTL_STORE_KEY_H
#define ESTEIRA_CTL_STORE_KEY_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/api_keys.h"
#include "model/codec.h"

struct outbox_conf;
struct pg;

/* Whose keys, by whom. */
struct store_key_change {
	struct tenant tenant;
	const char *tenant_slug;
	const char *who; /* 1 to OPERATION_TEXT_MAX bytes */
	const struct outbox_conf *outbox;
};

/* A new key; the text is wiped by the caller. */
struct store_key_made {
	struct api_keys_made made;
	struct api_keys_row row;
};

/* ERR_REJECT not-found: the partner was not granted the tenant. */
struct err store_key_create(struct pg *pg, struct arena *arena,
	const struct store_key_change *change, const struct api_keys_wish *wish,
	struct store_key_made *ret_made) ERR_MUST_USE;

/* What is to be rotated, and for how long it stays valid. */
struct store_key_rotation {
	const char *key_id;
	int64_t overlap_s;
};
struct err store_key_rotate(struct pg *pg, struct arena *arena,
	const struct store_key_change *change, const struct store_key_rotation *rotation,
	struct store_key_made *ret_made) ERR_MUST_USE;

/* *ret_changed false: it was revoked before. */
struct err store_key_revoke(struct pg *pg, struct arena *arena,
	const struct store_key_change *change, const char *key_id, bool *ret_changed) ERR_MUST_USE;

/* A key as listed; store_key_rows is the table of the struct. */
struct store_key {
	const char *key_id, *state, *partner, *scopes;
	int64_t created_at, expires_at, revoked_at; /* wall ms, CODEC_NO_INT */
	const char *rotated_from, *created_by;
};
extern const struct codec_type store_key_rows;

/* Newest first. */
struct err store_key_list(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct codec_list *ret_rows) ERR_MUST_USE;

/* ERR_REJECT record-too-large: the arena is full. */
struct err store_key_of(const struct api_keys_row *row, struct arena *arena,
	struct store_key *ret_key) ERR_MUST_USE;

#endif
