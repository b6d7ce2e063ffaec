/*
 * What has been handled: one row per (group, event id, epoch), written in the transaction of its
 * effects. Duplicates inside one batch are dropped in memory before; the SELECT runs as a statement
 * of its own after the fence's FOR SHARE, which is what makes it race-free.
 */
#ifndef ESTEIRA_FRAME_INBOX_H
#define ESTEIRA_FRAME_INBOX_H

#include "base/arena.h"
#include "base/err.h"
#include "model/tenant.h"

struct pg;

struct inbox_entry {
	struct id event_id;
	struct tenant tenant;
	int64_t epoch;
	struct str outputs; /* 8 bytes per event emitted */
	struct str before;  /* set by inbox_look in a replay: the outputs of epoch 0; ptr NULL =
			       unknown */
	bool old;	    /* set by inbox_look in a replay: epoch 0 is known */
	bool skipped;	    /* a replay of what an operator had skipped: the first time that it is
			       handled, which epoch 0 gets a row of as well */
	bool again;   /* a redrive: its row is there and says dead; it is handled all the same */
	bool seen;    /* set by inbox_look: handled before (and not again) */
	bool known;   /* set by inbox_look: a row of this epoch is there */
	bool foreign; /* set by inbox_look: and it is another tenant's */
};

/* Marks the entries that are in the inbox already. Runs the query (and all that is queued). */
struct err inbox_look(struct pg *pg, struct arena *arena, const char *group,
	struct inbox_entry *entries, size_t count) ERR_MUST_USE;

/* Queues one INSERT of the entries that are not seen; what is handled again gets its new outputs.
 */
struct err inbox_add(struct pg *pg, struct arena *arena, const char *group,
	const struct inbox_entry *entries, size_t count) ERR_MUST_USE;

/* Makes the coming weeks' partitions and drops those whose end is 14 days old. */
struct err inbox_maintain(struct pg *pg) ERR_MUST_USE;

#endif
