/* estctl config check: what a program would be told by this environment, and what is wrong with it.
 * A service is asked itself, as the tables of its settings are nowhere else. */
#ifndef ESTEIRA_CTL_CONFIG_CHECK_H
#define ESTEIRA_CTL_CONFIG_CHECK_H

#include "command.h"

extern const struct command_option config_check_options[];

/* With --service this process becomes esteira-NAME --check-config, which stands beside estctl.
 * ERR_REJECT bad-config: there are errors, which were printed. */
struct err config_check(const struct command_call *call) ERR_MUST_USE;

#endif
