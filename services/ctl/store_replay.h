/*
 * Rows of replays, in the schema of the service whose group is replayed. Each change is one
 * transaction with its audit entry, which leaves by that service's outbox. Same role, rules and
 * failures as store.h.
 */
#ifndef ESTEIRA_CTL_STORE_REPLAY_H
#define ESTEIRA_CTL_STORE_REPLAY_H

#include "base/arena.h"
#include "base/err.h"
#include "model/codec.h"
#include "frame/outbox.h"

struct pg;

/* The schemas that have the frame's tables: array of *ret_count names. */
struct err store_replay_services(struct pg *pg, struct arena *arena, const char ***ret_names,
	size_t *ret_count) ERR_MUST_USE;

/* How far a group is: offsets[p] for partition p below count, -1 when it has not begun. */
struct store_replay_group {
	const char *service, *group, *topic;
};
struct err store_replay_progress(struct pg *pg, struct arena *arena,
	const struct store_replay_group *group, int64_t *offsets, size_t count) ERR_MUST_USE;

/* A partition's part of a side replay, planned or begun; store_replay_parts is the struct's table.
 */
struct store_replay_part {
	const char *plan; /* NULL: only planned */
	int64_t partition, from_offset, to_offset, records;
};
extern const struct codec_type store_replay_parts;

struct store_replay_plan {
	struct store_replay_group of;
	struct id plan;
	bool has_tenant;
	struct tenant tenant;
	int64_t rate; /* records a second and partition; 0 = no limit */
	const char *who;
};

/* One row for each part that is not empty. ERR_REJECT not-found: there is none. */
struct err store_replay_start(struct pg *pg, struct arena *arena,
	const struct store_replay_plan *plan, const struct codec_list *parts,
	const struct outbox_conf *outbox) ERR_MUST_USE;

/* Which rows: those for which all that is given is true. */
struct store_replay_filter {
	const char *service;
	struct id plan;		   /* nil = any */
	int64_t id;		   /* 0 = any */
	const char *group, *topic; /* NULL = any */
};

/* What is done to rows, and to which. */
struct store_replay_change {
	const char *from, *to; /* states; from may be several, joined by commas */
	const char *kinds;     /* likewise; NULL = any */
	const char *action;    /* of the audit entry */
	const char *who;       /* does it; noted in the row only when to is NULL */
	const struct outbox_conf *outbox;
	const char *reason; /* NULL: left as it is */
};

/* ret_count: how many rows were changed; no entry when none was. change->to NULL: only who and
 * reason. */
struct err store_replay_change(struct pg *pg, struct arena *arena,
	const struct store_replay_filter *filter, const struct store_replay_change *change,
	int64_t *ret_count) ERR_MUST_USE;

/* A plan, or a move of the group, as listed; store_replay_states is the table of the struct. */
struct store_replay_state {
	const char *id; /* the plan's, or the row's number */
	const char *kind, *group, *topic;
	const char *state; /* several when the partitions differ */
	int64_t records, read;
	int64_t done, same, different, gone, failed, held;
	const char *who;
};
extern const struct codec_type store_replay_states;
struct err store_replay_list(struct pg *pg, struct arena *arena,
	const struct store_replay_filter *filter, struct codec_list *ret_rows) ERR_MUST_USE;

#endif
