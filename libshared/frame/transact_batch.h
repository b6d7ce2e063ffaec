/*
 * Records of ROUTE_TXN: up to SCHEDULE_BATCH_MAX of one partition in one transaction.
 */
#ifndef ESTEIRA_FRAME_TRANSACT_BATCH_H
#define ESTEIRA_FRAME_TRANSACT_BATCH_H

#include "frame/transact.h"

/* handle() of those whose turn it is; the others are parked behind what waits, or are duplicates.
 * Sets every task's fate. Failures: transact.h. */
struct err transact_batch_handle(const struct transact *t, struct task *tasks, size_t count)
	ERR_MUST_USE;

/* ROUTE_VERIFY in a replay: handle() and roll back, then note how the outputs compare. What was
 * skipped has nothing to compare with: it is handled, as it would have been. */
struct err transact_batch_verify(const struct transact *t, struct task *task) ERR_MUST_USE;
bool transact_batch_is_verify(const struct record *record);

#endif
