/*
 * The parked lane: records that wait beside their partition, in Postgres, in order per key. A key
 * with a parked row is blocked: later records of it park behind, everything else flows. Rows of a
 * key run in the order of their offsets; one may run when it and all before it are due. Only the
 * owner of a partition parks and runs (under its fence); estctl and the API only add redrives.
 */
#ifndef ESTEIRA_FRAME_PARK_H
#define ESTEIRA_FRAME_PARK_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/places.h"
#include "frame/schedule.h"
#include "model/envelope.h"

struct park;
struct pg;

enum park_reason {
	PARK_RETRY,	/* failed, to be tried again when due; counts as the head of its key */
	PARK_BLOCKED,	/* behind a parked row of its key */
	PARK_OVERFLOW,	/* its tenant filled the partition's window */
	PARK_HOLD,	/* tombstone of a dead letter that blocks its key; never due */
	PARK_BREAKER,	/* the route's brake for this tenant is on */
	PARK_REDRIVE,	/* a dead letter on its way back */
	PARK_SUSPENDED, /* the tenant is suspended */
};
const char *park_reason_name(enum park_reason reason);

/* What a process remembers: which of its partitions have parked rows. A partition it knows nothing
 * of "may have" some, so that a wrong memory costs a question and never order. Any thread. */
struct park *park_new(const char *group);
void park_free(struct park *park); /* NULL is fine */
bool park_may_have(struct park *park, const char *topic, int32_t partition);

/* What is to become of a record, seen from the parked rows of its key. */
enum park_verdict {
	PARK_RUN,    /* nothing is before it */
	PARK_BEHIND, /* rows of its key wait: park it, reason blocked */
	PARK_STALE,  /* a loaded row that is gone, or no longer the next of its key: forget the copy
		      */
};

struct park_entry {
	const struct record *record;
	const struct event *event;
	enum park_verdict verdict; /* set by park_judge */
	/* for park_add */
	enum park_reason reason;
	int64_t due_in_ms; /* from Postgres's now(); < 0 = never */
	struct err why;	   /* kind ERR_OK: no error to note */
};

/*
 * Sets the verdicts of records of one partition, in the order in which they are going to be
 * handled; a record of the log, or of a side replay, behind an earlier entry of its key with
 * PARK_BEHIND is PARK_BEHIND too; a loaded row behind a PARK_STALE one of its key is PARK_STALE.
 * Asks nothing when park_may_have says no and no entry is a loaded row. Inside the fenced
 * transaction. Failures: pg_query.
 */
struct err park_judge(struct park *park, struct pg *pg, struct arena *arena,
	struct park_entry *entries, size_t count) ERR_MUST_USE;

/* Queues one INSERT of the entries; a record that is parked already (same offset and epoch) stays
 * as it is. Marks the partition. */
struct err park_add(struct park *park, struct pg *pg, struct arena *arena,
	const struct park_entry *entries, size_t count) ERR_MUST_USE;

/* Removes the rows of loaded records in the caller's transaction. ERR_RETRY try-again when one is
 * gone (discarded meanwhile): nothing of the batch may then be committed. */
struct err park_remove(struct park *park, struct pg *pg, struct arena *arena, const int64_t *ids,
	size_t count) ERR_MUST_USE;

/* Queues the change of a loaded row that failed again: attempts, first failure, reason, due, error
 * of the entry. */
struct err park_again(struct park *park, struct pg *pg, const struct park_entry *entry)
	ERR_MUST_USE;

/* --- the way back into the schedule: poll thread, its own connection --- */

/* A due row with copies in the arena. */
struct park_row {
	int64_t id, offset, epoch, first_ms;
	int attempts;
	struct id dead_id;
	struct tenant tenant;
	const char *ordering_key;
	struct str key, value, headers;
};

struct park_rows {
	struct park_row *items;
	size_t count;
};

enum { PARK_LOAD_MAX = 500, PARK_KEY_MAX = 100 };

/*
 * Up to PARK_LOAD_MAX rows of a partition that may run, at most PARK_KEY_MAX of a key, each key's
 * in order and from its first row on. Finds due heads by their index, and goes round the other keys
 * from where the last call stopped. Learns whether the partition has any row at all. One read.
 */
struct err park_load(struct park *park, struct pg *pg, struct arena *arena,
	const struct partition *of, struct park_rows *ret_rows) ERR_MUST_USE;

/* Has any row's time come? Not those that wait for another row or for room: only park_load finds
 * these, by up to 200 probes instead of one. One read. */
struct err park_load_is_due(struct park *park, struct pg *pg, struct arena *arena,
	const struct partition *of, bool *ret_due) ERR_MUST_USE;

/* Marks those of the partitions that have a row, whoever put it there (estctl and the API add
 * redrives). One read. */
struct err park_discover(struct park *park, struct pg *pg, struct arena *arena,
	const struct places *places) ERR_MUST_USE;

enum { PARK_COUNT_MAX = 10000 };

/* Rows of the group's partitions in this process, as of the last look; for metrics and /readyz.
 * due: with a time of their own, come or not; suspended: until
 * their tenant is active again; held: waiting for a person. Of a partition with more
 * than PARK_COUNT_MAX rows no more are counted. */
struct park_view {
	int64_t due, blocked, overflow, suspended, held;
};
void park_look(struct park *park, struct park_view *ret_view); /* any thread */

/* Counts for the view (at most once in 5 s by the caller), of these partitions. */
struct err park_count(struct park *park, struct pg *pg, struct arena *arena,
	const struct places *places) ERR_MUST_USE;

#endif
