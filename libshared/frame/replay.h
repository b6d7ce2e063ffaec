/*
 * Replays: what is handled again, under which epoch, and how it went. A rewind or a skip was done
 * to the group by Kafka's stock tool and is found at assignment; a side replay was asked for with
 * estctl and runs beside live traffic, below the group's position. The epoch of a record is a pure
 * function of (group, topic, partition, offset, tenant): it survives every crash because rows are
 * never deleted.
 */
#ifndef ESTEIRA_FRAME_REPLAY_H
#define ESTEIRA_FRAME_REPLAY_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/journal.h"
#include "frame/outbox.h"
#include "frame/places.h"
#include "model/tenant.h"

struct pg;

/* One row of replay. */
struct replay {
	int64_t id;
	const char *topic;
	int32_t partition;
	int64_t from, to; /* offsets, to is exclusive */
	bool has_tenant;
	struct tenant tenant;
	int64_t next; /* of a side replay: where it goes on */
	int rate;     /* of a side replay: records a second; 0 = no limit */
	enum replay_kind { REPLAY_REWIND, REPLAY_SKIP, REPLAY_SIDE } kind;
	enum replay_state {
		REPLAY_HELD, /* waits for estctl replay confirm */
		REPLAY_OPEN,
		REPLAY_PAUSED,
		REPLAY_DONE,
		REPLAY_ABORTED, /* after it was open */
		REPLAY_REFUSED, /* instead of being opened */
	} state;
};

/* As far, in offsets, as the last owner can have been ahead of what it had written down when it
 * died: the span of a window (frame/schedule), and as much again for what was read before a pause
 * took hold and for commits that were under way. */
enum { REPLAY_AHEAD_MAX = 20000 };

/* The replays of some partitions that wait, go on, or are of records that may be read again; in
 * arena memory. */
struct replay_list {
	struct replay *items;
	size_t count;
};

/* The epoch of a record: the highest id among rewinds and sides that were ever open. PURE. */
int64_t replay_epoch(const struct replay_list *list, const char *topic, int32_t partition,
	int64_t offset, struct tenant tenant);

/* Rows of these partitions; topics are compared by text and taken over from the arguments. */
struct err replay_load(struct pg *pg, struct arena *arena, const char *group,
	const struct places *places, struct replay_list *ret_list) ERR_MUST_USE;

/* An operator's move found at assignment. */
struct replay_move {
	const char *group, *topic, *cluster;
	int32_t partition;
	enum replay_kind kind; /* REPLAY_REWIND: [to be read again from, frontier); REPLAY_SKIP:
				  [progress, moved to) */
	int64_t from, to;
	bool hold; /* more than the limit, or a skip */
};

/*
 * Opens (or finds, when a crash came between) the row of a move; when it is not held, also sets the
 * progress row's next offset in the same transaction, keeping its frontier: to `from` of a rewind,
 * to `to` of a skip, which is DONE by that. ret_replay says what is in the row now, in arena memory
 * and with the topic of move; an operator may have confirmed or refused it meanwhile:
 *   HELD     nothing was changed: wait, and ask again
 *   OPEN     a rewind: read from `from`
 *   DONE     a skip: read from `to`
 *   REFUSED  stay at the progress row's offset and commit it
 * Other moves of the partition that are still held are refused (there is one position only), and an
 * open rewind to the same offset that had begun is aborted: the move came again. One transaction of
 * its own. Emits the audit entry (action replay.opened, replay.held, replay.skipped) through
 * outbox.
 */
struct err replay_open(struct pg *pg, struct arena *arena, const struct replay_move *move,
	const struct outbox_conf *outbox, struct replay *ret_replay) ERR_MUST_USE;

/* What became of records of one replay, added up in the transaction that handled them. Queues one
 * UPDATE, which locks the replay's row: as late as possible, and of several replays in the order of
 * their ids. */
struct replay_counts {
	int64_t done, same, different, gone, failed, held;
};
struct err replay_count(struct pg *pg, int64_t id, const struct replay_counts *counts) ERR_MUST_USE;

/* The watermark of a partition has reached `to` of an open rewind, or a side replay is through:
 * state done, audit entry with the counts. Once; one transaction of its own. Not while records of
 * its epoch are parked: to be called again (a dead letter's stone is no such record, it was counted
 * as failed). *ret_done: it was this call. */
struct err replay_finish(struct pg *pg, struct arena *arena, int64_t id,
	const struct outbox_conf *outbox, bool *ret_done) ERR_MUST_USE;

/* The place's log is another one than it was, of another cluster or made anew: its replays count
 * for no epoch any more, those that are not over end aborted, and its attempts are forgotten. A
 * transaction of its own. */
struct err replay_forget(struct pg *pg, const struct journal_place *place) ERR_MUST_USE;

/* A record by its place in the log. */
struct replay_place {
	const char *topic;
	int32_t partition;
	int64_t offset;
	bool skipped; /* set by replay_look_skipped */
};

/* Marks the records that an operator jumped over and that no live handling came to: those in a
 * confirmed skip of the log of today. One query. Failures: those of port/pg, the arena is full. */
struct err replay_look_skipped(struct pg *pg, struct arena *arena, const char *group,
	struct replay_place *items, size_t count) ERR_MUST_USE;

/* Where a side replay goes on after a crash; never back. A transaction of its own. */
struct err replay_advance(struct pg *pg, int64_t id, int64_t next) ERR_MUST_USE;

const char *replay_kind_name(enum replay_kind kind);
const char *replay_state_name(enum replay_state state);

#endif
