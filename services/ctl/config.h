/*
 * The settings of estctl, by what they are for; a command reads those it needs and no other, so
 * that topics can be made without a database. And the noun "config", which lists them.
 */
#ifndef ESTEIRA_CTL_CONFIG_H
#define ESTEIRA_CTL_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "port/kafka_security.h"
#include "command.h"
#include "frame/master.h"
#include "frame/outbox.h"
#include "frame/topic.h"

enum {
	CONFIG_KAFKA = 1,
	CONFIG_PG = 2,
	CONFIG_SEAL = 4,
};

struct kafka_conf;

struct config {
	const char *brokers;
	struct kafka_security security;
	struct topic_space space;
	int64_t replicas;
	const char *pg_owner_url;
	struct master_conf seal;
};

extern const struct command config_commands[];

/* Reads the settings of a set of CONFIG_...; the rest stays zero. Failures: conf_read. */
struct err config_read(unsigned settings, struct arena *arena, struct config *ret_config)
	ERR_MUST_USE;

/* The tables one by one; NULL behind the last. */
const struct conf_item *config_table(size_t number);

/* Their help text. */
void config_help(unsigned settings, FILE *out);

/* How its clients reach the brokers; borrows config. */
struct kafka_conf config_kafka(const struct config *config);

/* How its events are written; borrows config. */
struct outbox_conf config_outbox(const struct config *config);

#endif
