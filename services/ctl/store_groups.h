/*
 * What Postgres knows about the partitions of a group: what waits, what died, what is read again,
 * what is held. Same role, rules and failures as store.h.
 */
#ifndef ESTEIRA_CTL_STORE_GROUPS_H
#define ESTEIRA_CTL_STORE_GROUPS_H

#include "base/arena.h"
#include "base/err.h"

struct pg;

/* A move of the group that waits for estctl replay confirm or refuse. */
struct store_groups_hold {
	const char *kind; /* "rewind", "skip"; NULL = none */
	int64_t from, to; /* to excluded */
	int64_t since;	  /* wall ms */
};

/* A partition; the first line is asked about, the rest is answered. */
struct store_groups_part {
	const char *topic;
	int64_t partition, offset;	      /* the group's position */
	int64_t due, blocked, overflow, held; /* parked, as struct park_view says */
	int64_t dead;			      /* letters that are open */
	int64_t epoch;			      /* of the record at offset; 0 = never read before */
	struct store_groups_hold hold;
};

struct store_groups_of {
	const char *service, *group;
};

/* Completes the parts. */
struct err store_groups_look(struct pg *pg, struct arena *arena, const struct store_groups_of *of,
	struct store_groups_part *parts, size_t count) ERR_MUST_USE;

#endif
