#include "plan.h"

#include <stdio.h>

#include "frame/outbox.h"
#include "config.h"
#include "list.h"
#include "store.h"
#include "store_plan.h"
#include "tenant.h"
#include "who.h"

enum { PER_MIN_MAX = 1000000 };

struct work {
	struct pg *pg;
	struct outbox_conf outbox;
	struct store_plan_change change; /* points at the one above */
};

static struct err start(const struct command_call *call, struct work *ret_work)
{
	ret_work->outbox = config_outbox(call->config);
	ret_work->change = (struct store_plan_change){ .outbox = &ret_work->outbox };
	TRY(who_read(call, &ret_work->change.who));
	return store_open(call->config->pg_owner_url, call->arena, &ret_work->pg);
}

static struct err list(const struct command_call *call)
{
	struct pg *pg;
	struct codec_list rows;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_plan_list(pg, call->arena, &rows));
	return list_print(&store_plan_rows, &rows, command_value(call, "--json") != NULL, stdout);
}

static struct err read_number(const struct command_call *call, const char *name, int64_t *ret)
{
	uint64_t number;

	if (!str_to_u64(str_of(command_value(call, name)), &number) || number > PER_MIN_MAX)
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"--extract, --status, --default: 0 to 1000000 requests a minute");
	*ret = (int64_t)number;
	return err_ok();
}

static struct err set(const struct command_call *call)
{
	struct store_plan plan = { .name = call->operand };
	struct work work;

	if (!tenant_is_slug(call->operand))
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"NAME: 2 to 63 of a-z, 0-9 and -, the first a letter or digit");
	TRY(read_number(call, "--extract", &plan.extract_per_min));
	TRY(read_number(call, "--status", &plan.status_per_min));
	TRY(read_number(call, "--default", &plan.default_per_min));
	TRY(start(call, &work));
	TRY(store_plan_set(work.pg, call->arena, &work.change, &plan));
	printf("plan %s set\n", plan.name);
	return err_ok();
}

struct err plan_of_tenant(const struct command_call *call)
{
	const char *const slug_and_plan[2] = { call->operand, command_value(call, "--plan") };
	struct work work;
	bool changed = false;

	TRY(start(call, &work));
	TRY(store_plan_give(work.pg, call->arena, &work.change, slug_and_plan, &changed));
	if (changed)
		printf("tenant %s has plan %s\n", slug_and_plan[0], slug_and_plan[1]);
	else
		fprintf(stderr, "estctl: note: tenant %s had plan %s before\n", slug_and_plan[0],
			slug_and_plan[1]);
	return err_ok();
}

static const struct command_option list_options[] = {
	{ "--json", NULL, false, "A JSON array instead of a table." },
	{ NULL, NULL, false, NULL },
};

static const struct command_option set_options[] = {
	{ "--extract", "N", true, "POST /v1/extract, of a key; 0 = without limit." },
	{ "--status", "N", true, "Routes of scope status, of a key; 0 = without limit." },
	{ "--default", "N", true, "All others together, of a tenant; 0 = without limit." },
	{ WHO_OPTION },
	{ NULL, NULL, false, NULL },
};

const struct command plan_commands[] = {
	{ "plan", "list", NULL, list_options, CONFIG_PG,
		"Lists the plans: requests a minute, 0 = without limit.", list },
	{ "plan", "set", "NAME", set_options, CONFIG_PG | CONFIG_KAFKA,
		"Makes a plan, or changes it for all its tenants within 5 s.", set },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
