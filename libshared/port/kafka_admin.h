/*
 * Administration of topics, for estctl: create what is declared, compare what is there. One thread.
 */
#ifndef ESTEIRA_PORT_KAFKA_ADMIN_H
#define ESTEIRA_PORT_KAFKA_ADMIN_H

#include "base/err.h"

struct kafka_admin;
struct kafka_conf;

struct kafka_admin_topic {
	const char *name;
	int partitions;
	int replicas;
	const char *const *settings; /* name, value, ..., NULL */
};

/* Connects in the background. ERR_FATAL bad-config. */
struct err kafka_admin_open(const struct kafka_conf *conf, struct kafka_admin **ret_admin)
	ERR_MUST_USE;
void kafka_admin_close(struct kafka_admin *admin); /* NULL is fine */

/* Creates the topic if it is missing; *ret_created false: it was there, whatever its settings.
 * ERR_RETRY kafka-away; ERR_FATAL bad-config: the broker refuses it. */
struct err kafka_admin_create(struct kafka_admin *admin, const struct kafka_admin_topic *topic,
	int timeout_ms, bool *ret_created) ERR_MUST_USE;

/* How many partitions the topic has; 0 when there is no such topic. ERR_RETRY kafka-away. */
struct err kafka_admin_partitions(
	struct kafka_admin *admin, const char *topic, int timeout_ms, int *ret_count) ERR_MUST_USE;

#endif
