/*
 * The noun "key": API keys of a tenant (frame/api_keys).
 */
#ifndef ESTEIRA_CTL_KEY_H
#define ESTEIRA_CTL_KEY_H

#include "command.h"

extern const struct command key_commands[];

#endif
