#include "key.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "port/pg.h"
#include "config.h"
#include "list.h"
#include "store.h"

enum { SECRET_BYTES = 32, ID_RANDOM_BYTES = 4, TRIES = 5 };

static const char *const scopes[KEY_SCOPES] = { "extract", "status", "events", "webhooks", "audit",
	"operate", "admin" };

void key_make(const struct seal_random *random, struct key_made *ret_key)
{
	uint8_t secret[SECRET_BYTES], id[ID_RANDOM_BYTES];
	char text[44];

	seal_key_fill(random, id, sizeof id);
	seal_key_fill(random, secret, sizeof secret);
	encode_hex(id, sizeof id, ret_key->id);
	encode_base64url(secret, sizeof secret, text);
	snprintf(ret_key->text, sizeof ret_key->text, "uk_%s_%s", ret_key->id, text);
	digest_sha256(str_of(ret_key->text), ret_key->hash);
	digest_wipe(secret, sizeof secret);
	digest_wipe(text, sizeof text);
}

void key_wipe(struct key_made *key)
{
	digest_wipe(key, sizeof *key);
}

/* --- scopes --- */

static size_t find_scope(struct str name)
{
	size_t i = 0;

	while (i < KEY_SCOPES && !str_eq(str_of(scopes[i]), name))
		i++;
	return i;
}

struct err key_read_scopes(struct str list, bool *ret_scopes)
{
	bool wanted[KEY_SCOPES] = { false };
	struct str rest = list;

	do {
		size_t at = find_scope(str_cut(rest, ',', &rest));
		if (at == KEY_SCOPES)
			return err_reject(ERR_CODE_BAD_PARAMETER,
				"--scopes: of extract, status, events, webhooks, audit, operate, "
				"admin, comma-separated");
		if (wanted[at])
			return err_reject(ERR_CODE_BAD_PARAMETER, "--scopes: a scope twice");
		wanted[at] = true;
	} while (rest.len > 0);
	memcpy(ret_scopes, wanted, sizeof wanted);
	return err_ok();
}

static struct err list_scopes(
	const bool *wanted, struct arena *arena, const struct pg_array **ret_array)
{
	struct pg_array *array = pg_array_new(arena, PG_KIND_TEXT, KEY_SCOPES);

	if (array == NULL)
		return arena_overflow();
	for (size_t i = 0; i < KEY_SCOPES; i++)
		if (wanted[i])
			TRY(pg_array_add(array, pg_text(scopes[i])));
	*ret_array = array;
	return err_ok();
}

/* --- create --- */

static struct err read_expiry(const char *text, int64_t *ret_ms)
{
	int64_t ms = CODEC_NO_INT;

	if (text != NULL && (!clock_parse(str_of(text), &ms) || ms <= clock_wall_ms()))
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"--expires: a time to come, like 2027-01-31T00:00:00Z");
	*ret_ms = ms;
	return err_ok();
}

/* An id is 4 random bytes, so a tenant with many keys may meet one it has. */
static struct err insert(
	struct pg *pg, struct arena *arena, struct store_new_key *row, struct key_made *key)
{
	bool created = false;

	for (int i = 0; i < TRIES && !created; i++) {
		key_make(NULL, key);
		row->key_id = key->id;
		row->hash = (struct str){ (const char *)key->hash, sizeof key->hash };
		TRY(store_create_key(pg, arena, row, &created));
	}
	return created ? err_ok() : err_retry(ERR_CODE_TRY_AGAIN, "no free key id was found");
}

static struct err create(const struct command_call *call)
{
	struct pg *pg;
	struct key_made key SCOPED(key_wipe) = { 0 };
	const char *partner = command_value(call, "--partner");
	struct store_new_key row = { .partner = partner == NULL ? "self" : partner };
	bool wanted[KEY_SCOPES];

	TRY(key_read_scopes(str_of(command_value(call, "--scopes")), wanted));
	TRY(read_expiry(command_value(call, "--expires"), &row.expires_ms));
	TRY(list_scopes(wanted, call->arena, &row.scopes));
	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_find_tenant(pg, call->arena, command_value(call, "--tenant"), &row.tenant));
	TRY(insert(pg, call->arena, &row, &key));
	printf("%s\n", key.text);
	return err_ok();
}

/* --- the rest --- */

static struct err list(const struct command_call *call)
{
	struct pg *pg;
	struct tenant tenant;
	struct codec_list rows;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_find_tenant(pg, call->arena, command_value(call, "--tenant"), &tenant));
	TRY(store_list_keys(pg, call->arena, tenant, &rows));
	return list_print(&store_keys, &rows, command_value(call, "--json") != NULL, stdout);
}

static struct err revoke(const struct command_call *call)
{
	struct pg *pg;
	struct tenant tenant;
	bool changed = false;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_find_tenant(pg, call->arena, command_value(call, "--tenant"), &tenant));
	TRY(store_revoke_key(pg, call->arena, tenant, call->operand, &changed));
	if (changed)
		printf("key %s revoked\n", call->operand);
	else
		fprintf(stderr, "estctl: note: key %s was revoked before\n", call->operand);
	return err_ok();
}

#define TENANT_OPTION                                                                              \
	{                                                                                          \
		"--tenant", "SLUG", true, "Whose key it is."                                       \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, false, NULL                                                            \
	}

static const struct command_option create_options[] = {
	TENANT_OPTION,
	{ "--scopes", "LIST", true,
		"What it may do: extract, status, events, webhooks, audit, operate, admin; "
		"comma-separated." },
	{ "--partner", "SLUG", false,
		"Who uses it: a partner that was granted the tenant; self when not given." },
	{ "--expires", "TIME", false, "RFC 3339; never when not given." },
	END,
};

static const struct command_option list_options[] = {
	TENANT_OPTION,
	{ "--json", NULL, false, "A JSON array instead of a table." },
	END,
};

static const struct command_option revoke_options[] = { TENANT_OPTION, END };

const struct command key_commands[] = {
	{ "key", "create", NULL, create_options, CONFIG_PG,
		"Makes an API key and prints it; it cannot be shown again.", create },
	{ "key", "list", NULL, list_options, CONFIG_PG, "Lists a tenant's keys, newest first.",
		list },
	{ "key", "revoke", "KEY_ID", revoke_options, CONFIG_PG,
		"Ends a key; KEY_ID is the 8 hex digits behind uk_.", revoke },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
