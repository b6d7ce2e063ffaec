/*
 * The life of a tenant: in use, halted for a while, being erased, erased. The names are those of
 * the CHECK of intake.tenants.state; the transitions are what estctl and intake may do and nobody
 * else. PURE.
 */
#ifndef ESTEIRA_MODEL_TENANT_STATE_H
#define ESTEIRA_MODEL_TENANT_STATE_H

#include <stdbool.h>

#include "base/str.h"

enum tenant_state {
	TENANT_ACTIVE,
	TENANT_SUSPENDED, /* its keys are refused, its records wait */
	TENANT_ERASING,	  /* its rows, objects and keys go; no way back */
	TENANT_ERASED,	  /* only the tombstone and the trail are left; for ever */
	TENANT_STATES,
};

const char *tenant_state_name(enum tenant_state state);

/* False: no state has that name; *ret_state is left alone. */
bool tenant_state_parse(struct str name, enum tenant_state *ret_state);

/* A state is never its own next one. */
bool tenant_state_may_become(enum tenant_state from, enum tenant_state to);

#endif
