/*
 * Records of ROUTE_WORK: a transaction takes the claim, the work runs without one, a transaction
 * spends the claim together with its effects.
 */
#ifndef ESTEIRA_FRAME_TRANSACT_WORK_H
#define ESTEIRA_FRAME_TRANSACT_WORK_H

#include "frame/transact.h"

/* Takes the claim and runs claimed(). *ret_wait_ms > 0: somebody else works on it for so long. A
 * fate other than TASK_OPEN: there is nothing to work on. */
struct err transact_work_claim(const struct transact *t, struct task *task, int64_t *ret_wait_ms)
	ERR_MUST_USE;

/* handle() of a record whose work is done, if the claim is still ours; else *ret_ours is false. */
struct err transact_work_spend(const struct transact *t, struct task *task, bool *ret_ours)
	ERR_MUST_USE;

/* failed(), if the claim is still ours. */
struct err transact_work_failed(const struct transact *t, struct task *task) ERR_MUST_USE;

/* settle(), which the route has. */
struct err transact_work_settle(const struct transact *t, struct task *task) ERR_MUST_USE;

#endif
