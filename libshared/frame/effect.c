#include "frame/effect.h"

#include <assert.h>
#include <string.h>

#include "port/digest.h"
#include "port/pg.h"

enum {
	STATES = EFFECT_UNKNOWN + 1,
	CLOCKS_MS = 2000, /* by which those of two database servers may differ */
};

/* A new row says at once that it is being sent, where nobody has to be asked before; xmax tells it
 * from one that was there already (PostgreSQL manual 5.5), which is locked and read as it is. */
static const struct pg_statement enter = { "effect_enter",
	"INSERT INTO effect AS e (tenant_id, kind, effect_key, request_hash, state, attempts) "
	"VALUES ($1, $2, $3, $4, $5, $6::int) "
	"ON CONFLICT (tenant_id, kind, effect_key) DO UPDATE SET updated_at = e.updated_at "
	"RETURNING state, coalesce(request_hash = $4, true), provider_ref, attempts, xmax = 0, "
	"updated_at" };
static const struct pg_statement start = { "effect_start",
	"UPDATE effect SET state = $4, attempts = attempts + $5::int, updated_at = now() "
	"WHERE tenant_id = $1 AND kind = $2 AND effect_key = $3" };
/* The first reference stays: it is the one that the provider was told to have happened under. */
static const struct pg_statement finish = { "effect_finish",
	"UPDATE effect SET state = $4, provider_ref = coalesce(provider_ref, $5), updated_at = "
	"now() "
	"WHERE tenant_id = $1 AND kind = $2 AND effect_key = $3 AND state = ANY ($6::text[]) "
	"RETURNING 1" };
static const struct pg_statement count_open = { "effect_count",
	"SELECT state, count(*) FROM effect WHERE state IN ('intent', 'sending', 'unknown') "
	"GROUP BY state" };

static const char *const names[STATES] = {
	[EFFECT_INTENT] = "intent",
	[EFFECT_SENDING] = "sending",
	[EFFECT_CONFIRMED] = "confirmed",
	[EFFECT_FAILED] = "failed",
	[EFFECT_UNKNOWN] = "unknown",
};

/* Hearing the same twice is no contradiction; what is final stays. A provider may tell late that it
 * happened, after it said that it knew of nothing: from intent to confirmed. After a failover
 * nobody knows: from intent to unknown. */
static const bool may[STATES][STATES] = {
	[EFFECT_INTENT] = { [EFFECT_INTENT] = true,
		[EFFECT_SENDING] = true,
		[EFFECT_CONFIRMED] = true,
		[EFFECT_FAILED] = true,
		[EFFECT_UNKNOWN] = true },
	[EFFECT_SENDING] = { [EFFECT_INTENT] = true,
		[EFFECT_SENDING] = true,
		[EFFECT_CONFIRMED] = true,
		[EFFECT_FAILED] = true,
		[EFFECT_UNKNOWN] = true },
	[EFFECT_UNKNOWN] = { [EFFECT_INTENT] = true,
		[EFFECT_SENDING] = true,
		[EFFECT_CONFIRMED] = true,
		[EFFECT_FAILED] = true,
		[EFFECT_UNKNOWN] = true },
	[EFFECT_CONFIRMED] = { [EFFECT_CONFIRMED] = true },
	[EFFECT_FAILED] = { [EFFECT_FAILED] = true },
};

const char *effect_state_name(enum effect_state state)
{
	assert((unsigned)state < STATES);
	return names[state];
}

bool effect_may(enum effect_state from, enum effect_state to)
{
	assert((unsigned)from < STATES && (unsigned)to < STATES);
	return may[from][to];
}

enum effect_task effect_next(enum effect_state state, bool repeatable)
{
	switch (state) {
	case EFFECT_INTENT:
		return EFFECT_CALL;
	case EFFECT_SENDING:
	case EFFECT_UNKNOWN:
		return repeatable ? EFFECT_CALL : EFFECT_ASK;
	case EFFECT_CONFIRMED:
	case EFFECT_FAILED:
		break;
	}
	return EFFECT_OVER;
}

static struct err state_of(const char *name, enum effect_state *ret_state)
{
	for (int i = 0; i < STATES; i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_state = (enum effect_state)i;
			return err_ok();
		}
	}
	return err_fatal(ERR_CODE_INTERNAL, "an effect has a state that is not ours");
}

/* --- beginning --- */

/* The row as it is found. */
struct found {
	bool is_new, started;
	int64_t written_ms; /* when it was last written, by the database's clock */
};

static struct err look(struct pg *pg, struct arena *arena, const struct effect_key *key,
	struct effect_view *ret_view, struct found *ret_found)
{
	uint8_t hash[DIGEST_BYTES];
	const struct pg_rows *rows;

	digest_sha256(key->request, hash);
	bool at_once = key->repeatable || key->doubt_ms == 0;
	const struct pg_arg args[] = { pg_id(key->tenant.id), pg_text(key->kind), pg_text(key->key),
		pg_bytes((struct str){ (const char *)hash, sizeof hash }),
		pg_text(names[at_once ? EFFECT_SENDING : EFFECT_INTENT]), pg_int(at_once) };
	TRY(pg_query(pg, arena, &enter, args, 6, &rows));
	if (pg_get_int(rows, 0, 1) == 0)
		return err_reject(
			ERR_CODE_EFFECT_CONFLICT, err_code_title(ERR_CODE_EFFECT_CONFLICT));
	TRY(state_of(pg_get_text(rows, 0, 0), &ret_view->state));
	ret_view->reference = pg_get_text(rows, 0, 2);
	ret_view->attempts = (int)pg_get_int(rows, 0, 3);
	ret_found->is_new = pg_get_int(rows, 0, 4) != 0;
	ret_found->written_ms = pg_get_time(rows, 0, 5);
	ret_found->started = at_once && ret_found->is_new;
	if (ret_found->started) {
		ret_view->state = EFFECT_INTENT;
		ret_view->attempts = 0;
	}
	return err_ok();
}

/* The row that says it happened may be among what the database lost; a row that is left and says
 * that nothing happened, even after the provider was asked, may be older than the call. */
static bool must_ask_first(const struct effect_key *key, const struct found *found)
{
	return key->doubt_ms > 0 && !key->repeatable &&
	       (found->is_new || found->written_ms <= key->doubt_ms + CLOCKS_MS);
}

struct err effect_begin(struct pg *pg, struct arena *arena, const struct effect_key *key,
	struct effect_view *ret_view)
{
	struct effect_view view = { .task = EFFECT_OVER };
	struct found found = { .is_new = false };

	TRY(look(pg, arena, key, &view, &found));
	view.task = effect_next(view.state, key->repeatable);
	if (view.task == EFFECT_CALL && must_ask_first(key, &found))
		view.task = EFFECT_ASK;
	if (view.task != EFFECT_OVER && !found.started) {
		bool call = view.task == EFFECT_CALL;
		enum effect_state to = call ? EFFECT_SENDING : EFFECT_UNKNOWN;
		assert(effect_may(view.state, to));
		const struct pg_arg args[] = { pg_id(key->tenant.id), pg_text(key->kind),
			pg_text(key->key), pg_text(effect_state_name(to)), pg_int(call) };
		TRY(pg_push(pg, &start, args, 5));
	}
	*ret_view = view;
	return err_ok();
}

/* --- ending --- */

struct err effect_end(struct pg *pg, struct arena *arena, const struct effect_key *key,
	enum effect_state state, const char *reference)
{
	const struct pg_rows *rows;
	struct pg_array *from = pg_array_new(arena, PG_KIND_TEXT, STATES);

	assert(state != EFFECT_SENDING);
	if (from == NULL)
		return arena_overflow();
	for (int i = 0; i < STATES; i++)
		if (effect_may((enum effect_state)i, state))
			TRY(pg_array_add(from, pg_text(names[i])));
	const struct pg_arg args[] = { pg_id(key->tenant.id), pg_text(key->kind), pg_text(key->key),
		pg_text(effect_state_name(state)), pg_text(reference), pg_list(from) };
	TRY(pg_query(pg, arena, &finish, args, 6, &rows));
	return pg_count(rows) == 1 ? err_ok()
				   : err_reject(ERR_CODE_BAD_TRANSITION,
					     err_code_title(ERR_CODE_BAD_TRANSITION));
}

struct err effect_count(struct pg *pg, struct arena *arena, int64_t *counts)
{
	const struct pg_rows *rows;
	int64_t found[STATES] = { 0 };
	enum effect_state state = EFFECT_INTENT;

	TRY(pg_query(pg, arena, &count_open, NULL, 0, &rows));
	for (size_t i = 0; i < pg_count(rows); i++) {
		TRY(state_of(pg_get_text(rows, i, 0), &state));
		found[state] = pg_get_int(rows, i, 1);
	}
	memcpy(counts, found, sizeof found);
	return err_ok();
}
