/*
 * What a side replay would read: times become offsets, and every partition's range is cut to what
 * the log still has and to what the group has handled. Nothing is changed by looking.
 */
#ifndef ESTEIRA_CTL_REPLAY_PLAN_H
#define ESTEIRA_CTL_REPLAY_PLAN_H

#include "base/err.h"
#include "command.h"
#include "store_replay.h"

struct pg;

/* An end of a range: a time or an offset. */
struct replay_plan_bound {
	bool is_time;
	int64_t value; /* wall ms, or an offset */
};

/* RFC 3339 with a zone, or decimal digits; false otherwise. PURE. */
bool replay_plan_read_bound(const char *text, struct replay_plan_bound *ret_bound);

struct replay_plan_range {
	int64_t from, to; /* to is exclusive */
};

/* What is to be read of a partition: what was asked for, without what the log has no longer and
 * without what the group has not handled yet; empty (from = to) when nothing is left. progress -1:
 * the group has not begun. PURE. */
struct replay_plan_range replay_plan_clip(
	struct replay_plan_range asked, struct replay_plan_range log, int64_t progress);

struct replay_plan {
	struct replay_plan_bound from, to;
	int64_t rate; /* records a second, of all partitions; 0 = no limit */
	struct store_replay_plan row;
	struct codec_list parts; /* of struct store_replay_part, one for each partition */
};

/* --from, --to and --rate. ERR_REJECT bad-parameter. */
struct err replay_plan_read(const struct command_call *call, struct replay_plan *plan) ERR_MUST_USE;

/* Fills parts for --topic and plan->row.of. ERR_REJECT not-found: no such topic; ERR_RETRY
 * kafka-away; failures of the database. */
struct err replay_plan_look(
	const struct command_call *call, struct pg *pg, struct replay_plan *plan) ERR_MUST_USE;

/* Sets plan->row.rate: the share of each partition that has something to read, at least 1. */
void replay_plan_share(struct replay_plan *plan);

#endif
