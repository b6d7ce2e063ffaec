#include "frame/erase.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "frame/halt.h"
#include "port/pg.h"

enum { TURN_S = 1, ARENA_BYTES = 4 << 20, TENANTS_MAX = 64 };
/* How long ago the state has to have changed before rows go: longer than any process needs to see
 * it and to end what it began before. */
enum { GRACE_MS = 15000 };

static const struct pg_statement begin = { "erase_begin",
	"INSERT INTO erasures (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING" };
static const struct pg_statement hold = { "erase_hold",
	"SELECT done_at IS NOT NULL FROM erasures WHERE tenant_id = $1 FOR UPDATE SKIP LOCKED" };
/* Somebody who has not heard of it may still write: a transaction that began before the state
 * changed, the owner of a claim. And what was announced has to be published first. */
static const struct pg_statement may_begin = { "erase_may_begin",
	"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = current_user "
	"AND xact_start < now() - interval '10 s') "
	"AND NOT EXISTS (SELECT FROM claim WHERE tenant_id = $1 AND lease_until > now()) "
	"AND NOT EXISTS (SELECT FROM outbox WHERE tenant_id = $1)" };
static const struct pg_statement count = { "erase_count",
	"UPDATE erasures SET counts = jsonb_set(counts, ARRAY[$2::text], "
	"to_jsonb(coalesce((counts->>$2::text)::bigint, 0) + $3::bigint)) WHERE tenant_id = $1" };
static const struct pg_statement confirm = { "erase_confirm",
	"UPDATE erasures SET done_at = clock_timestamp() WHERE tenant_id = $1 "
	"AND done_at IS NULL" };

/* A redrive makes a parked row of a letter, so letters go first. */
static const struct pg_statement letters = { "erase_letters", ERASE_ROWS("dead_letter") };
static const struct pg_statement parked = { "erase_parked", ERASE_ROWS("parked") };
static const struct pg_statement claims = { "erase_claims", ERASE_ROWS("claim") };
static const struct pg_statement effects = { "erase_effects", ERASE_ROWS("effect") };
static const struct erase_step frame_steps[] = {
	{ "dead_letter", &letters },
	{ "parked", &parked },
	{ "claim", &claims },
	{ "effect", &effects },
	{ NULL, NULL },
};

struct erase {
	struct erase_conf conf;
	struct pg *pg; /* NULL: nothing to erase */
	struct arena *arena;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping;
	enum err_code said; /* why it waits, as a line last said */
};

static bool is_stopping(struct erase *erase)
{
	pthread_mutex_lock(&erase->lock);
	bool stopping = erase->stopping;
	pthread_mutex_unlock(&erase->lock);
	return stopping;
}

/* --- one tenant --- */

/* Opens a transaction for the tenant that holds his row. *ret_held false: another process has it,
 * and there is no transaction. */
static struct err take(struct erase *erase, struct tenant tenant, bool *ret_held, bool *ret_done)
{
	const struct pg_arg arg = pg_id(tenant.id);
	const struct pg_rows *rows;

	TRY(pg_begin(erase->pg));
	TRY(pg_set_tenant(erase->pg, tenant));
	TRY(pg_push(erase->pg, &begin, &arg, 1));
	TRY(pg_query(erase->pg, erase->arena, &hold, &arg, 1, &rows));
	*ret_held = pg_count(rows) > 0;
	*ret_done = *ret_held && pg_get_int(rows, 0, 0) != 0;
	if (!*ret_held)
		pg_rollback(erase->pg);
	return err_ok();
}

/* A batch, counted where it is deleted. */
static struct err delete_batch(struct erase *erase, struct tenant tenant,
	const struct erase_step *step, int64_t *ret_count)
{
	struct pg_arg args[] = { pg_id(tenant.id), pg_text(step->what), pg_int(0) };
	const struct pg_rows *rows;
	bool held, done;

	*ret_count = 0;
	arena_reset(erase->arena);
	TRY(take(erase, tenant, &held, &done));
	if (!held)
		return err_ok();
	TRY(pg_query(erase->pg, erase->arena, step->statement, args, 1, &rows));
	*ret_count = pg_get_int(rows, 0, 0);
	args[2] = pg_int(*ret_count);
	if (*ret_count > 0)
		TRY(pg_push(erase->pg, &count, args, 3));
	TRY(pg_commit(erase->pg));
	if (*ret_count > 0)
		failpoint_reach("erase_batch");
	return err_ok();
}

static struct err delete_all(
	struct erase *erase, struct tenant tenant, const struct erase_step *steps, int64_t *total)
{
	for (const struct erase_step *step = steps; step != NULL && step->statement != NULL;
		step++) {
		int64_t deleted = ERASE_BATCH;
		while (deleted > 0 && !is_stopping(erase)) {
			TRY(delete_batch(erase, tenant, step, &deleted));
			*total += deleted;
		}
	}
	return err_ok();
}

static struct err may_delete(struct erase *erase, struct tenant tenant, bool *ret_may)
{
	const struct pg_arg arg = pg_id(tenant.id);
	const struct pg_rows *rows;

	arena_reset(erase->arena);
	TRY(pg_query(erase->pg, erase->arena, &may_begin, &arg, 1, &rows));
	*ret_may = pg_get_int(rows, 0, 0) != 0;
	return err_ok();
}

static struct err finish(struct erase *erase, struct tenant tenant)
{
	const struct pg_arg arg = pg_id(tenant.id);
	bool held, done;

	arena_reset(erase->arena);
	TRY(take(erase, tenant, &held, &done));
	if (!held)
		return err_ok();
	TRY(pg_push(erase->pg, &confirm, &arg, 1));
	return pg_commit(erase->pg);
}

/* Through when a whole pass has found nothing. */
static struct err delete_rows(struct erase *erase, struct tenant tenant)
{
	const struct erase_plan *plan = erase->conf.plan;
	bool may = false;
	int64_t total = 0;

	TRY(may_delete(erase, tenant, &may));
	if (!may)
		return err_ok();
	TRY(delete_all(erase, tenant, frame_steps, &total));
	if (plan != NULL)
		TRY(delete_all(erase, tenant, plan->steps, &total));
	return total > 0 || is_stopping(erase) ? err_ok() : finish(erase, tenant);
}

static struct err look(struct erase *erase, struct tenant tenant, bool *ret_held, bool *ret_done)
{
	arena_reset(erase->arena);
	TRY(take(erase, tenant, ret_held, ret_done));
	return *ret_held ? pg_commit(erase->pg) : err_ok();
}

static struct err erase_one(struct erase *erase, const struct halt_tenant *who)
{
	const struct erase_plan *plan = erase->conf.plan;
	const struct erase_call call = { erase->conf.state, erase->pg, erase->arena, who->tenant };
	bool held, done, ready = true;

	TRY(look(erase, who->tenant, &held, &done));
	if (!held)
		return err_ok();
	arena_reset(erase->arena);
	if (done)
		return plan == NULL || plan->after == NULL ? err_ok() : plan->after(&call);
	int64_t total = 0;
	if (plan != NULL)
		TRY(delete_all(erase, who->tenant, plan->first, &total));
	if (plan != NULL && plan->before != NULL)
		TRY(plan->before(&call, &ready));
	return ready && who->since_ms >= GRACE_MS ? delete_rows(erase, who->tenant) : err_ok();
}

/* --- the thread --- */

static void close_connection(struct erase *erase)
{
	pg_free(erase->pg);
	erase->pg = NULL;
}

/* One line for each reason, not one a second. */
static void log_waits(struct erase *erase, struct err e)
{
	if (e.code != erase->said)
		LOG(LOG_WARN, "erase.waits", LOG_ERR(e));
	erase->said = e.code;
}

static void turn(struct erase *erase)
{
	struct halt_tenant tenants[TENANTS_MAX];
	size_t found = halt_list(erase->conf.halt, TENANT_ERASING, tenants, TENANTS_MAX);

	if (found == 0) {
		close_connection(erase);
		return;
	}
	if (erase->pg == NULL)
		erase->pg = pg_new(erase->conf.pg);
	for (size_t i = 0; i < found && erase->pg != NULL && !is_stopping(erase); i++) {
		struct err e = erase_one(erase, &tenants[i]);
		if (e.kind == ERR_OK) {
			erase->said = ERR_CODE_NONE;
			continue;
		}
		pg_rollback(erase->pg);
		log_waits(erase, e);
		if (e.kind == ERR_FATAL)
			erase->conf.fail(erase->conf.arg, e);
	}
}

static bool wait_turn(struct erase *erase)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += TURN_S;
	pthread_mutex_lock(&erase->lock);
	while (!erase->stopping &&
		pthread_cond_timedwait(&erase->changed, &erase->lock, &until) == 0)
		;
	bool goes_on = !erase->stopping;
	pthread_mutex_unlock(&erase->lock);
	return goes_on;
}

static void *thread_main(void *arg)
{
	struct erase *erase = arg;

	while (wait_turn(erase))
		turn(erase);
	close_connection(erase);
	return NULL;
}

static void free_erase(struct erase *erase)
{
	arena_free(erase->arena);
	pthread_cond_destroy(&erase->changed);
	pthread_mutex_destroy(&erase->lock);
	free(erase);
}

struct err erase_open(const struct erase_conf *conf, struct erase **ret_erase)
{
	struct erase *erase = calloc(1, sizeof *erase);
	pthread_condattr_t attr;

	if (erase == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	erase->conf = *conf;
	pthread_mutex_init(&erase->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&erase->changed, &attr);
	pthread_condattr_destroy(&attr);
	erase->arena = arena_new(ARENA_BYTES);
	if (erase->arena == NULL || pthread_create(&erase->thread, NULL, thread_main, erase) != 0) {
		free_erase(erase);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	}
	*ret_erase = erase;
	return err_ok();
}

void erase_close(struct erase *erase)
{
	if (erase == NULL)
		return;
	pthread_mutex_lock(&erase->lock);
	erase->stopping = true;
	pthread_cond_signal(&erase->changed);
	pthread_mutex_unlock(&erase->lock);
	pthread_join(erase->thread, NULL);
	free_erase(erase);
}
