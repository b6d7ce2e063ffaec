/*
 * The noun "plan": how many requests a minute the tenants of a plan may make. And which plan a
 * tenant has, for "tenant plan".
 */
#ifndef ESTEIRA_CTL_PLAN_H
#define ESTEIRA_CTL_PLAN_H

#include "command.h"

extern const struct command plan_commands[];

/* estctl tenant plan SLUG --plan NAME [--who NAME] */
struct err plan_of_tenant(const struct command_call *call) ERR_MUST_USE;

#endif
