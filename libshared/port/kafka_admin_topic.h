/* What a topic is like on the brokers. One thread. */
#ifndef ESTEIRA_PORT_KAFKA_ADMIN_TOPIC_H
#define ESTEIRA_PORT_KAFKA_ADMIN_TOPIC_H

#include "base/arena.h"
#include "base/err.h"

struct kafka_admin;

struct kafka_admin_topic_view {
	int64_t partitions; /* 0: there is no such topic */
	int64_t replicas;   /* of the partition that has fewest */
};

/* Blocks for up to timeout_ms. ERR_RETRY kafka-away. */
struct err kafka_admin_topic_look(struct kafka_admin *admin, const char *topic, int timeout_ms,
	struct kafka_admin_topic_view *ret_view) ERR_MUST_USE;

struct kafka_admin_topic_setting {
	const char *name;
	const char *value; /* NULL: the broker tells none */
};

/* Fills the values of settings of a topic that exists, in the arena. Blocks for up to 11 s.
 * ERR_RETRY kafka-away (also without the right to ask); ERR_REJECT record-too-large: the arena is
 * full. */
struct err kafka_admin_topic_settings(struct kafka_admin *admin, struct arena *arena,
	const char *topic, struct kafka_admin_topic_setting *settings, size_t count) ERR_MUST_USE;

#endif
