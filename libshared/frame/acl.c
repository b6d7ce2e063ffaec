#include "frame/acl.h"

#include <string.h>

static const char *const services[] = { "intake", "ocr", "outreach", "audit", NULL };

const char *const *acl_services(void)
{
	return services;
}

const char *acl_principal(const struct topic_space *space, const char *service, struct arena *arena)
{
	size_t len = strlen(space->prefix);

	if (len > 0 && space->prefix[len - 1] == '.')
		len--;
	return arena_printf(
		arena, "User:%.*s%s%s", (int)len, space->prefix, len > 0 ? "-" : "", service);
}

const char *acl_partner_principal(const char *slug, struct arena *arena)
{
	return arena_printf(arena, "User:partner-%s", slug);
}

/* Whose list is being written. */
struct writing {
	const char *principal;
	struct kafka_acl_list *list;
};

static struct err add(const struct writing *to, const char *resource, const char *pattern,
	const char *name, const char *operation)
{
	if (to->principal == NULL || name == NULL)
		return arena_overflow();
	const struct kafka_acl acl = { .principal = to->principal,
		.resource = resource,
		.pattern = pattern,
		.name = name,
		.operation = operation,
		.permission = "ALLOW",
		.host = "*" };

	for (size_t i = 0; i < to->list->count; i++)
		if (kafka_admin_acl_equal(&to->list->items[i], &acl))
			return err_ok();
	to->list->items[to->list->count++] = acl;
	return err_ok();
}

static struct err add_topic(
	const struct writing *to, const char *pattern, const char *name, const char *operation)
{
	TRY(add(to, "TOPIC", pattern, name, operation));
	return add(to, "TOPIC", pattern, name, "DESCRIBE");
}

static bool is_one_of(const char *const *names, const char *name)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static struct err add_service(const struct topic_space *space, const char *service,
	struct arena *arena, struct kafka_acl_list *list)
{
	const struct writing to = { acl_principal(space, service, arena), list };
	const char *group = topic_group(space, service, arena);

	if (group == NULL)
		return arena_overflow();
	TRY(add(&to, "GROUP", "LITERAL", group, "READ"));
	for (int t = 0; t < TOPIC_COUNT; t++) {
		const char *name = topic_name(space, (enum topic)t, arena);
		if (name == NULL)
			return arena_overflow();
		if (is_one_of(topic_writers((enum topic)t), service))
			TRY(add_topic(&to, "LITERAL", name, "WRITE"));
		if (!is_one_of(topic_readers((enum topic)t), service))
			continue;
		TRY(add_topic(&to, "LITERAL", name, "READ"));
		TRY(add_topic(&to, "LITERAL", topic_dlq(name, group, arena), "WRITE"));
	}
	return err_ok();
}

/* The thread of intake that takes what partners send. By prefix: a partner can be added, revoked
 * and added again without a moment in which intake may not read what it reads. */
static struct err add_bridge(
	const struct topic_space *space, struct arena *arena, struct kafka_acl_list *list)
{
	const struct writing to = { acl_principal(space, "intake", arena), list };
	const char *prefix = arena_printf(arena, "%spartner.", space->prefix);

	TRY(add(&to, "GROUP", "LITERAL", arena_printf(arena, "%sintake.partners", space->prefix),
		"READ"));
	TRY(add_topic(&to, "PREFIXED", prefix, "READ"));
	return add_topic(&to, "PREFIXED", prefix, "WRITE");
}

struct err acl_add_services(
	const struct topic_space *space, struct arena *arena, struct kafka_acl_list *list)
{
	for (const char *const *service = services; *service != NULL; service++)
		TRY(add_service(space, *service, arena, list));
	return add_bridge(space, arena, list);
}

struct err acl_add_partner(const struct topic_space *space, const char *slug, struct arena *arena,
	struct kafka_acl_list *list)
{
	const struct writing to = { acl_partner_principal(slug, arena), list };

	TRY(add_topic(&to, "LITERAL", arena_printf(arena, "%spartner.%s.in", space->prefix, slug),
		"WRITE"));
	TRY(add_topic(&to, "LITERAL", arena_printf(arena, "%spartner.%s.dlq", space->prefix, slug),
		"READ"));
	return add(&to, "GROUP", "PREFIXED", arena_printf(arena, "partner.%s.", slug), "READ");
}
