#include "key.h"

#include <stdio.h>

#include "base/clock.h"
#include "frame/outbox.h"
#include "config.h"
#include "list.h"
#include "store.h"
#include "store_key.h"
#include "who.h"

/* --- what the commands have in common --- */

struct work {
	struct pg *pg;
	struct outbox_conf outbox;
	struct store_key_change change; /* points at the one above */
};

static struct err start(const struct command_call *call, struct work *ret_work)
{
	ret_work->outbox = config_outbox(call->config);
	ret_work->change =
		(struct store_key_change){ .tenant_slug = command_value(call, "--tenant"),
			.outbox = &ret_work->outbox };
	TRY(who_read(call, &ret_work->change.who));
	TRY(store_open(call->config->pg_owner_url, call->arena, &ret_work->pg));
	return store_find_tenant(
		ret_work->pg, call->arena, ret_work->change.tenant_slug, &ret_work->change.tenant);
}

/* A key as it is shown, once. */
struct shown {
	const char *key, *key_id, *partner, *scopes, *rotated_from;
	int64_t expires_at;
};

#define SHOWN(member, kind, required)                                                              \
	CODEC_FIELD(struct shown, member, kind, CODEC_PLAIN, required, 0)

static const struct codec_field shown_fields[] = {
	SHOWN(key, CODEC_TEXT, true),
	SHOWN(key_id, CODEC_TEXT, true),
	SHOWN(partner, CODEC_TEXT, true),
	SHOWN(scopes, CODEC_TEXT, true),
	SHOWN(expires_at, CODEC_TIME, false),
	SHOWN(rotated_from, CODEC_TEXT, false),
	CODEC_END,
};

static const struct codec_type shown_type = { "estctl.key.made", sizeof(struct shown),
	shown_fields };

static struct err show(const struct command_call *call, const struct store_key_made *made)
{
	struct store_key key;

	if (command_value(call, "--json") == NULL) {
		printf("%s\n", made->made.text);
		return err_ok();
	}
	TRY(store_key_of(&made->row, call->arena, &key));
	const struct shown shown = { made->made.text, key.key_id, key.partner, key.scopes,
		key.rotated_from, key.expires_at };
	return list_print_one(&shown_type, &shown, true, stdout);
}

static void wipe(struct store_key_made *made)
{
	api_keys_wipe(&made->made);
}

static struct err check_id(const char *text)
{
	return api_keys_is_id(str_of(text))
		       ? err_ok()
		       : err_reject(ERR_CODE_BAD_PARAMETER,
				 "KEY_ID: the 8 hex digits behind uk_, as key list shows them");
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

static struct err create(const struct command_call *call)
{
	struct store_key_made made SCOPED(wipe) = { .made = { .id = "" } };
	const char *partner = command_value(call, "--partner");
	struct api_keys_wish wish = { .partner = partner == NULL ? "self" : partner };
	struct work work;

	TRY(api_keys_read_scopes(str_of(command_value(call, "--scopes")), &wish.scopes));
	TRY(read_expiry(command_value(call, "--expires"), &wish.expires_ms));
	TRY(start(call, &work));
	TRY(store_key_create(work.pg, call->arena, &work.change, &wish, &made));
	return show(call, &made);
}

/* --- rotate --- */

static struct err read_overlap(const char *text, int64_t *ret_seconds)
{
	uint64_t seconds = API_KEYS_OVERLAP_S;

	if (text != NULL &&
		(!str_to_u64(str_of(text), &seconds) || seconds > API_KEYS_OVERLAP_MAX_S))
		return err_reject(ERR_CODE_BAD_PARAMETER, "--overlap: 0 to 2592000 seconds");
	*ret_seconds = (int64_t)seconds;
	return err_ok();
}

static struct err rotate(const struct command_call *call)
{
	struct store_key_made made SCOPED(wipe) = { .made = { .id = "" } };
	struct store_key_rotation rotation = { .key_id = call->operand };
	struct work work;

	TRY(check_id(call->operand));
	TRY(read_overlap(command_value(call, "--overlap"), &rotation.overlap_s));
	TRY(start(call, &work));
	TRY(store_key_rotate(work.pg, call->arena, &work.change, &rotation, &made));
	fprintf(stderr, "estctl: note: key %s ends in %lld s\n", call->operand,
		(long long)rotation.overlap_s);
	return show(call, &made);
}

/* --- the rest --- */

static struct err list(const struct command_call *call)
{
	struct pg *pg;
	struct tenant tenant;
	struct codec_list rows;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_find_tenant(pg, call->arena, command_value(call, "--tenant"), &tenant));
	TRY(store_key_list(pg, call->arena, tenant, &rows));
	return list_print(&store_key_rows, &rows, command_value(call, "--json") != NULL, stdout);
}

static struct err revoke(const struct command_call *call)
{
	struct work work;
	bool changed = false;

	TRY(check_id(call->operand));
	TRY(start(call, &work));
	TRY(store_key_revoke(work.pg, call->arena, &work.change, call->operand, &changed));
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
#define JSON_OPTION                                                                                \
	{                                                                                          \
		"--json", NULL, false, "A JSON object instead of the key alone."                   \
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
	JSON_OPTION,
	{ WHO_OPTION },
	END,
};

static const struct command_option rotate_options[] = {
	TENANT_OPTION,
	{ "--overlap", "SECONDS", false,
		"How long the old key stays valid beside the new one, 0 to 2592000; 86400 when not "
		"given." },
	JSON_OPTION,
	{ WHO_OPTION },
	END,
};

static const struct command_option list_options[] = {
	TENANT_OPTION,
	{ "--json", NULL, false, "A JSON array instead of a table." },
	END,
};

static const struct command_option revoke_options[] = { TENANT_OPTION, { WHO_OPTION }, END };

const struct command key_commands[] = {
	{ "key", "create", NULL, create_options, CONFIG_PG | CONFIG_KAFKA,
		"Makes an API key and prints it; it cannot be shown again.", create },
	{ "key", "list", NULL, list_options, CONFIG_PG, "Lists a tenant's keys, newest first.",
		list },
	{ "key", "rotate", "KEY_ID", rotate_options, CONFIG_PG | CONFIG_KAFKA,
		"Makes a key in the place of another, prints it, and lets the old one end later.",
		rotate },
	{ "key", "revoke", "KEY_ID", revoke_options, CONFIG_PG | CONFIG_KAFKA,
		"Ends a key; KEY_ID is the 8 hex digits behind uk_.", revoke },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
