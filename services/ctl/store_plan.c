#include "store_plan.h"

#include "base/clock.h"
#include "frame/operation.h"
#include "port/pg.h"
#include "store.h"

static const struct pg_statement select_plans = { "store_select_plans",
	"SELECT name, extract_per_min, status_per_min, default_per_min, (SELECT count(*)"
	" FROM intake.tenants t WHERE t.plan = p.name) FROM intake.plans p ORDER BY name" };
static const struct pg_statement find_plan = { "store_find_plan",
	"SELECT 1 FROM intake.plans WHERE name = $1 FOR SHARE" };
static const struct pg_statement upsert_plan = { "store_upsert_plan",
	"INSERT INTO intake.plans (name, extract_per_min, status_per_min, default_per_min)"
	" VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE SET"
	" extract_per_min = excluded.extract_per_min, status_per_min = excluded.status_per_min,"
	" default_per_min = excluded.default_per_min" };
static const struct pg_statement give_plan = { "store_give_plan",
	"UPDATE intake.tenants SET plan = $2 WHERE tenant_id = $1 AND plan <> $2 RETURNING 1" };

#define PLAN(member, kind) CODEC_FIELD(struct store_plan, member, kind, CODEC_PLAIN, true, 0)

static const struct codec_field plan_fields[] = {
	PLAN(name, CODEC_TEXT),
	PLAN(extract_per_min, CODEC_INT),
	PLAN(status_per_min, CODEC_INT),
	PLAN(default_per_min, CODEC_INT),
	PLAN(tenants, CODEC_INT),
	CODEC_END,
};

const struct codec_type store_plan_rows = { "estctl.plan", sizeof(struct store_plan), plan_fields };

struct err store_plan_list(struct pg *pg, struct arena *arena, struct codec_list *ret_rows)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_plans, NULL, 0, &rows));
	struct store_plan *plans = arena_alloc(arena, pg_count(rows) * sizeof *plans + 1);
	if (plans == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		plans[i] = (struct store_plan){ store_copy_text(arena, rows, i, 0),
			pg_get_int(rows, i, 1), pg_get_int(rows, i, 2), pg_get_int(rows, i, 3),
			pg_get_int(rows, i, 4) };
	*ret_rows = (struct codec_list){ plans, pg_count(rows) };
	return err_ok();
}

/* What was done to what; the tenant is nil when it is about all. */
static struct err tell(struct pg *pg, struct arena *arena, const struct store_plan_change *change,
	const struct operation *what)
{
	struct outbox *outbox = outbox_new(arena, change->outbox);
	struct operation operation = *what;

	if (outbox == NULL || what->object == NULL)
		return arena_overflow();
	operation.id = id_v7();
	operation.actor = change->who;
	operation.reason = "estctl plan";
	operation.occurred_at = clock_wall_ms();
	operation.count = CODEC_NO_INT;
	TRY(operation_emit(outbox, &operation));
	return outbox_flush(outbox, pg);
}

static struct err set(struct pg *pg, struct arena *arena, const struct store_plan_change *change,
	const struct store_plan *plan)
{
	const struct pg_arg args[] = { pg_text(plan->name), pg_int(plan->extract_per_min),
		pg_int(plan->status_per_min), pg_int(plan->default_per_min) };
	const struct operation told = { .action = "plan.set",
		.object = arena_printf(arena, "plan %s: extract %lld, status %lld, default %lld",
			plan->name, (long long)plan->extract_per_min,
			(long long)plan->status_per_min, (long long)plan->default_per_min) };

	TRY(store_begin_in(pg, "intake"));
	TRY(pg_push(pg, &upsert_plan, args, 4));
	TRY(tell(pg, arena, change, &told));
	return pg_commit(pg);
}

struct err store_plan_set(struct pg *pg, struct arena *arena,
	const struct store_plan_change *change, const struct store_plan *plan)
{
	return store_undo(pg, set(pg, arena, change, plan));
}

static struct err give(struct pg *pg, struct arena *arena, const struct store_plan_change *change,
	const char *const *slug_and_plan, bool *ret_changed)
{
	const char *slug = slug_and_plan[0], *plan = slug_and_plan[1];
	const struct pg_arg name = pg_text(plan);
	const struct pg_rows *rows;
	struct operation told = { .action = "tenant.plan",
		.object = arena_printf(arena, "tenant %s: plan %s", slug, plan) };

	TRY(store_begin_in(pg, "intake"));
	TRY(store_find_tenant(pg, arena, slug, &told.tenant));
	TRY(pg_query(pg, arena, &find_plan, &name, 1, &rows));
	if (pg_count(rows) == 0)
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such plan: estctl plan list");
	const struct pg_arg args[] = { pg_id(told.tenant.id), name };
	TRY(pg_query(pg, arena, &give_plan, args, 2, &rows));
	*ret_changed = pg_count(rows) == 1;
	if (*ret_changed)
		TRY(tell(pg, arena, change, &told));
	return pg_commit(pg);
}

struct err store_plan_give(struct pg *pg, struct arena *arena,
	const struct store_plan_change *change, const char *const *slug_and_plan, bool *ret_changed)
{
	return store_undo(pg, give(pg, arena, change, slug_and_plan, ret_changed));
}
