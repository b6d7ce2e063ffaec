/*
 * estctl tenant rotate-key: a new version of a tenant's key, with what is kept for long sealed
 * under it, and the end of versions that nothing needs any more.
 */
#ifndef ESTEIRA_CTL_ROTATE_H
#define ESTEIRA_CTL_ROTATE_H

#include "base/err.h"
#include "command.h"

/* The command's options; ends with name NULL. */
extern const struct command_option rotate_options[];

/* The command; needs CONFIG_PG, CONFIG_KAFKA and CONFIG_SEAL. ERR_REJECT key-needed: a version that
 * should go is needed, the message says for what. */
struct err rotate_run(const struct command_call *call) ERR_MUST_USE;

#endif
