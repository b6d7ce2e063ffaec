/*
 * Rows of tenants, written by an operator's role that passes row-level security. Every
 * function runs one transaction and leaves nothing behind when it fails. Failures of all: those of
 * port/pg.
 */
#ifndef ESTEIRA_CTL_STORE_H
#define ESTEIRA_CTL_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/codec.h"
#include "model/tenant.h"

struct pg;

/* Connects and looks at the role; the connection lives as long as the arena, as do the texts of its
 * failures. ERR_FATAL bad-config: row-level security would hide rows from it. */
struct err store_open(const char *url, struct arena *arena, struct pg **ret_pg) ERR_MUST_USE;

/* --- for the other store_*.c --- */

struct pg_rows;

/* BEGIN, with the schema of that service as the only one on the search path. */
struct err store_begin_in(struct pg *pg, const char *service) ERR_MUST_USE;

/* A failure in the middle of a transaction ends it; e comes back. */
struct err store_undo(struct pg *pg, struct err e) ERR_MUST_USE;

/* A text that outlives its rows; NULL when it is NULL or the arena is full. */
const char *store_copy_text(
	struct arena *arena, const struct pg_rows *rows, size_t row, int column);

/* --- tenants --- */

/* A tenant to be; wrapped is version 1 of its key. */
struct store_new_tenant {
	struct tenant tenant;
	const char *slug, *name;
	const char *plan;
	int64_t deadline_s;
	bool is_test;
	struct str wrapped;
};

/* *ret_created false: the slug is taken, nothing was written. ERR_REJECT not-found: there is no
 * such plan. */
struct err store_create_tenant(struct pg *pg, struct arena *arena,
	const struct store_new_tenant *tenant, bool *ret_created) ERR_MUST_USE;

/* A tenant as listed; store_tenants is the table of the struct. */
struct store_tenant {
	const char *slug, *name, *state, *plan;
	int64_t deadline_s;
	bool is_test;
	int64_t created_at; /* wall ms */
};
extern const struct codec_type store_tenants;
struct err store_list_tenants(struct pg *pg, struct arena *arena, struct codec_list *ret_rows)
	ERR_MUST_USE;

/* ERR_REJECT not-found; bad-transition: it is being erased or was, nothing may be made for it. */
struct err store_find_tenant(struct pg *pg, struct arena *arena, const char *slug,
	struct tenant *ret_tenant) ERR_MUST_USE;

#endif
