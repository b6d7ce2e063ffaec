/*
 * Which tenants are not in use, as every process of every service knows it from intake.v1_tenants:
 * records of a suspended one are put aside unhandled, those of an erased one are dropped. A process
 * knows within HALT_TURN_MS; while the question fails it believes what it knew. See
 * docs/decisions/0024-halt.md.
 */
#ifndef ESTEIRA_FRAME_HALT_H
#define ESTEIRA_FRAME_HALT_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/tenant.h"
#include "model/tenant_state.h"

struct halt;
struct pg;

/* How often it is asked, and how many tenants are kept: beyond that, those erased the longest ago,
 * of whom Kafka has nothing any more. */
enum { HALT_TURN_MS = 2000, HALT_TENANTS_MAX = 65536 };

/* Knows of nobody yet. ignore: for a service that goes on for every tenant; halt_state then always
 * says TENANT_ACTIVE. NULL without memory. */
struct halt *halt_new(bool ignore);
void halt_free(struct halt *halt); /* NULL is fine */

/* The state as last read; TENANT_ACTIVE of one that nobody knows. Any thread, without a question.
 */
enum tenant_state halt_state(struct halt *halt, struct tenant tenant);

struct halt_tenant {
	struct tenant tenant;
	int64_t since_ms; /* how long he had been in the state when it was last asked, at least */
};

/* Those in a state, at most max; -> how many. Any thread. */
size_t halt_list(
	struct halt *halt, enum tenant_state state, struct halt_tenant *ret_tenants, size_t max);

/* How long the one of them who has been in it the longest has; 0: nobody is. Any thread. */
int64_t halt_longest_ms(struct halt *halt, enum tenant_state state);

/* Asks when it is time. One thread, with a connection of esteira_frame_<service>. Failures:
 * pg_query; what was known stays known. */
struct err halt_turn(struct halt *halt, struct pg *pg, struct arena *arena) ERR_MUST_USE;

/* Makes rows due that wait for the activation of a tenant who is active, at most HALT_RELEASE_MAX;
 * *ret_count: how many. Asks Postgres alone, so that it does not matter who suspended or activated
 * whom while which process was down. One process of a service is enough. Failures: pg_query. */
enum { HALT_RELEASE_MAX = 5000 };
struct err halt_release(struct pg *pg, struct arena *arena, size_t *ret_count) ERR_MUST_USE;

#endif
