/*
 * The noun "seal": the wrappings of all tenants' keys. A new master key is in force at once for
 * what is wrapped from then on; this wraps again what is there, page by page, each in a transaction
 * with its audit entry, so it can be ended and begun anew at any moment.
 */
#ifndef ESTEIRA_CTL_REWRAP_H
#define ESTEIRA_CTL_REWRAP_H

#include "command.h"

extern const struct command rewrap_commands[];

#endif
