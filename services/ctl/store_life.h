/*
 * The states of a tenant, as rows: changed, with the audit's entry, in one transaction. Same role,
 * rules and failures as store.h.
 */
#ifndef ESTEIRA_CTL_STORE_LIFE_H
#define ESTEIRA_CTL_STORE_LIFE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/codec.h"
#include "model/tenant_state.h"

struct outbox_conf;
struct pg;

struct store_life_change {
	const char *slug, *who;
	const char *action; /* of the entry: "tenant.suspended" */
	const char *reason; /* "estctl tenant suspend" */
	enum tenant_state to;
	const struct outbox_conf *outbox;
};

/* *ret_from: the state before. Nothing is changed, nothing told, unless that one may become the
 * other: the caller's to say. ERR_REJECT not-found. */
struct err store_life_change(struct pg *pg, struct arena *arena,
	const struct store_life_change *change, enum tenant_state *ret_from) ERR_MUST_USE;

/* A tenant as shown; store_life_tenants is the table of the struct. Times are wall ms. */
struct store_life_tenant {
	const char *slug, *name, *state;
	int64_t since; /* in that state */
	int64_t created_at, deadline_s;
	bool is_test;
	int64_t api_keys;   /* neither revoked nor expired */
	int64_t open_jobs;  /* pending or processing */
	int64_t waiting;    /* records parked, of all services */
	int64_t dead;	    /* letters nobody has decided about, of all services */
	int64_t deliveries; /* webhooks that are pending */
};
extern const struct codec_type store_life_tenants;

/* Rows of a tenant in one table, and what an erasure does with them: "goes", or "stays" (the trail,
 * the proof, what ends with its partition); store_life_rows is the table of the struct. */
struct store_life_row {
	const char *table, *fate;
	int64_t rows;
};
extern const struct codec_type store_life_rows;

/* Of every table that knows tenants, from the catalogue; those without a row are left out. Reads
 * all of them. ERR_REJECT not-found. */
struct err store_life_count(struct pg *pg, struct arena *arena, const char *slug,
	struct codec_list *ret_rows) ERR_MUST_USE;

/* How far a service is with erasing a tenant; store_life_erasures is the table of the struct. */
struct store_life_erasure {
	const char *service, *state; /* "waiting", "running", "done" */
	int64_t done_at;	     /* wall ms, CODEC_NO_INT */
	const char *counts;	     /* JSON */
};
extern const struct codec_type store_life_erasures;

/* One for each service; none of a tenant who is not being erased. */
struct err store_life_progress(struct pg *pg, struct arena *arena, const char *slug,
	struct codec_list *ret_rows) ERR_MUST_USE;

/* ERR_REJECT not-found. */
struct err store_life_show(struct pg *pg, struct arena *arena, const char *slug,
	struct store_life_tenant *ret_tenant) ERR_MUST_USE;

#endif
