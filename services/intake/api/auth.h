/*
 * Credentials: an API key is looked up by its hash, in one question whatever is wrong with it, and
 * every wrong one gets the same words.
 */
#ifndef ESTEIRA_INTAKE_API_AUTH_H
#define ESTEIRA_INTAKE_API_AUTH_H

#include "api/rate.h"
#include "base/arena.h"
#include "base/err.h"
#include "frame/api_keys.h"
#include "model/tenant.h"
#include "port/digest.h"

struct pg;

/* What a request brought. */
struct auth_key {
	uint8_t hash[DIGEST_BYTES]; /* of the whole text, also of a missing one */
	bool well_formed;	    /* uk_<8 hex>_<43 base64url> */
};

/* Whose key it is, what it may do, how often. */
struct auth_who {
	struct tenant tenant;
	unsigned scopes;    /* of enum api_keys_scope */
	int64_t deadline_s; /* of the tenant's jobs */
	char slug[64];
	char partner[256];
	char key_id[API_KEYS_ID_BYTES];
	char lineage[API_KEYS_ID_BYTES]; /* the first of those it took the place of, or itself */
	char key_hash[DIGEST_HEX_BYTES];
	int64_t limits[RATE_CLASSES]; /* a minute; 0 = none */
};

/* text: the value of X-API-Key; ptr NULL when missing. Any thread. */
void auth_key_of(struct str text, struct auth_key *ret_key);

/* One query. ERR_REJECT unauthenticated: missing, malformed, unknown, expired or revoked, or its
 * tenant is not active. Failures of pg_query. Pool thread. */
struct err auth_check(struct pg *pg, struct arena *arena, const struct auth_key *key,
	struct auth_who *ret_who) ERR_MUST_USE;

#endif
