#include "partner.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "port/kafka.h"
#include "port/kafka_admin.h"
#include "port/pg.h"
#include "config.h"
#include "list.h"
#include "store.h"
#include "store_partner.h"
#include "tenant.h"
#include "topics.h"

enum { NAME_MAX_BYTES = 255, TIMEOUT_MS = 10000, VISIBLE_MS = 10000, TURN_MS = 50 };

bool partner_is_slug(const char *slug)
{
	return tenant_is_slug(slug) && strcmp(slug, "self") != 0;
}

static struct err check_slug(const char *slug)
{
	return partner_is_slug(slug)
		       ? err_ok()
		       : err_reject(ERR_CODE_BAD_PARAMETER,
				 "SLUG: 2 to 63 of a-z, 0-9 and -, the first a letter or digit, "
				 "and not self");
}

/* --- what a broker has to allow --- */

void partner_print_acls(const char *prefix, const char *slug, FILE *out)
{
	const char *add = "kafka-acls --bootstrap-server \"$BROKERS\" --add --allow-principal";

	fprintf(out,
		"%s User:partner-%s --operation Write --operation Describe --topic "
		"%spartner.%s.in\n",
		add, slug, prefix, slug);
	fprintf(out,
		"%s User:partner-%s --operation Read --operation Describe --topic "
		"%spartner.%s.dlq\n",
		add, slug, prefix, slug);
	fprintf(out,
		"%s User:partner-%s --operation Read --resource-pattern-type prefixed --group "
		"partner-%s-\n",
		add, slug, slug);
}

static void print_acl(FILE *out, const char *type, const char *name, const char *operations)
{
	const char *pattern = strcmp(type, "group") == 0 ? "prefix" : "literal";

	fprintf(out,
		"      - resource:\n"
		"          type: %s\n"
		"          name: %s\n"
		"          patternType: %s\n"
		"        operations: [%s]\n",
		type, name, pattern, operations);
}

void partner_print_user(const char *prefix, const char *slug, const char *cluster, FILE *out)
{
	char name[256];

	fprintf(out,
		"apiVersion: kafka.strimzi.io/v1beta2\n"
		"kind: KafkaUser\n"
		"metadata:\n"
		"  name: partner-%s\n"
		"  labels:\n"
		"    strimzi.io/cluster: %s\n"
		"spec:\n"
		"  authentication:\n"
		"    type: scram-sha-512\n"
		"  authorization:\n"
		"    type: simple\n"
		"    acls:\n",
		slug, cluster);
	snprintf(name, sizeof name, "%spartner.%s.in", prefix, slug);
	print_acl(out, "topic", name, "Write, Describe");
	snprintf(name, sizeof name, "%spartner.%s.dlq", prefix, slug);
	print_acl(out, "topic", name, "Read, Describe");
	snprintf(name, sizeof name, "partner-%s-", slug);
	print_acl(out, "group", name, "Read");
}

/* --- add --- */

static void close_admin(struct kafka_admin **admin)
{
	kafka_admin_close(*admin);
}

static struct err create_topic(
	struct kafka_admin *admin, const struct command_call *call, const char *name, bool dlq)
{
	struct kafka_admin_topic_setting settings[TOPICS_SETTINGS];
	const char *pairs[2 * TOPICS_SETTINGS + 1] = { NULL };
	const struct kafka_admin_topic topic = { .name = name,
		.partitions = (int)call->config->partitions,
		.replicas = (int)call->config->replicas,
		.settings = pairs };
	bool created;

	TRY(topics_settings(dlq, call->config->replicas, call->arena, settings));
	for (size_t i = 0; i < TOPICS_SETTINGS; i++) {
		pairs[2 * i] = settings[i].name;
		pairs[2 * i + 1] = settings[i].value;
	}
	TRY(kafka_admin_create(admin, &topic, TIMEOUT_MS, &created));
	fprintf(stderr, "estctl: note: topic %s %s\n", name,
		created ? "created" : "exists already and was left as it is");
	return err_ok();
}

/* The broker answers before its metadata has the topic; who looks next must find it. */
static struct err await_topic(struct kafka_admin *admin, const char *name)
{
	int64_t until_ms = clock_mono_ms() + VISIBLE_MS;
	int found = 0;

	for (;;) {
		TRY(kafka_admin_partitions(admin, name, TIMEOUT_MS, &found));
		if (found > 0)
			return err_ok();
		if (clock_mono_ms() >= until_ms)
			return err_retry(ERR_CODE_KAFKA_AWAY,
				"the topic was made, but the broker does not show it");
		usleep(TURN_MS * 1000);
	}
}

static struct err create_topics(const struct command_call *call)
{
	struct kafka_admin *admin SCOPED(close_admin) = NULL;
	const struct kafka_conf conf = { .brokers = call->config->brokers, .client = "estctl" };
	const char *names[2] = {
		arena_printf(call->arena, "%spartner.%s.in", call->config->prefix, call->operand),
		arena_printf(call->arena, "%spartner.%s.dlq", call->config->prefix, call->operand),
	};

	if (names[0] == NULL || names[1] == NULL)
		return arena_overflow();
	TRY(kafka_admin_open(&conf, &admin));
	for (int i = 0; i < 2; i++)
		TRY(create_topic(admin, call, names[i], i == 1));
	for (int i = 0; i < 2; i++)
		TRY(await_topic(admin, names[i]));
	return err_ok();
}

/* The topics first: intake subscribes to what the table says. */
static struct err run_add(const struct command_call *call)
{
	const char *cluster = command_value(call, "--strimzi");
	struct str name = str_of(command_value(call, "--name"));
	struct pg *pg;
	bool changed = false;

	TRY(check_slug(call->operand));
	if (name.len == 0 || name.len > NAME_MAX_BYTES || !str_is_utf8(name))
		return err_reject(ERR_CODE_BAD_PARAMETER, "--name: 1 to 255 bytes of UTF-8");
	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(create_topics(call));
	TRY(store_partner_add(pg, call->arena, call->operand, name.ptr, &changed));
	fprintf(stderr, "estctl: note: partner %s %s\n", call->operand,
		changed ? "added" : "exists already and was left as it is");
	if (cluster == NULL)
		partner_print_acls(call->config->prefix, call->operand, stdout);
	else
		partner_print_user(call->config->prefix, call->operand, cluster, stdout);
	return err_ok();
}

/* --- the rest --- */

static struct err run_grant(const struct command_call *call)
{
	const char *slug = command_value(call, "--tenant");
	struct pg *pg;
	struct tenant tenant;
	bool changed = false;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_find_tenant(pg, call->arena, slug, &tenant));
	TRY(store_partner_grant(pg, call->arena, call->operand, tenant, &changed));
	if (changed)
		printf("partner %s may act for %s\n", call->operand, slug);
	else
		fprintf(stderr, "estctl: note: partner %s could act for %s before\n", call->operand,
			slug);
	return err_ok();
}

static void tell_revoked(const struct command_call *call, const struct store_partner_ended *ended)
{
	const char *slug = command_value(call, "--tenant");

	if (!ended->partner && ended->api_keys == 0) {
		fputs("estctl: note: nothing was left to revoke\n", stderr);
		return;
	}
	if (slug != NULL)
		printf("partner %s no longer acts for %s; API keys ended: %zu\n", call->operand,
			slug, ended->api_keys);
	else
		printf("partner %s revoked; grants ended: %zu, API keys: %zu\n", call->operand,
			ended->grants, ended->api_keys);
}

static struct err run_revoke(const struct command_call *call)
{
	const char *slug = command_value(call, "--tenant");
	struct store_partner_ended ended = { false, 0, 0 };
	struct pg *pg;
	struct tenant tenant;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	if (slug != NULL)
		TRY(store_find_tenant(pg, call->arena, slug, &tenant));
	TRY(store_partner_revoke(
		pg, call->arena, call->operand, slug == NULL ? NULL : &tenant, &ended));
	tell_revoked(call, &ended);
	return err_ok();
}

static struct err run_list(const struct command_call *call)
{
	struct pg *pg;
	struct codec_list rows;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_partner_list(pg, call->arena, &rows));
	return list_print(
		&store_partner_rows, &rows, command_value(call, "--json") != NULL, stdout);
}

#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, false, NULL                                                            \
	}

static const struct command_option add_options[] = {
	{ "--name", "NAME", true, "What people call it." },
	{ "--strimzi", "CLUSTER", false,
		"Print a KafkaUser of this Strimzi cluster instead of kafka-acls lines." },
	END,
};

static const struct command_option grant_options[] = {
	{ "--tenant", "SLUG", true, "The tenant it may act for." },
	END,
};

static const struct command_option revoke_options[] = {
	{ "--tenant", "SLUG", false, "Only its right to act for this tenant." },
	END,
};

static const struct command_option list_options[] = {
	{ "--json", NULL, false, "A JSON array instead of a table." },
	END,
};

const struct command partner_commands[] = {
	{ "partner", "add", "SLUG", add_options, CONFIG_PG | CONFIG_KAFKA,
		"Makes a partner and its two topics; prints what its principal must be allowed.",
		run_add },
	{ "partner", "grant", "SLUG", grant_options, CONFIG_PG, "Lets a partner act for a tenant.",
		run_grant },
	{ "partner", "revoke", "SLUG", revoke_options, CONFIG_PG,
		"Ends a partner, or its right to act for a tenant, and the API keys of that.",
		run_revoke },
	{ "partner", "list", NULL, list_options, CONFIG_PG, "Lists the partners.", run_list },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
