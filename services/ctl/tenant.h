/*
 * The noun "tenant": who may use the suite. A tenant is made with version 1 of its key, wrapped by
 * the master key, in one transaction, so there is none without a key.
 */
#ifndef ESTEIRA_CTL_TENANT_H
#define ESTEIRA_CTL_TENANT_H

#include "command.h"

extern const struct command tenant_commands[];

/* 2 to 63 of a-z, 0-9 and "-", the first no "-": the words of the table's CHECK. */
bool tenant_is_slug(const char *slug);

#endif
