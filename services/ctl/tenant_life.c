#include "tenant_life.h"

#include <stdio.h>

#include "frame/outbox.h"
#include "port/pg.h"
#include "config.h"
#include "list.h"
#include "store.h"
#include "store_life.h"
#include "who.h"

static struct err refuse(
	const struct command_call *call, enum tenant_state from, enum tenant_state to)
{
	const char *msg = arena_printf(call->arena, "tenant %s is %s and cannot become %s",
		call->operand, tenant_state_name(from), tenant_state_name(to));

	return err_reject(ERR_CODE_BAD_TRANSITION, msg == NULL ? call->operand : msg);
}

static struct err become(const struct command_call *call, enum tenant_state to, const char *action,
	const char *reason)
{
	const struct config *config = call->config;
	const struct topic_space space = { config->prefix, config->partitions,
		config->ocr_partitions };
	const struct outbox_conf outbox = { &space, "ctl" };
	struct store_life_change change = { .slug = call->operand,
		.action = action,
		.reason = reason,
		.to = to,
		.outbox = &outbox };
	enum tenant_state from;
	struct pg *pg;

	TRY(who_read(call, &change.who));
	TRY(store_open(config->pg_owner_url, call->arena, &pg));
	TRY(store_life_change(pg, call->arena, &change, &from));
	if (tenant_state_may_become(from, to))
		printf("tenant %s is %s\n", call->operand, tenant_state_name(to));
	else if (from == to)
		fprintf(stderr, "estctl: note: tenant %s was %s before\n", call->operand,
			tenant_state_name(to));
	else
		return refuse(call, from, to);
	return err_ok();
}

static struct err suspend(const struct command_call *call)
{
	return become(call, TENANT_SUSPENDED, "tenant.suspended", "estctl tenant suspend");
}

static struct err activate(const struct command_call *call)
{
	return become(call, TENANT_ACTIVE, "tenant.activated", "estctl tenant activate");
}

static struct err show(const struct command_call *call)
{
	struct store_life_tenant tenant;
	struct pg *pg;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_life_show(pg, call->arena, call->operand, &tenant));
	return list_print_one(
		&store_life_tenants, &tenant, command_value(call, "--json") != NULL, stdout);
}

static const struct command_option change_options[] = {
	{ WHO_OPTION },
	{ NULL, NULL, false, NULL },
};

static const struct command_option show_options[] = {
	{ "--json", NULL, false, "A JSON object instead of lines." },
	{ NULL, NULL, false, NULL },
};

const struct command tenant_life_commands[] = {
	{ "tenant", "show", "SLUG", show_options, CONFIG_PG,
		"A tenant's state, since when, and what there is of it.", show },
	{ "tenant", "suspend", "SLUG", change_options, CONFIG_PG | CONFIG_KAFKA,
		"Refuses the tenant's API keys and lets its records wait until it is activated.",
		suspend },
	{ "tenant", "activate", "SLUG", change_options, CONFIG_PG | CONFIG_KAFKA,
		"Ends a suspension; what waited goes on, in order.", activate },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
