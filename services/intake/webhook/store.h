/*
 * Rows of webhook endpoints. The transaction and its tenant are the caller's; rows and texts live
 * in the arena. A secret goes in wrapped and never comes out. Failures of all: those of port/pg,
 * ERR_REJECT record-too-large when the arena is full. Any thread.
 */
#ifndef ESTEIRA_INTAKE_WEBHOOK_STORE_H
#define ESTEIRA_INTAKE_WEBHOOK_STORE_H

#include "base/arena.h"
#include "model/tenant.h"
#include "webhook/wish.h"

struct pg;

struct webhook_endpoint {
	struct id id;
	const char *url, *description;	     /* description NULL = none */
	const char *filters;		     /* a JSON array of names; empty: all */
	const char *state, *disabled_reason; /* NULL = active */
	bool ordered;
	int64_t old_secret_until; /* CODEC_NO_INT = there is one secret */
	int64_t created_at, updated_at;
};

struct webhook_endpoints {
	struct webhook_endpoint *items;
	size_t count;
};

/* Which endpoint of whom. */
struct webhook_ref {
	struct tenant tenant;
	struct id id;
};

/* A wrapped secret (port/webhook_secret.h) and the version of the tenant's key over it. */
struct webhook_secret {
	uint32_t key_version;
	struct str wrapped;
};

/* Waits until nobody else counts the tenant's endpoints to add one; to the transaction's end.
 * Queued. */
struct err webhook_store_lock(struct pg *pg, struct tenant tenant) ERR_MUST_USE;

/* Whether the tenant is one for tests, and how many endpoints it has. */
struct webhook_look {
	bool is_test;
	int64_t count;
};
struct err webhook_store_look(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct webhook_look *ret_look) ERR_MUST_USE;

/* Who asks, for the audit: the id of the API key with this hash (hex), "api" when it has gone. */
struct err webhook_store_actor(struct pg *pg, struct arena *arena, struct tenant tenant,
	const char *key_hash, const char **ret_actor) ERR_MUST_USE;

struct webhook_new {
	struct webhook_ref ref;
	const struct wish *wish; /* has a URL */
	struct webhook_secret secret;
};
struct err webhook_store_add(struct pg *pg, struct arena *arena, const struct webhook_new *row,
	struct webhook_endpoint *ret_endpoint) ERR_MUST_USE;

/* All of the tenant, by age. */
struct err webhook_store_list(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct webhook_endpoints *ret_endpoints) ERR_MUST_USE;

/* The next three: the row as it is then. ERR_REJECT not-found. */
struct err webhook_store_get(struct pg *pg, struct arena *arena, const struct webhook_ref *ref,
	struct webhook_endpoint *ret_endpoint) ERR_MUST_USE;

/* What the wish has; an empty description is none. */
struct err webhook_store_change(struct pg *pg, struct arena *arena, const struct webhook_ref *ref,
	const struct wish *wish, struct webhook_endpoint *ret_endpoint) ERR_MUST_USE;

/* A new secret; the one before it stays valid for a day, an older one does not. */
struct err webhook_store_rotate(struct pg *pg, struct arena *arena, const struct webhook_ref *ref,
	const struct webhook_secret *secret, struct webhook_endpoint *ret_endpoint) ERR_MUST_USE;

/* ERR_REJECT not-found. */
struct err webhook_store_remove(struct pg *pg, struct arena *arena, const struct webhook_ref *ref)
	ERR_MUST_USE;

/* Nobody calls it any more, because it said so at at_ms. *ret_done false: it is not there, disabled
 * already, or was changed since. */
struct err webhook_store_disable(struct pg *pg, struct arena *arena, const struct webhook_ref *ref,
	int64_t at_ms, bool *ret_done) ERR_MUST_USE;

#endif
