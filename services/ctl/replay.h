/*
 * The noun "replay": plans and begins side replays, which run beside live traffic below the group's
 * position; stops, resumes and ends them; decides about moves of a group that wait (holds). It only
 * writes rows: the owners of the partitions do the rest.
 */
#ifndef ESTEIRA_CTL_REPLAY_H
#define ESTEIRA_CTL_REPLAY_H

#include "command.h"

extern const struct command replay_commands[];

/* The service of a group: what follows the prefix. "" when the group has another prefix. PURE. */
const char *replay_service_of(const char *group, const char *prefix);

#endif
