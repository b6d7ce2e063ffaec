#include "tenant.h"

#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "port/pg.h"
#include "frame/master.h"
#include "port/seal_key.h"
#include "config.h"
#include "keeper.h"
#include "list.h"
#include "plan.h"
#include "rotate.h"
#include "store.h"
#include "who.h"

enum { SLUG_MIN = 2, SLUG_MAX = 63, NAME_MAX_BYTES = 255 };
enum { DEADLINE_DEFAULT_S = 600, DEADLINE_MIN_S = 60, DEADLINE_MAX_S = 86400 };

bool tenant_is_slug(const char *slug)
{
	size_t len = strlen(slug);

	return len >= SLUG_MIN && len <= SLUG_MAX && slug[0] != '-' &&
	       strspn(slug, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* --- create --- */

static struct err read_deadline(const char *text, int64_t *ret_deadline_s)
{
	uint64_t seconds = DEADLINE_DEFAULT_S;

	if (text != NULL && (!str_to_u64(str_of(text), &seconds) || seconds < DEADLINE_MIN_S ||
				    seconds > DEADLINE_MAX_S))
		return err_reject(ERR_CODE_BAD_PARAMETER, "--deadline: 60 to 86400 seconds");
	*ret_deadline_s = (int64_t)seconds;
	return err_ok();
}

static struct err read_new(const struct command_call *call, struct store_new_tenant *ret_tenant)
{
	struct str name = str_of(command_value(call, "--name"));

	if (!tenant_is_slug(call->operand))
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"SLUG: 2 to 63 of a-z, 0-9 and -, the first a letter or digit");
	if (name.len == 0 || name.len > NAME_MAX_BYTES || !str_is_line(name))
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"--name: 1 to 255 bytes of UTF-8 without control characters");
	ret_tenant->slug = call->operand;
	ret_tenant->name = name.ptr;
	ret_tenant->plan = command_value(call, "--plan");
	if (ret_tenant->plan == NULL)
		ret_tenant->plan = "standard";
	ret_tenant->is_test = command_value(call, "--test") != NULL;
	return read_deadline(command_value(call, "--deadline"), &ret_tenant->deadline_s);
}

static struct err make_key(
	const struct master_conf *conf, struct tenant tenant, struct master_blob *ret_blob)
{
	const struct seal_key_row row = { .tenant = tenant, .version = 1 };
	struct seal_key key SCOPED(seal_key_wipe) = { { 0 } };
	struct keeper *keeper SCOPED(keeper_drop) = NULL;

	TRY(keeper_open(conf, &keeper));
	seal_key_make(NULL, &key);
	return master_wrap(keeper_master(keeper), &row, &key, ret_blob);
}

static struct err create(const struct command_call *call)
{
	struct pg *pg;
	struct store_new_tenant tenant = { .tenant = { id_v7() } };
	struct master_blob blob;
	bool created = false;

	TRY(read_new(call, &tenant));
	TRY(make_key(&call->config->seal, tenant.tenant, &blob));
	tenant.wrapped = (struct str){ (const char *)blob.bytes, blob.len };
	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_create_tenant(pg, call->arena, &tenant, &created));
	if (!created) /* one that was erased keeps its slug: the trail names it */
		TRY(store_find_tenant(pg, call->arena, tenant.slug, &tenant.tenant));
	if (created)
		printf("tenant %s created\n", tenant.slug);
	else
		fprintf(stderr, "estctl: note: tenant %s exists already and was left as it is\n",
			tenant.slug);
	return err_ok();
}

/* --- the rest --- */

static struct err list(const struct command_call *call)
{
	struct pg *pg;
	struct codec_list rows;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_list_tenants(pg, call->arena, &rows));
	return list_print(&store_tenants, &rows, command_value(call, "--json") != NULL, stdout);
}

static const struct command_option create_options[] = {
	{ "--name", "NAME", true, "What people call it." },
	{ "--deadline", "SECONDS", false,
		"How long a document may wait and be worked on, 60 to 86400; 600 when not given." },
	{ "--plan", "NAME", false, "How much it may ask for; standard when not given." },
	{ "--test", NULL, false,
		"Mark it as a test tenant: its webhooks may be http and loopback; not for "
		"production." },
	{ NULL, NULL, false, NULL },
};

static const struct command_option list_options[] = {
	{ "--json", NULL, false, "A JSON array instead of a table." },
	{ NULL, NULL, false, NULL },
};

static const struct command_option plan_options[] = {
	{ "--plan", "NAME", true, "One that estctl plan list shows." },
	{ WHO_OPTION },
	{ NULL, NULL, false, NULL },
};

const struct command tenant_commands[] = {
	{ "tenant", "create", "SLUG", create_options, CONFIG_PG | CONFIG_SEAL,
		"Makes a tenant with a key of its own. One that exists is left as it is.", create },
	{ "tenant", "list", NULL, list_options, CONFIG_PG, "Lists the tenants.", list },
	{ "tenant", "plan", "SLUG", plan_options, CONFIG_PG | CONFIG_KAFKA,
		"Gives the tenant a plan; it counts within 5 s.", plan_of_tenant },
	{ "tenant", "rotate-key", "SLUG", rotate_options, CONFIG_PG | CONFIG_KAFKA | CONFIG_SEAL,
		"Makes a new version of the tenant's key; what the older ones sealed still opens.",
		rotate_run },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
