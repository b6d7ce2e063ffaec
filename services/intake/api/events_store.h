/*
 * What became of an event, in the schemas of all services: who has handled it, by their v1_handled
 * views, and whether it is a dead letter. Rows and texts live in the arena.
 */
#ifndef ESTEIRA_INTAKE_API_EVENTS_STORE_H
#define ESTEIRA_INTAKE_API_EVENTS_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/topic.h"
#include "model/tenant.h"

struct pg;

struct events_store_handled {
	const char *service;
	int64_t at_ms;
};

struct events_store_state {
	struct events_store_handled *handled; /* in the order of time */
	size_t count;
	struct id dead_letter; /* the newest that was not redriven; nil = none */
};

struct events_store_which {
	struct tenant tenant;
	struct id event;
};

/* In a transaction of api_store_begin with this tenant. space names the groups. Failures: those of
 * pg_query. */
struct err events_store_load(struct pg *pg, struct arena *arena, const struct topic_space *space,
	const struct events_store_which *which, struct events_store_state *ret_state) ERR_MUST_USE;

#endif
