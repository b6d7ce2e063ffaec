/*
 * The rest of the noun "tenant": from one state to another (docs/tenants.md). Each change is one
 * transaction with its entry in the audit; the services see the state and do the rest.
 */
#ifndef ESTEIRA_CTL_TENANT_LIFE_H
#define ESTEIRA_CTL_TENANT_LIFE_H

#include "command.h"

extern const struct command tenant_life_commands[];

#endif
