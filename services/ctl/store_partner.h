/*
 * Rows of partners and of the tenants they may act for. Same role, rules and failures as store.h;
 * ERR_REJECT not-found: there is no such partner.
 */
#ifndef ESTEIRA_CTL_STORE_PARTNER_H
#define ESTEIRA_CTL_STORE_PARTNER_H

#include "base/arena.h"
#include "base/err.h"
#include "model/codec.h"
#include "model/tenant.h"

struct pg;
struct outbox_conf;

/* What is decided about, by whom. A change that changes something is an entry of audit.operations,
 * told by intake's outbox. */
struct store_partner_change {
	const char *slug;
	const char *tenant_slug; /* NULL: the partner itself */
	struct tenant tenant;	 /* nil then */
	const char *who;	 /* 1 to OPERATION_TEXT_MAX bytes */
	const struct outbox_conf *outbox;
};

/* How it is afterwards. */
struct store_partner_now {
	bool changed; /* false: it was so before */
	bool active;
	int64_t tenants; /* that it may act for */
};

/* Makes the partner, or one that was revoked active again, with the tenants it was granted since.
 * One that is active is left as it is. */
struct err store_partner_add(struct pg *pg, struct arena *arena,
	const struct store_partner_change *change, const char *name,
	struct store_partner_now *ret_now) ERR_MUST_USE;

/* Also of a partner that is revoked: it counts when that is active again. */
struct err store_partner_grant(struct pg *pg, struct arena *arena,
	const struct store_partner_change *change, struct store_partner_now *ret_now) ERR_MUST_USE;

/* What a revocation ended. */
struct store_partner_ended {
	bool partner; /* itself, or with a tenant: the grant */
	size_t grants, api_keys;
};

/* Ends the partner with all its grants and API keys; with a tenant, that grant and the keys of the
 * pair. */
struct err store_partner_revoke(struct pg *pg, struct arena *arena,
	const struct store_partner_change *change, struct store_partner_ended *ret_ended)
	ERR_MUST_USE;

/* ERR_REJECT not-found: partner is neither "self" nor one that was granted the tenant. Holds the
 * grant until the transaction, which is the caller's, ends. */
struct err store_partner_check(
	struct pg *pg, struct arena *arena, const char *partner, struct tenant tenant) ERR_MUST_USE;

/* A partner as listed; store_partners is the table of the struct. */
struct store_partner {
	const char *slug, *name, *state; /* active, revoked */
	const char *tenants;		 /* slugs, comma-separated; NULL = none */
	int64_t created_at;		 /* wall ms */
};
extern const struct codec_type store_partner_rows;
struct err store_partner_list(struct pg *pg, struct arena *arena, struct codec_list *ret_rows)
	ERR_MUST_USE;

#endif
