/*
 * /v1/keys: a tenant's API keys, for a key with the scope admin. It sees and changes those of its
 * own partner; the tenant's own (self) sees and ends all. No key hands out a scope it does not have
 * itself, and none that has ended by now makes another, whatever was cached of it.
 */
#ifndef ESTEIRA_INTAKE_API_KEYS_H
#define ESTEIRA_INTAKE_API_KEYS_H

#include "api/call.h"
#include "frame/api_keys.h"

enum { KEYS_BODY_MAX_BYTES = 4096, KEYS_JSON_MAX_BYTES = 2048 };

extern const struct call_route keys_create;
extern const struct call_route keys_list;
extern const struct call_route keys_rotate;
extern const struct call_route keys_revoke;

/* What a request asks for. */
struct keys_wish {
	unsigned scopes;
	int64_t expires_ms; /* CODEC_NO_INT = never */
	int64_t overlap_s;
};

/* Body of POST /v1/keys: {"scopes":[..],"expires_at":..}. ERR_REJECT bad-parameter, bad-request;
 * record-too-large. */
struct err keys_read_create(struct str body, struct arena *arena, int64_t now_ms,
	struct keys_wish *ret_wish) ERR_MUST_USE;

/* Body of POST /v1/keys/{id}/rotate: {"overlap_seconds":..}, or nothing. Failures likewise. */
struct err keys_read_rotate(struct str body, struct arena *arena, struct keys_wish *ret_wish)
	ERR_MUST_USE;

/* A key as JSON; text NULL: it is not shown. calling: it is the one that asks. ERR_REJECT
 * record-too-large. */
struct err keys_write(const struct api_keys_row *row, const char *text, bool calling,
	struct buf *out) ERR_MUST_USE;

#endif
