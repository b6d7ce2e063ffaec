/*
 * Rows of intake.tenant_keys and what was sealed under them. Same role and failures as store.h. The
 * functions run inside one transaction that store_keys_begin opens and store_keys_end commits; who
 * fails in between calls store_undo.
 */
#ifndef ESTEIRA_CTL_STORE_KEYS_H
#define ESTEIRA_CTL_STORE_KEYS_H

#include "base/arena.h"
#include "base/err.h"
#include "model/tenant.h"
#include "port/seal_key.h"

struct outbox_conf;
struct pg;

/* A version of a tenant's key. */
struct store_keys_row {
	struct seal_key_row of;
	const char *slug;
	struct str wrapped;
};

struct store_keys_rows {
	struct store_keys_row *items;
	size_t count;
};

/* --- one tenant's --- */

struct store_keys_tenant {
	struct tenant tenant;
	const char *slug, *state;
	uint32_t newest; /* version, also of one that was destroyed */
};

/* BEGIN, with the tenant's row held: nobody else rotates. ERR_REJECT not-found. */
struct err store_keys_begin(struct pg *pg, struct arena *arena, const char *slug,
	struct store_keys_tenant *ret_tenant) ERR_MUST_USE;

/* Waits until nobody is writing down what he sealed (frame/keyring: keyring_hold), and keeps it so.
 */
struct err store_keys_alone(struct pg *pg, struct tenant tenant) ERR_MUST_USE;

/* Those that are not destroyed, oldest first. */
struct err store_keys_of(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct store_keys_rows *ret_rows) ERR_MUST_USE;

struct err store_keys_add(struct pg *pg, const struct seal_key_row *row, struct str wrapped)
	ERR_MUST_USE;

/* A secret of a webhook as it is sealed; is_old: the one before, that is valid for a day. */
struct store_keys_secret {
	struct id endpoint_id;
	bool is_old;
	uint32_t key_version;
	struct str wrapped;
};

struct store_keys_secrets {
	struct store_keys_secret *items;
	size_t count;
};

/* Those that another version than this sealed, held until the end. */
struct err store_keys_secrets(struct pg *pg, struct arena *arena, const struct seal_key_row *other,
	struct store_keys_secrets *ret_secrets) ERR_MUST_USE;

/* It is sealed by that version now. Queued. */
struct err store_keys_reseal(struct pg *pg, const struct seal_key_row *by,
	const struct store_keys_secret *secret) ERR_MUST_USE;

/* What a version is still needed for. A job that was sealed under it or an older one may yet have
 * its result sealed under it. */
struct store_keys_needs {
	int64_t unfinished_jobs, live_results, webhook_secrets;
};
struct err store_keys_needs(struct pg *pg, struct arena *arena, const struct seal_key_row *row,
	struct store_keys_needs *ret_needs) ERR_MUST_USE;

/* Queued. */
struct err store_keys_destroy(struct pg *pg, const struct seal_key_row *row) ERR_MUST_USE;

/* --- all tenants' --- */

/* The next count after that row (nil tenant: the first), by tenant and version. No transaction. */
struct err store_keys_page(struct pg *pg, struct arena *arena, const struct seal_key_row *after,
	size_t count, struct store_keys_rows *ret_rows) ERR_MUST_USE;

struct err store_keys_count(struct pg *pg, struct arena *arena, int64_t *ret_count) ERR_MUST_USE;

/* BEGIN; whoever does the same at the same time comes after us. */
struct err store_keys_begin_all(struct pg *pg) ERR_MUST_USE;

/* rows with fresh wrappings in place of these; one that has changed or was destroyed since is left
 * alone and not counted. */
struct store_keys_fresh {
	const struct store_keys_row *row;
	struct str wrapped;
};
struct err store_keys_replace(struct pg *pg, struct arena *arena,
	const struct store_keys_fresh *fresh, size_t count, int64_t *ret_changed) ERR_MUST_USE;

/* --- the end --- */

/* What is told, by whom. */
struct store_keys_change {
	const char *who, *action, *object, *reason;
	struct tenant tenant; /* nil: all */
	int64_t count;
	const struct outbox_conf *outbox;
};

/* The entry of audit.operations and COMMIT. */
struct err store_keys_end(
	struct pg *pg, struct arena *arena, const struct store_keys_change *change) ERR_MUST_USE;

#endif
