/*
 * The transactions of a record: what must be true together is committed together. Policy (what
 * becomes of a failure, in which order records run) is execute.c's; here every function runs one
 * transaction from BEGIN to COMMIT, or leaves nothing behind.
 */
#ifndef ESTEIRA_FRAME_TRANSACT_H
#define ESTEIRA_FRAME_TRANSACT_H

#include "base/err.h"
#include "frame/claim.h"
#include "frame/execute.h"
#include "frame/inbox.h"

/* One record on its way through the steps of its route. Lives in the worker's arena. */
struct task {
	struct record *record;
	struct event event; /* type NULL when the record is no event */
	void *payload;
	struct scope scope;
	struct inbox_entry entry; /* entry.seen: somebody handled it before */
};

struct transact {
	const struct execute_conf *conf;
	struct arena *arena;
};

/*
 * Failures of all: those of port/pg and of the step that ran. ERR_RETRY bad-transition: the
 * partition has another owner, the record is his. Worker thread; takes a connection from the pool
 * and gives it back.
 */

/* Decodes the record. ERR_REJECT: to be buried with this reason; the entry is named all the same.
 */
struct err transact_read(const struct transact *t, struct record *record, struct task *ret_task)
	ERR_MUST_USE;

/* handle() of up to SCHEDULE_BATCH_MAX records of one partition in one transaction. */
struct err transact_handle(const struct transact *t, struct task *tasks, size_t count) ERR_MUST_USE;

/* Dead letter. */
struct err transact_bury(const struct transact *t, struct task *task, struct err why) ERR_MUST_USE;

/* Takes the claim and runs claimed(). *ret_wait_ms > 0: somebody else works on it for so long. */
struct err transact_claim(const struct transact *t, struct task *task, int64_t *ret_wait_ms)
	ERR_MUST_USE;

/* The claim of a record, as the functions here take and spend it. */
struct claim transact_claim_of(const struct transact *t, const struct task *task);

/* handle() of a record whose work is done, if the claim is still ours; else *ret_ours is false. */
struct err transact_spend(const struct transact *t, struct task *task, bool *ret_ours) ERR_MUST_USE;

/* settle(). */
struct err transact_settle(const struct transact *t, struct task *task) ERR_MUST_USE;

/* Runs a step without a transaction. */
struct err transact_step(struct task *task, route_step *step) ERR_MUST_USE;

#endif
