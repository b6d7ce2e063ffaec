/* Consumer groups as the brokers see them: who is in, how far it is. One thread. */
#ifndef ESTEIRA_PORT_KAFKA_ADMIN_GROUP_H
#define ESTEIRA_PORT_KAFKA_ADMIN_GROUP_H

#include "base/arena.h"
#include "base/err.h"
#include "port/kafka.h"

struct kafka_admin;

struct kafka_admin_group_view {
	const char *state; /* "Stable", "Empty", ..., "Dead" = there is no such group; static */
	int64_t members;
};

/* Asks the group's coordinator. Blocks for up to 21 s. ERR_RETRY kafka-away. */
struct err kafka_admin_group_look(struct kafka_admin *admin, const char *group,
	struct kafka_admin_group_view *ret_view) ERR_MUST_USE;

/* Everything the group has committed, topics and array in the arena, metadata left out. Blocks and
 * fails likewise; ERR_REJECT record-too-large: the arena is full. */
struct err kafka_admin_group_committed(struct kafka_admin *admin, struct arena *arena,
	const char *group, struct kafka_place **ret_places, size_t *ret_count) ERR_MUST_USE;

#endif
