#include "rewrap.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "frame/outbox.h"
#include "port/pg.h"
#include "config.h"
#include "keeper.h"
#include "store.h"
#include "store_keys.h"
#include "who.h"

enum { PAGE = 50, RATE_MAX = 100000, TELL_MS = 1000, PAGE_ARENA_BYTES = 4 << 20 };

struct rewrap {
	struct pg *pg;
	struct master *master;
	struct outbox_conf outbox;
	const char *who;
	bool is_dry;
	int64_t rate; /* keys a second; 0: as fast as it goes */
	int64_t began_ms, told_ms;
	int64_t total, seen, changed, closed; /* closed: did not open */
};

static void tell(struct rewrap *rewrap, bool last)
{
	int64_t now_ms = clock_mono_ms();

	if (!last && now_ms - rewrap->told_ms < TELL_MS)
		return;
	rewrap->told_ms = now_ms;
	fprintf(stderr, "estctl: %lld of %lld keys, %lld wrapped anew\n", (long long)rewrap->seen,
		(long long)rewrap->total, (long long)rewrap->changed);
}

static void keep_to_rate(const struct rewrap *rewrap)
{
	if (rewrap->rate == 0)
		return;
	int64_t due_ms = rewrap->began_ms + rewrap->seen * 1000 / rewrap->rate;
	for (int64_t left_ms = due_ms - clock_mono_ms(); left_ms > 0;
		left_ms = due_ms - clock_mono_ms())
		usleep((useconds_t)(left_ms > TELL_MS ? TELL_MS : left_ms) * 1000);
}

/* One key; what is changed is added to fresh. A key that does not open stays as it is. */
static struct err rewrap_one(struct rewrap *rewrap, struct arena *arena,
	const struct store_keys_row *row, struct store_keys_fresh *fresh, size_t *count)
{
	struct master_blob *blob = arena_alloc(arena, sizeof *blob);
	bool changed = false;

	if (blob == NULL)
		return arena_overflow();
	struct err e = master_rewrap(rewrap->master, &row->of, row->wrapped, blob, &changed);
	if (err_is(e, ERR_CODE_UNDECRYPTABLE)) {
		rewrap->closed++;
		fprintf(stderr, "estctl: note: key %u of tenant %s does not open: %s\n",
			row->of.version, row->slug, e.msg);
		e = err_ok();
	}
	if (changed)
		fresh[(*count)++] =
			(struct store_keys_fresh){ row, { (const char *)blob->bytes, blob->len } };
	rewrap->seen++;
	return e;
}

static struct err write_down(struct rewrap *rewrap, struct arena *arena,
	const struct store_keys_fresh *fresh, size_t count)
{
	struct store_keys_change change = { .who = rewrap->who,
		.action = "seal.rewrapped",
		.object = "tenant keys",
		.reason = "estctl seal rewrap",
		.outbox = &rewrap->outbox };

	TRY(store_keys_begin_all(rewrap->pg));
	TRY(store_keys_replace(rewrap->pg, arena, fresh, count, &change.count));
	if (change.count == 0) { /* somebody else did them */
		pg_rollback(rewrap->pg);
		return err_ok();
	}
	TRY(store_keys_end(rewrap->pg, arena, &change));
	rewrap->changed += change.count;
	return err_ok();
}

/* The keys after *after, which goes on to the last of them; *ret_done: there was none. */
static struct err rewrap_page(
	struct rewrap *rewrap, struct arena *arena, struct seal_key_row *after, bool *ret_done)
{
	struct store_keys_rows rows;
	struct store_keys_fresh fresh[PAGE];
	size_t count = 0;

	TRY(store_keys_page(rewrap->pg, arena, after, PAGE, &rows));
	for (size_t i = 0; i < rows.count; i++) {
		TRY(rewrap_one(rewrap, arena, &rows.items[i], fresh, &count));
		*after = rows.items[i].of;
		keep_to_rate(rewrap);
	}
	*ret_done = rows.count == 0;
	if (rewrap->is_dry)
		rewrap->changed += (int64_t)count;
	else if (count > 0)
		TRY(store_undo(rewrap->pg, write_down(rewrap, arena, fresh, count)));
	tell(rewrap, rows.count == 0);
	return err_ok();
}

static struct err rewrap_all(struct rewrap *rewrap)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(PAGE_ARENA_BYTES);
	struct seal_key_row after = { .version = 0 };
	bool done = false;

	if (arena == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to begin with");
	TRY(store_keys_count(rewrap->pg, arena, &rewrap->total));
	rewrap->began_ms = rewrap->told_ms = clock_mono_ms();
	while (!done) {
		arena_reset(arena);
		TRY(rewrap_page(rewrap, arena, &after, &done));
	}
	printf("%lld keys: %lld %s, %lld were so before, %lld do not open\n",
		(long long)rewrap->seen, (long long)rewrap->changed,
		rewrap->is_dry ? "would be wrapped anew" : "wrapped anew",
		(long long)(rewrap->seen - rewrap->changed - rewrap->closed),
		(long long)rewrap->closed);
	return rewrap->closed == 0 ? err_ok()
				   : err_reject(ERR_CODE_UNDECRYPTABLE,
					     "keys that no master key opens were left as they are");
}

static struct err read_rate(const struct command_call *call, int64_t *ret_rate)
{
	const char *text = command_value(call, "--rate");
	uint64_t rate = 0;

	if (text != NULL && (!str_to_u64(str_of(text), &rate) || rate < 1 || rate > RATE_MAX))
		return err_reject(ERR_CODE_BAD_PARAMETER, "--rate: 1 to 100000 keys a second");
	*ret_rate = (int64_t)rate;
	return err_ok();
}

static struct err run(const struct command_call *call)
{
	const struct config *config = call->config;
	struct keeper *keeper SCOPED(keeper_drop) = NULL;
	struct rewrap rewrap = { .is_dry = command_value(call, "--dry-run") != NULL,
		.outbox = config_outbox(config) };

	TRY(read_rate(call, &rewrap.rate));
	TRY(who_read(call, &rewrap.who));
	TRY(keeper_open(&config->seal, &keeper));
	rewrap.master = keeper_master(keeper);
	TRY(store_open(config->pg_owner_url, call->arena, &rewrap.pg));
	return rewrap_all(&rewrap);
}

static const struct command_option options[] = {
	{ "--dry-run", NULL, false, "Only count." },
	{ "--rate", "N", false, "Keys a second; as fast as it goes when not given." },
	{ WHO_OPTION },
	{ NULL, NULL, false, NULL },
};

const struct command rewrap_commands[] = {
	{ "seal", "rewrap", NULL, options, CONFIG_PG | CONFIG_KAFKA | CONFIG_SEAL,
		"Wraps all tenants' keys under the master key that is in force; can be ended and "
		"begun anew.",
		run },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
