#include "frame/keyring.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sabotage.h"
#include "frame/health.h"
#include "frame/metrics.h"
#include "frame/unwrapped.h"
#include "port/loop.h"
#include "port/pg.h"

enum { SWEEP_MS = 1000, IDLE_MS = 10000 };

struct keyring {
	struct keyring_of of;
	struct master *master;
	struct unwrapped *unwrapped;
	struct loop_timer *timer;
	struct metric *uses;
	_Atomic bool opens; /* the master key has opened a tenant's key */
};

static const struct pg_statement select_key = { "keyring_select",
	"SELECT version, wrapped FROM intake.v1_tenant_keys WHERE tenant_id = $1"
	" AND ($2::int = 0 OR version = $2::int) ORDER BY version DESC LIMIT 1" };

/* estctl takes the same lock alone before it destroys a version. */
static const struct pg_statement hold = {
	"keyring_hold",
	"SELECT pg_advisory_xact_lock_shared(hashtextextended('tenant keys ' || $1::uuid::text, 0))"
};

/* --- opening --- */

/* One key among others that does not open is that tenant's trouble. A master key that has opened
 * none yet is another one: that is ours, and over when it is put right. */
static struct err judge(struct keyring *keyring, struct err e)
{
	if (e.kind == ERR_OK)
		keyring->opens = true;
	if (!err_is(e, ERR_CODE_UNDECRYPTABLE) || keyring->opens)
		return e;
	return err_retry(ERR_CODE_KEYS_REFUSED, "the master key opens no tenant's key");
}

static struct err open_key(
	void *arg, const struct seal_key_row *row, struct str wrapped, struct seal_key *ret_key)
{
	struct keyring *keyring = arg;
	int64_t from_us = clock_mono_us();
	struct err e = judge(keyring, master_unwrap(keyring->master, row, wrapped, ret_key));

	health_report(keyring->of.health, HEALTH_KEYS, e, clock_mono_us() - from_us);
	return e;
}

static void on_asked(void *arg, struct err e)
{
	const struct keyring *keyring = arg;

	health_report(keyring->of.health, HEALTH_KEYS, e, -1);
}

/* Whoever waits for the key service asks it; but when nobody does, somebody has to see that it is
 * back. A refusal is not over because the service answers. */
static void look_after(struct keyring *keyring)
{
	struct health_view view;

	if (!master_is_remote(keyring->master))
		return;
	health_look(keyring->of.health, HEALTH_KEYS, &view);
	if (view.known && !view.up && str_eq(str_of(view.why), STR("keys-away")))
		(void)master_ask(keyring->master, on_asked, keyring).kind;
}

static void on_timer(void *arg)
{
	struct keyring *keyring = arg;

	unwrapped_sweep(keyring->unwrapped);
	look_after(keyring);
}

static struct err open_parts(struct keyring *keyring, const struct keyring_conf *conf)
{
	static const struct metrics_spec uses = { METRICS_COUNTER, "esteira_key_uses_total",
		"Uses of a tenant's key by how it was had.", { "outcome" }, NULL, 0 };
	const struct unwrapped_conf cache = { .keys_max = (size_t)conf->cache_keys,
		.ttl_ms = conf->cache_s * 1000,
		.idle_ms = IDLE_MS,
		.open = open_key,
		.arg = keyring };

	TRY(master_open(keyring->of.loop, &conf->master, &keyring->master));
	keyring->unwrapped = unwrapped_new(&cache);
	if (keyring->unwrapped == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for tenants' keys");
	keyring->uses = metrics_register(keyring->of.metrics, &uses);
	TRY(loop_timer_new(keyring->of.loop, on_timer, keyring, &keyring->timer));
	loop_timer_start(keyring->timer, SWEEP_MS, SWEEP_MS);
	return err_ok();
}

struct err keyring_open(
	const struct keyring_of *of, const struct keyring_conf *conf, struct keyring **ret_keyring)
{
	struct keyring *keyring = calloc(1, sizeof *keyring);

	if (keyring == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for tenants' keys");
	keyring->of = *of;
	struct err e = open_parts(keyring, conf);
	if (e.kind != ERR_OK) {
		keyring_close(keyring);
		return e;
	}
	*ret_keyring = keyring;
	return err_ok();
}

void keyring_close(struct keyring *keyring)
{
	if (keyring == NULL)
		return;
	loop_timer_free(keyring->timer);
	unwrapped_free(keyring->unwrapped);
	master_close(keyring->master);
	free(keyring);
}

/* --- keys --- */

struct err keyring_find(
	struct keyring *keyring, struct pg *pg, struct arena *arena, struct keyring_row *row)
{
	const struct pg_rows *rows;
	sabotage_swap("tenant_key", &row->of.tenant.id);
	const struct pg_arg args[] = { pg_id(row->of.tenant.id), pg_int(row->of.version) };

	TRY(pg_query(pg, arena, &select_key, args, 2, &rows));
	if (pg_count(rows) == 0) {
		keyring_forget(keyring, row->of.tenant);
		return err_reject(ERR_CODE_SECRET_MISSING, "the tenant has no such key");
	}
	row->of.version = (uint32_t)pg_get_int(rows, 0, 0);
	row->wrapped = pg_get_bytes(rows, 0, 1);
	return err_ok();
}

struct err keyring_hold(struct pg *pg, struct tenant tenant)
{
	const struct pg_arg arg = pg_id(tenant.id);

	return pg_push(pg, &hold, &arg, 1);
}

static void wipe(void *arg)
{
	seal_key_wipe(arg);
}

static void count(struct keyring *keyring, struct err e, bool known)
{
	const char *outcome = known ? "known" : "unwrapped";

	if (e.kind != ERR_OK)
		outcome = "failed";
	metrics_add(keyring->uses, &outcome, 1);
}

struct err keyring_unwrap(struct keyring *keyring, struct arena *arena,
	const struct keyring_row *row, const struct seal_key **ret_key)
{
	struct seal_key *key = arena_alloc(arena, sizeof *key);
	bool known = false;

	if (row->wrapped.ptr == NULL)
		return err_reject(ERR_CODE_SECRET_MISSING, "the tenant has no such key");
	if (key == NULL || !arena_defer(arena, wipe, key))
		return arena_overflow();
	struct err e = unwrapped_get(keyring->unwrapped, &row->of, row->wrapped, key, &known);
	count(keyring, e, known);
	TRY(e);
	*ret_key = key;
	return err_ok();
}

void keyring_forget(struct keyring *keyring, struct tenant tenant)
{
	unwrapped_forget(keyring->unwrapped, tenant);
}
