/*
 * Records of ROUTE_WORK: a transaction takes the claim, the work runs without one, a transaction
 * spends the claim together with its effects.
 */
#ifndef ESTEIRA_FRAME_TRANSACT_WORK_H
#define ESTEIRA_FRAME_TRANSACT_WORK_H

#include "frame/transact.h"

/* Takes the claims and runs claimed() of each. Tasks of different events, in the order of their
 * partitions (transact_compare_partitions). Sets their wait_ms; a fate other than TASK_OPEN: there
 * is nothing to work on. After a failure nothing of any was done. */
struct err transact_work_claim(const struct transact *t, struct task *tasks, size_t count)
	ERR_MUST_USE;

/* handle() of records whose work is done, each if its claim is still ours. Tasks and failures as
 * above. Sets ours. */
struct err transact_work_spend(const struct transact *t, struct task *tasks, size_t count)
	ERR_MUST_USE;

/* failed(), if the claim is still ours. */
struct err transact_work_failed(const struct transact *t, struct task *task) ERR_MUST_USE;

/* settle(), which the route has. */
struct err transact_work_settle(const struct transact *t, struct task *task) ERR_MUST_USE;

#endif
