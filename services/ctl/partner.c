#include "partner.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "port/kafka.h"
#include "port/kafka_admin.h"
#include "port/pg.h"
#include "frame/outbox.h"
#include "acl.h"
#include "config.h"
#include "list.h"
#include "store.h"
#include "store_partner.h"
#include "tenant.h"
#include "topics.h"
#include "who.h"

enum {
	NAME_MAX_BYTES = 255,
	CLUSTER_MAX = 63,
	TIMEOUT_MS = 10000,
	VISIBLE_MS = 10000,
	TURN_MS = 50
};

bool partner_is_slug(const char *slug)
{
	return tenant_is_slug(slug) && strcmp(slug, "self") != 0;
}

bool partner_is_name(struct str name)
{
	return name.len > 0 && name.len <= NAME_MAX_BYTES && str_is_line(name);
}

bool partner_is_cluster(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= CLUSTER_MAX && name[0] != '-' && name[len - 1] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
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
		"partner.%s.\n",
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
		"apiVersion: kafka.strimzi.io/v1\n"
		"kind: KafkaUser\n"
		"metadata:\n"
		"  name: partner-%s\n"
		"  labels:\n"
		"    strimzi.io/cluster: \"%s\"\n"
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
	snprintf(name, sizeof name, "partner.%s.", slug);
	print_acl(out, "group", name, "Read");
}

/* --- who decides about whom --- */

struct decision {
	struct outbox_conf outbox;
	struct store_partner_change change; /* points at the one above */
};

/* Connects, and reads what the command is about; slug is the tenant's, or NULL. */
static struct err start(
	const struct command_call *call, const char *slug, struct pg **ret_pg, struct decision *ret)
{
	ret->outbox = config_outbox(call->config);
	ret->change = (struct store_partner_change){
		.slug = call->operand, .tenant_slug = slug, .outbox = &ret->outbox
	};
	TRY(who_read(call, &ret->change.who));
	TRY(store_open(call->config->pg_owner_url, call->arena, ret_pg));
	return slug == NULL ? err_ok()
			    : store_find_tenant(*ret_pg, call->arena, slug, &ret->change.tenant);
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
		.partitions = (int)call->config->space.partitions,
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
	const struct kafka_conf conf = config_kafka(call->config);
	const char *names[2] = {
		arena_printf(
			call->arena, "%spartner.%s.in", call->config->space.prefix, call->operand),
		arena_printf(
			call->arena, "%spartner.%s.dlq", call->config->space.prefix, call->operand),
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

static void tell_added(const char *slug, const struct store_partner_now *now)
{
	fprintf(stderr, "estctl: note: partner %s %s\n", slug,
		now->changed ? "added" : "exists already and was left as it is");
	if (now->tenants == 0)
		fprintf(stderr,
			"estctl: note: partner %s acts for no tenant yet: grant first, what it "
			"sends until then is refused\n",
			slug);
}

static struct err check_add(const struct command_call *call)
{
	const char *cluster = command_value(call, "--strimzi");

	TRY(check_slug(call->operand));
	if (!partner_is_name(str_of(command_value(call, "--name"))))
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"--name: 1 to 255 bytes of UTF-8 without control characters");
	if (cluster != NULL && !partner_is_cluster(cluster))
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"--strimzi: 1 to 63 of a-z, 0-9 and -, - neither first nor last");
	return err_ok();
}

/* The topics first: intake subscribes to what the table says. */
static struct err run_add(const struct command_call *call)
{
	const char *cluster = command_value(call, "--strimzi");
	const char *name = command_value(call, "--name");
	struct decision decision;
	struct store_partner_now now;
	struct pg *pg;

	TRY(check_add(call));
	TRY(start(call, NULL, &pg, &decision));
	TRY(create_topics(call));
	TRY(acl_partner(call, true));
	TRY(store_partner_add(pg, call->arena, &decision.change, name, &now));
	tell_added(call->operand, &now);
	if (cluster == NULL)
		partner_print_acls(call->config->space.prefix, call->operand, stdout);
	else
		partner_print_user(call->config->space.prefix, call->operand, cluster, stdout);
	return err_ok();
}

/* --- the rest --- */

static struct err run_grant(const struct command_call *call)
{
	const char *slug = command_value(call, "--tenant");
	struct decision decision;
	struct store_partner_now now;
	struct pg *pg;

	TRY(start(call, slug, &pg, &decision));
	TRY(store_partner_grant(pg, call->arena, &decision.change, &now));
	if (!now.active)
		printf("partner %s is revoked: it may act for %s once it is added again\n",
			call->operand, slug);
	else if (now.changed)
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
	struct decision decision;
	struct store_partner_ended ended;
	struct pg *pg;

	TRY(start(call, command_value(call, "--tenant"), &pg, &decision));
	TRY(store_partner_revoke(pg, call->arena, &decision.change, &ended));
	tell_revoked(call, &ended);
	return command_value(call, "--tenant") == NULL ? acl_partner(call, false) : err_ok();
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
	{ WHO_OPTION },
	END,
};

static const struct command_option grant_options[] = {
	{ "--tenant", "SLUG", true, "The tenant it may act for." },
	{ WHO_OPTION },
	END,
};

static const struct command_option revoke_options[] = {
	{ "--tenant", "SLUG", false, "Only its right to act for this tenant." },
	{ WHO_OPTION },
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
	{ "partner", "grant", "SLUG", grant_options, CONFIG_PG | CONFIG_KAFKA,
		"Lets a partner act for a tenant.", run_grant },
	{ "partner", "revoke", "SLUG", revoke_options, CONFIG_PG | CONFIG_KAFKA,
		"Ends a partner, or its right to act for a tenant, and the API keys of that.",
		run_revoke },
	{ "partner", "list", NULL, list_options, CONFIG_PG, "Lists the partners.", run_list },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
