/*
 * The noun "partner": who sends events from outside, by Kafka to topics of its own or by REST, and
 * for which tenants. What a broker has to allow is done where this user may do it (acl.h), and
 * printed for where somebody else does.
 */
#ifndef ESTEIRA_CTL_PARTNER_H
#define ESTEIRA_CTL_PARTNER_H

#include <stdio.h>

#include "base/str.h"
#include "command.h"

extern const struct command partner_commands[];

/* A tenant's slug, but for "self", which stands for a tenant's own keys. */
bool partner_is_slug(const char *slug);

/* What people call it: 1 to 255 bytes of UTF-8 without control characters. */
bool partner_is_name(struct str name);

/* A name as Kubernetes takes one for a Strimzi cluster: a label of RFC 1123. */
bool partner_is_cluster(const char *name);

/* The kafka-acls lines of a partner. */
void partner_print_acls(const char *prefix, const char *slug, FILE *out);

/* The same as a KafkaUser of that Strimzi cluster. */
void partner_print_user(const char *prefix, const char *slug, const char *cluster, FILE *out);

#endif
