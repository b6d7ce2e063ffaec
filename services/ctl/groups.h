/*
 * The noun "groups": how far every service's consumer group is, what waits beside its topics, and
 * what waits for a person. A line a topic, or a line a partition; a problem is seen in the line.
 */
#ifndef ESTEIRA_CTL_GROUPS_H
#define ESTEIRA_CTL_GROUPS_H

#include "model/codec.h"
#include "command.h"
#include "groups_look.h"

extern const struct command groups_commands[];

/* A topic of a group; groups_rows is the table of the struct. */
struct groups_row {
	const char *group, *topic, *state;
	int64_t members;
	int64_t lag;			      /* records not committed */
	int64_t oldest_s;		      /* age of the oldest of them; CODEC_NO_INT */
	int64_t due, blocked, overflow, held; /* parked */
	int64_t dead;			      /* letters that are open */
	int64_t epoch;			      /* the highest of its partitions */
	const char *holds;		      /* in words; NULL = none */
};
extern const struct codec_type groups_rows;

/* A partition of a group; groups_partitions is the table of the struct. */
struct groups_partition {
	const char *group, *topic;
	int64_t partition, committed, end, lag, oldest_s;
	int64_t due, blocked, overflow, held, dead, epoch;
	const char *hold;
};
extern const struct codec_type groups_partitions;

/* The lines of a group, appended to rows, which has room. ERR_REJECT record-too-large: the arena is
 * full. PURE. */
struct err groups_sum(const struct groups_look_group *group, int64_t now_ms, struct arena *arena,
	struct codec_list *rows) ERR_MUST_USE;
struct err groups_detail(const struct groups_look_group *group, int64_t now_ms, struct arena *arena,
	struct codec_list *rows) ERR_MUST_USE;

#endif
