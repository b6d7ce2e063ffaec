#include "acl.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "port/kafka.h"
#include "port/kafka_admin.h"
#include "config.h"
#include "list.h"
#include "store.h"
#include "store_partner.h"

#define FIELD(member)                                                                              \
	{                                                                                          \
#member, CODEC_TEXT, CODEC_PLAIN, true, offsetof(struct acl_row, acl.member), 0,   \
			NULL                                                                       \
	}

static const struct codec_field row_fields[] = {
	FIELD(principal),
	FIELD(permission),
	FIELD(operation),
	FIELD(resource),
	FIELD(pattern),
	FIELD(name),
	FIELD(host),
	CODEC_FIELD(struct acl_row, state, CODEC_TEXT, CODEC_PLAIN, true, 0),
	CODEC_END,
};

const struct codec_type acl_rows = { "estctl.acl", sizeof(struct acl_row), row_fields };

/* --- comparing --- */

static const struct store_partner *partner_at(const struct acl_wanted *wanted, size_t i)
{
	return (const struct store_partner *)wanted->partners->items + i;
}

struct err acl_declare(struct acl_wanted *wanted, struct arena *arena)
{
	size_t room = ACL_SERVICES_MAX + wanted->partners->count * ACL_PARTNER_COUNT;

	wanted->declared =
		(struct kafka_acl_list){ arena_alloc(arena, room * sizeof *wanted->declared.items),
			0 };
	if (wanted->declared.items == NULL)
		return arena_overflow();
	TRY(acl_add_services(wanted->space, arena, &wanted->declared));
	for (size_t i = 0; i < wanted->partners->count; i++)
		if (strcmp(partner_at(wanted, i)->state, "active") == 0)
			TRY(acl_add_partner(wanted->space, partner_at(wanted, i)->slug, arena,
				&wanted->declared));
	return err_ok();
}

static bool holds(const struct kafka_acl_list *list, const struct kafka_acl *acl)
{
	for (size_t i = 0; i < list->count; i++)
		if (kafka_admin_acl_equal(&list->items[i], acl))
			return true;
	return false;
}

static bool begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* It allows, or denies, something about what carries our prefix, or about the cluster. */
static bool concerns_us(const struct acl_wanted *wanted, const struct kafka_acl *acl)
{
	const char *prefix = wanted->space->prefix;
	bool wide = strcmp(acl->pattern, "PREFIXED") == 0;

	if (strcmp(acl->resource, "TOPIC") != 0 && strcmp(acl->resource, "GROUP") != 0)
		return true;
	return strcmp(acl->name, "*") == 0 || begins_with(acl->name, prefix) ||
	       begins_with(acl->name, "partner.") || (wide && begins_with(prefix, acl->name));
}

/* A principal that only this suite's declarations give anything to. */
static bool is_ours(
	const struct acl_wanted *wanted, const struct kafka_acl *acl, struct arena *arena)
{
	for (const char *const *service = acl_services(); *service != NULL; service++) {
		const char *name = acl_principal(wanted->space, *service, arena);
		if (name != NULL && strcmp(name, acl->principal) == 0)
			return true;
	}
	for (size_t i = 0; i < wanted->partners->count; i++) {
		const char *name = acl_partner_principal(partner_at(wanted, i)->slug, arena);
		if (name != NULL && strcmp(name, acl->principal) == 0)
			return true;
	}
	return false;
}

struct err acl_compare(const struct acl_wanted *wanted, const struct kafka_acl_list *found,
	struct arena *arena, struct codec_list *ret_rows)
{
	const struct kafka_acl_list *declared = &wanted->declared;
	struct acl_row *rows =
		arena_alloc(arena, (declared->count + found->count + 1) * sizeof *rows);
	size_t count = 0;

	if (rows == NULL)
		return arena_overflow();
	for (size_t i = 0; i < declared->count; i++)
		rows[count++] = (struct acl_row){ declared->items[i],
			holds(found, &declared->items[i]) ? "exists" : "missing" };
	for (size_t i = 0; i < found->count; i++) {
		const struct kafka_acl *acl = &found->items[i];
		if (holds(declared, acl))
			continue;
		if (is_ours(wanted, acl, arena))
			rows[count++] = (struct acl_row){ *acl, "extra" };
		else if (concerns_us(wanted, acl))
			rows[count++] = (struct acl_row){ *acl, "foreign" };
	}
	*ret_rows = (struct codec_list){ rows, count };
	return err_ok();
}

/* --- the brokers --- */

static void close_admin(struct kafka_admin **admin)
{
	kafka_admin_close(*admin);
}

static struct err open_admin(const struct command_call *call, struct kafka_admin **ret_admin)
{
	const struct kafka_conf conf = config_kafka(call->config);

	return kafka_admin_open(&conf, ret_admin);
}

static struct err look(struct kafka_admin *admin, const struct command_call *call,
	const struct codec_list *partners, struct codec_list *ret_rows)
{
	struct acl_wanted wanted = { .space = &call->config->space, .partners = partners };
	struct kafka_acl_list found;
	bool enforced;

	TRY(acl_declare(&wanted, call->arena));
	TRY(kafka_admin_acl_read(admin, call->arena, &found, &enforced));
	if (!enforced)
		return err_reject(ERR_CODE_BAD_CONFIG,
			"these brokers have no authorizer: everybody may do everything");
	return acl_compare(&wanted, &found, call->arena, ret_rows);
}

static struct err read_partners(const struct command_call *call, struct codec_list *ret_partners)
{
	struct pg *pg;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	return store_partner_list(pg, call->arena, ret_partners);
}

/* What there is to do about a row. */
static struct err mend(struct kafka_admin *admin, struct acl_row *row)
{
	if (strcmp(row->state, "missing") == 0) {
		TRY(kafka_admin_acl_add(admin, &row->acl));
		row->state = "created";
	} else if (strcmp(row->state, "extra") == 0) {
		TRY(kafka_admin_acl_remove(admin, &row->acl));
		row->state = "removed";
	}
	return err_ok();
}

struct err acl_partner(const struct command_call *call, bool allowed)
{
	struct kafka_admin *admin SCOPED(close_admin) = NULL;
	struct kafka_acl items[ACL_PARTNER_COUNT];
	struct kafka_acl_list found, list = { items, 0 };
	bool enforced;

	TRY(acl_add_partner(&call->config->space, call->operand, call->arena, &list));
	TRY(open_admin(call, &admin));
	struct err e = kafka_admin_acl_read(admin, call->arena, &found, &enforced);
	if (err_is(e, ERR_CODE_KAFKA_DENIED)) {
		fprintf(stderr,
			"estctl: note: this user may not change what partner %s may do on Kafka\n",
			call->operand);
		return err_ok();
	}
	TRY(e);
	for (size_t i = 0; enforced && i < list.count; i++)
		TRY((allowed ? kafka_admin_acl_add : kafka_admin_acl_remove)(admin, &items[i]));
	return err_ok();
}

/* --- commands --- */

static struct err print(const struct command_call *call, const struct codec_list *rows)
{
	return list_print(&acl_rows, rows, command_value(call, "--json") != NULL, stdout);
}

static struct err list(const struct command_call *call)
{
	struct kafka_admin *admin SCOPED(close_admin) = NULL;
	struct codec_list partners, rows;

	TRY(read_partners(call, &partners));
	TRY(open_admin(call, &admin));
	TRY(look(admin, call, &partners, &rows));
	return print(call, &rows);
}

/* What is missing first: whoever is allowed a thing by what is taken away keeps it. */
static struct err apply(const struct command_call *call)
{
	struct kafka_admin *admin SCOPED(close_admin) = NULL;
	struct codec_list partners, rows;

	TRY(read_partners(call, &partners));
	TRY(open_admin(call, &admin));
	TRY(look(admin, call, &partners, &rows));
	for (size_t i = 0; command_value(call, "--dry-run") == NULL && i < rows.count; i++)
		TRY(mend(admin, (struct acl_row *)rows.items + i));
	return print(call, &rows);
}

static struct err declared(const struct command_call *call)
{
	struct store_partner partner = { .slug = command_value(call, "--partner"),
		.state = "active" };
	const struct codec_list partners = { &partner, partner.slug != NULL };
	struct acl_wanted wanted = { .space = &call->config->space, .partners = &partners };
	struct codec_list rows = { NULL, 0 };

	TRY(acl_declare(&wanted, call->arena));
	rows.items = arena_alloc(call->arena, wanted.declared.count * sizeof(struct acl_row));
	if (rows.items == NULL)
		return arena_overflow();
	for (; rows.count < wanted.declared.count; rows.count++)
		((struct acl_row *)rows.items)[rows.count] =
			(struct acl_row){ wanted.declared.items[rows.count], "declared" };
	return print(call, &rows);
}

#define JSON_OPTION "--json", NULL, false, "A JSON array instead of a table."
#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, false, NULL                                                            \
	}

static const struct command_option list_options[] = { { JSON_OPTION }, END };

static const struct command_option apply_options[] = {
	{ "--dry-run", NULL, false, "Say what would be done, and do nothing." },
	{ JSON_OPTION },
	END,
};

static const struct command_option declared_options[] = {
	{ "--partner", "SLUG", false, "And those of a partner of this name." },
	{ JSON_OPTION },
	END,
};

const struct command acl_commands[] = {
	{ "acl", "list", NULL, list_options, CONFIG_KAFKA | CONFIG_PG,
		"Compares what the principals may do on Kafka with what they should.", list },
	{ "acl", "apply", NULL, apply_options, CONFIG_KAFKA | CONFIG_PG,
		"Gives the principals of services and partners what is declared and takes away the "
		"rest; tells what others may.",
		apply },
	{ "acl", "declared", NULL, declared_options, CONFIG_KAFKA,
		"Lists what is declared; asks no broker.", declared },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
