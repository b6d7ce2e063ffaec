/*
 * The transactions of a record: what must be true together is committed together. Policy (what
 * becomes of a failure, in which order records run) is execute.c's; the functions of
 * transact_batch, transact_work and transact_end run one transaction from BEGIN to COMMIT, or leave
 * nothing behind. Here is what they share.
 */
#ifndef ESTEIRA_FRAME_TRANSACT_H
#define ESTEIRA_FRAME_TRANSACT_H

#include "base/err.h"
#include "frame/claim.h"
#include "frame/execute.h"
#include "frame/inbox.h"
#include "frame/park.h"

/* What a transaction did with a record; everything but TASK_OPEN is final for the schedule. */
enum task_fate {
	TASK_OPEN,	/* nothing yet: go on with the next step */
	TASK_DONE,	/* handled */
	TASK_DUPLICATE, /* the inbox knows it */
	TASK_PARKED,	/* it waits in Postgres */
	TASK_STALE,	/* a loaded row that is not to be run now: forget the copy */
	TASK_GONE,	/* a replay of what was deleted by design: counted */
	TASK_HELD,	/* a side replay of what is parked, claimed or dead: counted */
};

/* One record on its way through the steps of its route. Lives in the worker's arena. */
struct task {
	struct record *record;
	struct event event; /* type NULL when the record is no event */
	void *payload;
	struct scope *scope; /* NULL until transact_read; the tasks of a shared transaction are
				copies, their scopes are not: a service may keep its address */
	struct span *span;   /* of handling it, in the arena; NULL: its trace is not recorded */
	struct inbox_entry entry;
	enum task_fate fate;
	struct outbox_reconciled outputs; /* of a replay */
	int64_t handler_us;		  /* spent in the service's own steps so far */
	int64_t wait_ms; /* set by transact_work_claim: > 0, somebody else works on it for so long
			  */
	bool ours;	 /* set by transact_work_spend: false, the claim was taken over */
	bool is_read;	 /* payload holds what its type says */
};

struct span;

struct transact {
	const struct execute_conf *conf;
	struct arena *arena;
};

/* What one transaction is about. */
struct transact_call {
	struct err (*run)(const struct transact *t, struct pg *pg, struct transact_call *call);
	struct task *tasks;
	size_t count;
	struct outbox *outbox;		/* new for each call */
	const struct park_entry *order; /* how to park; of the tasks' number */
	struct err why;			/* bury */
};

/*
 * Failures of all: those of port/pg and of the step that ran. ERR_RETRY bad-transition: the
 * partition has another owner, the record is his. Worker thread; takes a connection from the pool
 * and gives it back.
 */
struct err transact_run(const struct transact *t, struct transact_call *call) ERR_MUST_USE;

/* The envelope alone: enough to park. ERR_REJECT: to be buried; the entry is named all the same. */
struct err transact_name(const struct transact *t, struct record *record, struct task *ret_task)
	ERR_MUST_USE;

/* Another name for the inbox: for a record that is no event, or whose event id is taken. */
void transact_name_by_place(struct task *task);

/* The envelope and the payload. ERR_REJECT: to be buried with this reason. */
struct err transact_read(const struct transact *t, struct record *record, struct task *ret_task)
	ERR_MUST_USE;

/* Tasks of several partitions stand in this order, so that those of one stand together and fences
 * are held in the order in which they are raised. */
int transact_compare_partitions(const struct task *a, const struct task *b);

/* BEGIN and the fences of the tasks' partitions. */
struct err transact_begin_fenced(const struct transact *t, struct pg *pg, const struct task *tasks,
	size_t count) ERR_MUST_USE;

/* What the parked rows say: tasks that are to be parked behind others, or are stale, get their
 * fate; what is to be parked is in *ret_behind (reason blocked): transact_park_behind does it. */
struct transact_behind {
	struct park_entry *entries;
	size_t count;
};
struct err transact_judge(const struct transact *t, struct pg *pg, const struct transact_call *call,
	struct transact_behind *ret_behind) ERR_MUST_USE;
struct err transact_park_behind(
	const struct transact *t, struct pg *pg, const struct transact_behind *behind) ERR_MUST_USE;

/* Before the parked rows are asked: what a side replay must leave alone, because it is on its way
 * under the epoch it was first read with, is TASK_HELD. */
struct err transact_find_held(const struct transact *t, struct pg *pg, struct transact_call *call)
	ERR_MUST_USE;

/* The tasks against the inbox and against each other: TASK_DUPLICATE when open and seen. */
struct err transact_find_seen(const struct transact *t, struct pg *pg, struct transact_call *call)
	ERR_MUST_USE;

/* The parked rows of tasks that are handled now, or whose event was handled otherwise meanwhile,
 * go; those of TASK_STALE stay. */
struct err transact_remove_rows(const struct transact *t, struct pg *pg, struct transact_call *call)
	ERR_MUST_USE;

/* Runs a step with the tenant set; without a transaction. */
struct err transact_step_in(
	struct pg *pg, struct outbox *outbox, struct task *task, route_step *step) ERR_MUST_USE;
struct err transact_step(struct task *task, route_step *step) ERR_MUST_USE;

/* What a handled record leaves beside its rows: output hashes compared or noted, its dead letter
 * redriven. `from`: outputs before it. Its parked row is the caller's to remove. */
struct err transact_close(const struct transact *t, struct pg *pg, struct outbox *outbox,
	struct task *task, size_t from) ERR_MUST_USE;

/* Adds up the fates of replayed tasks, and writes inbox and outbox; COMMIT. */
struct err transact_finish(const struct transact *t, struct pg *pg, struct transact_call *call)
	ERR_MUST_USE;

/* Queues that records which were written down came to an end: they did not end the process. */
struct err transact_end_notes(const struct transact *t, struct pg *pg, const struct task *tasks,
	size_t count) ERR_MUST_USE;

/* The claim of a record, as taken and spent. */
struct claim transact_claim_of(const struct transact *t, const struct task *task);

#endif
