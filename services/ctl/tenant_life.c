#include "tenant_life.h"

#include <stdio.h>
#include <string.h>

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
	const struct outbox_conf outbox = config_outbox(call->config);
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
	else if (from == to || (from == TENANT_ERASED && to == TENANT_ERASING))
		fprintf(stderr, "estctl: note: tenant %s was %s before\n", call->operand,
			tenant_state_name(from));
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

/* --- erase --- */

static struct err count(const struct command_call *call)
{
	struct codec_list rows;
	struct pg *pg;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_life_count(pg, call->arena, call->operand, &rows));
	TRY(list_print(&store_life_rows, &rows, false, stdout));
	fprintf(stderr, "estctl: note: nothing was changed\n");
	return err_ok();
}

/* Typed twice, and by somebody who says who: there is no way back. */
static struct err erase(const struct command_call *call)
{
	const char *again = command_value(call, "--yes");

	if (command_value(call, "--dry-run") != NULL)
		return count(call);
	if (again == NULL || strcmp(again, call->operand) != 0)
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"--yes: the tenant's SLUG once more, because it cannot be undone");
	if (command_value(call, "--who") == NULL)
		return err_reject(ERR_CODE_BAD_PARAMETER, "--who: who decides has to be said");
	TRY(become(call, TENANT_ERASING, "tenant.erasing", "estctl tenant erase"));
	fprintf(stderr, "estctl: note: estctl tenant show %s --erasure tells how far it is\n",
		call->operand);
	return err_ok();
}

/* --- show --- */

static struct err show(const struct command_call *call)
{
	bool json = command_value(call, "--json") != NULL;
	struct store_life_tenant tenant;
	struct codec_list rows;
	struct pg *pg;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_life_show(pg, call->arena, call->operand, &tenant));
	if (command_value(call, "--erasure") != NULL) {
		TRY(store_life_progress(pg, call->arena, call->operand, &rows));
		return list_print(&store_life_erasures, &rows, json, stdout);
	}
	return list_print_one(&store_life_tenants, &tenant, json, stdout);
}

static const struct command_option change_options[] = {
	{ WHO_OPTION },
	{ NULL, NULL, false, NULL },
};

static const struct command_option erase_options[] = {
	{ "--yes", "SLUG", false, "The tenant once more." },
	{ "--who", "NAME", false, "Who decides, for the audit; required." },
	{ "--dry-run", NULL, false, "Only count what would go and what would stay." },
	{ NULL, NULL, false, NULL },
};

static const struct command_option show_options[] = {
	{ "--erasure", NULL, false, "How far each service is with erasing it, instead." },
	{ "--json", NULL, false, "JSON instead of lines." },
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
	{ "tenant", "erase", "SLUG", erase_options, CONFIG_PG | CONFIG_KAFKA,
		"Destroys the tenant's keys and deletes everything of it but the trail, for ever.",
		erase },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
