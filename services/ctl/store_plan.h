/*
 * Rows of plans, and the plan of a tenant. Same role, rules and failures as store.h; each change is
 * told by intake's outbox.
 */
#ifndef ESTEIRA_CTL_STORE_PLAN_H
#define ESTEIRA_CTL_STORE_PLAN_H

#include "base/arena.h"
#include "base/err.h"
#include "model/codec.h"
#include "model/tenant.h"

struct outbox_conf;
struct pg;

/* A plan as listed; store_plan_rows is the table of the struct. Requests a minute, 0 = no limit. */
struct store_plan {
	const char *name;
	int64_t extract_per_min, status_per_min, default_per_min;
	int64_t tenants; /* that have it */
};
extern const struct codec_type store_plan_rows;

struct err store_plan_list(struct pg *pg, struct arena *arena, struct codec_list *ret_rows)
	ERR_MUST_USE;

/* Who decides, told where. */
struct store_plan_change {
	const char *who; /* 1 to OPERATION_TEXT_MAX bytes */
	const struct outbox_conf *outbox;
};

/* Makes the plan or changes it. */
struct err store_plan_set(struct pg *pg, struct arena *arena,
	const struct store_plan_change *change, const struct store_plan *plan) ERR_MUST_USE;

/* ERR_REJECT not-found: there is no such tenant, no such plan. *ret_changed false: it had it. */
struct err store_plan_give(struct pg *pg, struct arena *arena,
	const struct store_plan_change *change, const char *const *slug_and_plan, bool *ret_changed)
	ERR_MUST_USE;

#endif
