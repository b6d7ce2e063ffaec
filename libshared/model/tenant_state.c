#include "model/tenant_state.h"

static const char *const names[TENANT_STATES] = {
	[TENANT_ACTIVE] = "active",
	[TENANT_SUSPENDED] = "suspended",
	[TENANT_ERASING] = "erasing",
	[TENANT_ERASED] = "erased",
};

static const bool transitions[TENANT_STATES][TENANT_STATES] = {
	[TENANT_ACTIVE] = { [TENANT_SUSPENDED] = true, [TENANT_ERASING] = true },
	[TENANT_SUSPENDED] = { [TENANT_ACTIVE] = true, [TENANT_ERASING] = true },
	[TENANT_ERASING] = { [TENANT_ERASED] = true },
	[TENANT_ERASED] = { false },
};

const char *tenant_state_name(enum tenant_state state)
{
	return names[state];
}

bool tenant_state_parse(struct str name, enum tenant_state *ret_state)
{
	for (int i = 0; i < TENANT_STATES; i++) {
		if (str_eq(name, str_of(names[i]))) {
			*ret_state = (enum tenant_state)i;
			return true;
		}
	}
	return false;
}

bool tenant_state_may_become(enum tenant_state from, enum tenant_state to)
{
	return transitions[from][to];
}
