/*
 * How long deliveries are kept: 30 days, then they and their attempts are deleted, a few thousand
 * at a time, by a thread of its own. Several processes may do it at once.
 */
#ifndef ESTEIRA_OUTREACH_KEEP_H
#define ESTEIRA_OUTREACH_KEEP_H

#include "base/err.h"

struct keep;
struct pg_conf;

/* Starts the thread; looks at once and then every 10 minutes. ERR_FATAL out-of-memory. */
struct err keep_open(const struct pg_conf *pg, struct keep **ret_keep) ERR_MUST_USE;

/* Ends it. NULL is fine. */
void keep_close(struct keep *keep);

#endif
