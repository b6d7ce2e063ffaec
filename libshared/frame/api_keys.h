/*
 * API keys, for the API and the command line alike: what a key looks like, and its life in
 * intake.api_keys. A key is shown once, when it is made; the database has only the SHA-256 of its
 * whole text, which 32 random bytes make impossible to guess from.
 *
 * Scopes are a set of bits; a lineage is a key and those it took the place of by rotation. Of a
 * lineage two are valid at once, never three.
 */
#ifndef ESTEIRA_FRAME_API_KEYS_H
#define ESTEIRA_FRAME_API_KEYS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/tenant.h"
#include "port/digest.h"

struct outbox;
struct pg;
struct seal_random;

enum {
	API_KEYS_ID_BYTES = 9,
	API_KEYS_TEXT_BYTES = 56,
	API_KEYS_SCOPES = 7,
	API_KEYS_SCOPES_BYTES = 64, /* of all their names */
	API_KEYS_PARTNER_BYTES = 256,
	API_KEYS_LIVE_MAX = 200, /* of a tenant */
	API_KEYS_OVERLAP_S = 86400,
	API_KEYS_OVERLAP_MAX_S = 30 * 86400,
};

/* In the order of their names. */
enum api_keys_scope {
	API_KEYS_EXTRACT = 1 << 0,
	API_KEYS_STATUS = 1 << 1,
	API_KEYS_EVENTS = 1 << 2,
	API_KEYS_WEBHOOKS = 1 << 3,
	API_KEYS_AUDIT = 1 << 4,
	API_KEYS_OPERATE = 1 << 5,
	API_KEYS_ADMIN = 1 << 6,
};

/* "extract", "status", "events", "webhooks", "audit", "operate", "admin"; NULL behind the last. */
const char *api_keys_scope_name(size_t bit);

/* Names, comma-separated. ERR_REJECT bad-parameter: an unknown one, one twice, none. */
struct err api_keys_read_scopes(struct str list, unsigned *ret_scopes) ERR_MUST_USE;

/* Adds one name to the set; false: it is unknown, or in the set. */
bool api_keys_add_scope(struct str name, unsigned *scopes);

/* The same of what the database has: unknown names are left out. */
unsigned api_keys_scopes_of(struct str list);

/* The names, comma-separated; ret_text takes API_KEYS_SCOPES_BYTES. */
void api_keys_write_scopes(unsigned scopes, char *ret_text);

/* 8 lower-case hex digits? */
bool api_keys_is_id(struct str text);

/* "uk_<id>_<43 characters of base64url>" and the hash of that text. */
struct api_keys_made {
	char id[API_KEYS_ID_BYTES]; /* names the key where it must not be shown */
	char text[API_KEYS_TEXT_BYTES];
	uint8_t hash[DIGEST_BYTES];
};

/* random NULL = the kernel. */
void api_keys_make(const struct seal_random *random, struct api_keys_made *ret_key);

/* Wipes it; usable with SCOPED. */
void api_keys_wipe(struct api_keys_made *key);

/* --- their life --- */

/* A transaction with the tenant set, and who changes something in it; the caller begins and ends
 * it, and flushes the outbox, which gets the audit entry of each change. Schema intake is on the
 * search path. partner NULL: any partner's keys; else only that one's exist here. */
struct api_keys_work {
	struct pg *pg;
	struct arena *arena;
	struct outbox *outbox; /* NULL: nothing will be changed */
	struct tenant tenant;
	const char *partner;
	const char *actor, *reason; /* of the audit entry; actor also of created_by */
};

/* A key as it is known; texts live in the arena, times are wall ms or CODEC_NO_INT. */
struct api_keys_row {
	const char *key_id, *state, *partner; /* state: active, expired, revoked */
	unsigned scopes;
	int64_t created_at, expires_at, revoked_at;
	const char *rotated_from, *created_by; /* NULL: none, unknown */
	int64_t created_us;		       /* its place in the list */
};

struct api_keys_wish {
	const char *partner; /* "self", or one that was granted the tenant */
	unsigned scopes;
	int64_t expires_ms; /* wall ms; CODEC_NO_INT = never */
};

/* The caller's own key stays valid until the transaction ends: what was cached of it may be older
 * than its end, and a key that has ended makes no other. ERR_REJECT unauthenticated. */
struct err api_keys_hold(const struct api_keys_work *work, const char *key_id) ERR_MUST_USE;

/* Makes a key. ERR_REJECT too-many: the tenant has API_KEYS_LIVE_MAX that are valid. Failures of
 * all: port/pg, frame/outbox. */
struct err api_keys_create(const struct api_keys_work *work, const struct api_keys_wish *wish,
	struct api_keys_made *ret_made, struct api_keys_row *ret_row) ERR_MUST_USE;

/* ERR_REJECT not-found. *ret_row is locked until the transaction ends. */
struct err api_keys_get(const struct api_keys_work *work, const char *key_id,
	struct api_keys_row *ret_row) ERR_MUST_USE;

/* A new key with the partner, the scopes and the expiry of one that is valid and was got by
 * api_keys_get; the old one ends overlap_s from now, or when it would have ended. Others of the
 * lineage end now. ERR_REJECT key-ended: the old one is not valid; too-many. */
struct err api_keys_rotate(const struct api_keys_work *work, const struct api_keys_row *old,
	int64_t overlap_s, struct api_keys_made *ret_made, struct api_keys_row *ret_row)
	ERR_MUST_USE;

/* Ends a key now. *ret_row is the key as it is then; *ret_changed false: it was revoked before.
 * ERR_REJECT not-found. */
struct err api_keys_revoke(const struct api_keys_work *work, const char *key_id, bool *ret_changed,
	struct api_keys_row *ret_row) ERR_MUST_USE;

/* A page of them, newest first, behind (before_us, before_id), before_us in microseconds since
 * 1970. */
struct api_keys_page {
	int64_t before_us;
	const char *before_id;
	int64_t limit;
};
struct api_keys_rows {
	struct api_keys_row *items;
	size_t count;
};
struct err api_keys_list(const struct api_keys_work *work, const struct api_keys_page *page,
	struct api_keys_rows *ret_rows) ERR_MUST_USE;

#endif
