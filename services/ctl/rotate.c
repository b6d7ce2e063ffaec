#include "rotate.h"

#include <stdio.h>
#include <string.h>

#include "frame/outbox.h"
#include "port/pg.h"
#include "port/webhook_secret.h"
#include "config.h"
#include "keeper.h"
#include "store.h"
#include "store_keys.h"
#include "who.h"

enum { VERSIONS_TEXT_MAX = 128, NEEDS_TEXT_MAX = 1024 };

struct rotate {
	struct arena *arena;
	struct pg *pg;
	struct master *master;
	struct outbox_conf outbox;
	const char *who;
	struct store_keys_tenant tenant;
	struct seal_key_row newest;
	struct seal_key key; /* of newest */
	size_t resealed;
};

/* --- sealing under the newest what is kept for long --- */

static struct err reseal_one(
	struct rotate *rotate, const struct seal_key *old, const struct store_keys_secret *secret)
{
	SCOPED(webhook_sign_wipe) struct webhook_sign_key plain = { .len = 0 };
	uint8_t wrapped[SEAL_KEY_WRAP_BYTES];
	struct webhook_secret_of of = { old, rotate->newest.tenant, secret->endpoint_id };
	struct store_keys_secret fresh = *secret;

	TRY(webhook_secret_unwrap(&of, secret->wrapped, &plain));
	of.tenant_key = &rotate->key;
	TRY(webhook_secret_wrap(&of, &plain, wrapped));
	fresh.wrapped = (struct str){ (const char *)wrapped, sizeof wrapped };
	return store_keys_reseal(rotate->pg, &rotate->newest, &fresh);
}

/* A version is opened once, however many secrets it sealed. */
static struct err reseal_of(struct rotate *rotate, const struct store_keys_row *row,
	const struct store_keys_secrets *secrets)
{
	struct seal_key SCOPED(seal_key_wipe) key = { { 0 } };
	bool is_open = false;

	for (size_t i = 0; i < secrets->count; i++) {
		if (secrets->items[i].key_version != row->of.version)
			continue;
		if (!is_open)
			TRY(master_unwrap(rotate->master, &row->of, row->wrapped, &key));
		is_open = true;
		TRY(reseal_one(rotate, &key, &secrets->items[i]));
		rotate->resealed++;
	}
	return err_ok();
}

static struct err reseal(struct rotate *rotate, const struct store_keys_rows *rows)
{
	struct store_keys_secrets secrets;

	TRY(store_keys_secrets(rotate->pg, rotate->arena, &rotate->newest, &secrets));
	for (size_t i = 0; i < rows->count; i++)
		if (rows->items[i].of.version != rotate->newest.version)
			TRY(reseal_of(rotate, &rows->items[i], &secrets));
	return err_ok();
}

/* --- the transactions --- */

static struct err check_state(const struct rotate *rotate)
{
	const struct store_keys_tenant *tenant = &rotate->tenant;

	if (strcmp(tenant->state, "active") == 0 || strcmp(tenant->state, "suspended") == 0)
		return err_ok();
	const char *msg = arena_printf(rotate->arena, "tenant %s is %s: its keys are destroyed",
		tenant->slug, tenant->state);
	return err_reject(ERR_CODE_BAD_TRANSITION, msg == NULL ? tenant->state : msg);
}

static struct err begin(struct rotate *rotate, const char *slug, struct store_keys_rows *ret_rows)
{
	TRY(store_keys_begin(rotate->pg, rotate->arena, slug, &rotate->tenant));
	TRY(check_state(rotate));
	return store_keys_of(rotate->pg, rotate->arena, rotate->tenant.tenant, ret_rows);
}

static struct err end(struct rotate *rotate, const char *action, const char *which, int64_t count)
{
	const struct store_keys_change change = { .who = rotate->who,
		.action = action,
		.object = arena_printf(
			rotate->arena, "key %s of tenant %s", which, rotate->tenant.slug),
		.reason = "estctl tenant rotate-key",
		.tenant = rotate->tenant.tenant,
		.count = count,
		.outbox = &rotate->outbox };

	return store_keys_end(rotate->pg, rotate->arena, &change);
}

static struct err add_version(struct rotate *rotate, const char *slug)
{
	struct store_keys_rows rows;
	struct master_blob blob;
	char version[16];

	TRY(begin(rotate, slug, &rows));
	rotate->newest = (struct seal_key_row){ rotate->tenant.tenant, rotate->tenant.newest + 1 };
	seal_key_make(NULL, &rotate->key);
	TRY(master_wrap(rotate->master, &rotate->newest, &rotate->key, &blob));
	const struct str wrapped = { (const char *)blob.bytes, blob.len };
	TRY(store_keys_add(rotate->pg, &rotate->newest, wrapped));
	TRY(reseal(rotate, &rows));
	snprintf(version, sizeof version, "%u", rotate->newest.version);
	TRY(end(rotate, "tenant.key_rotated", version, (int64_t)rotate->resealed));
	printf("tenant %s: key %s is active; %zu webhook secrets sealed anew; older keys that "
	       "still open: %zu\n",
		rotate->tenant.slug, version, rotate->resealed, rows.count);
	return err_ok();
}

/* What came under an older version while it was rotated is sealed anew as well, before its end. */
static struct err reseal_rest(struct rotate *rotate, const char *slug)
{
	struct store_keys_rows rows;
	char version[16];

	TRY(begin(rotate, slug, &rows));
	if (rows.count == 0)
		return err_reject(ERR_CODE_SECRET_MISSING, "the tenant has no key");
	const struct store_keys_row *row = &rows.items[rows.count - 1];
	rotate->newest = row->of;
	TRY(master_unwrap(rotate->master, &row->of, row->wrapped, &rotate->key));
	TRY(reseal(rotate, &rows));
	if (rotate->resealed == 0) {
		pg_rollback(rotate->pg);
		return err_ok();
	}
	snprintf(version, sizeof version, "%u", rotate->newest.version);
	return end(rotate, "tenant.key_rotated", version, (int64_t)rotate->resealed);
}

static void tell_need(struct buf *text, int64_t count, const char *what)
{
	if (count > 0)
		buf_addf(text, "%s%lld %s",
			text->len > 0 && text->ptr[text->len - 1] != ' ' ? ", " : "",
			(long long)count, what);
}

/* The versions that nothing needs go; what the others are needed for is said. */
static struct err destroy_unneeded(struct rotate *rotate, const struct store_keys_rows *rows,
	struct buf *gone, struct buf *needed)
{
	for (size_t i = 0; i + 1 < rows->count; i++) {
		const struct seal_key_row *row = &rows->items[i].of;
		struct store_keys_needs needs;

		TRY(store_keys_needs(rotate->pg, rotate->arena, row, &needs));
		if (needs.unfinished_jobs + needs.live_results + needs.webhook_secrets == 0) {
			TRY(store_keys_destroy(rotate->pg, row));
			buf_addf(gone, "%s%u", gone->len == 0 ? "" : ", ", row->version);
			rotate->resealed++;
			continue;
		}
		buf_addf(needed, "%skey %u is needed by ", needed->len == 0 ? "" : "; ",
			row->version);
		tell_need(needed, needs.unfinished_jobs, "unfinished jobs");
		tell_need(needed, needs.live_results, "results that can be fetched");
		tell_need(needed, needs.webhook_secrets, "webhook secrets");
	}
	TRY(buf_check(gone));
	return buf_check(needed);
}

static struct err destroy_old(struct rotate *rotate, const char *slug)
{
	SCOPED(buf_done) struct buf gone = BUF(VERSIONS_TEXT_MAX);
	SCOPED(buf_done) struct buf needed = BUF(NEEDS_TEXT_MAX);
	struct store_keys_rows rows;

	TRY(begin(rotate, slug, &rows));
	TRY(store_keys_alone(rotate->pg, rotate->tenant.tenant));
	rotate->resealed = 0;
	TRY(destroy_unneeded(rotate, &rows, &gone, &needed));
	if (gone.len > 0)
		TRY(end(rotate, "tenant.key_destroyed", gone.ptr, (int64_t)rotate->resealed));
	else
		pg_rollback(rotate->pg);
	if (gone.len > 0)
		printf("tenant %s: destroyed: %s\n", rotate->tenant.slug, gone.ptr);
	else if (needed.len == 0)
		fprintf(stderr, "estctl: note: tenant %s has no older key\n", rotate->tenant.slug);
	if (needed.len == 0)
		return err_ok();
	const char *msg = arena_strdup(rotate->arena, buf_str(&needed));
	return err_reject(ERR_CODE_KEY_NEEDED, msg == NULL ? "an older key is needed" : msg);
}

/* --- the command --- */

static struct err carry_out(struct rotate *rotate, const struct command_call *call)
{
	if (command_value(call, "--destroy-old") == NULL)
		return store_undo(rotate->pg, add_version(rotate, call->operand));
	TRY(store_undo(rotate->pg, reseal_rest(rotate, call->operand)));
	return store_undo(rotate->pg, destroy_old(rotate, call->operand));
}

struct err rotate_run(const struct command_call *call)
{
	const struct config *config = call->config;
	struct keeper *keeper SCOPED(keeper_drop) = NULL;
	struct rotate rotate = { .arena = call->arena, .outbox = config_outbox(config) };

	TRY(who_read(call, &rotate.who));
	TRY(keeper_open(&config->seal, &keeper));
	rotate.master = keeper_master(keeper);
	TRY(store_open(config->pg_owner_url, call->arena, &rotate.pg));
	struct err e = carry_out(&rotate, call);
	seal_key_wipe(&rotate.key);
	return e;
}

const struct command_option rotate_options[] = {
	{ "--destroy-old", NULL, false,
		"Instead: destroy the older versions that nothing needs any more; 1 and what for "
		"when one is needed." },
	{ WHO_OPTION },
	{ NULL, NULL, false, NULL },
};
