/*
 * What becomes of records that are not handled: they wait in Postgres, or are dead letters.
 */
#ifndef ESTEIRA_FRAME_TRANSACT_END_H
#define ESTEIRA_FRAME_TRANSACT_END_H

#include "frame/transact.h"

/* Parks the tasks, entries[i] saying how task i is; a loaded row gets its new due time. A claim is
 * released. Fate TASK_PARKED. */
struct err transact_end_park(const struct transact *t, struct task *tasks,
	const struct park_entry *entries, size_t count) ERR_MUST_USE;

/* Dead letter: row, record, and with ROUTE_BLOCK_KEY a tombstone. Fate TASK_DONE, or
 * TASK_DUPLICATE when somebody handled it meanwhile. */
struct err transact_end_bury(const struct transact *t, struct task *task, struct err why)
	ERR_MUST_USE;

#endif
