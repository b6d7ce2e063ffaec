/*
 * The partitions of a group as the brokers know them: how far it is, where the log ends, and how
 * old the first record is that it has not committed. Nothing is changed by looking, and no group is
 * joined.
 */
#ifndef ESTEIRA_CTL_GROUPS_LOOK_H
#define ESTEIRA_CTL_GROUPS_LOOK_H

#include "base/arena.h"
#include "base/err.h"
#include "command.h"
#include "store_groups.h"

/* A partition as the brokers and Postgres know it. */
struct groups_look_part {
	struct store_groups_part stored; /* offset: where the group is, or where the log begins */
	int64_t committed;		 /* CODEC_NO_INT: nothing */
	int64_t end;			 /* of the log */
	int64_t first_ms; /* when the record at stored.offset came, wall ms; CODEC_NO_INT: there is
			     none, or it could not be read */
};

struct groups_look;

/* Connects in the background. ERR_FATAL bad-config. */
struct err groups_look_open(const struct command_call *call, struct groups_look **ret_look)
	ERR_MUST_USE;
void groups_look_close(struct groups_look **look); /* the SCOPED form; *look NULL is fine */

struct groups_look_group {
	const char *service; /* whose schema has what waits */
	const char *part;    /* of the group's name: the service's, or "intake.partners" */
	const char *const *more_topics; /* beside those declared, ended by NULL; NULL = none */
	const char *name;
	const char *state; /* as Kafka calls it */
	int64_t members;
	struct groups_look_part *parts; /* a topic's stand together, by number */
	size_t count;
};

/* Completes the group of group->part: of the topics it is declared to read, of more_topics, and of
 * those it has committed to. All in the call's arena. ERR_RETRY kafka-away; ERR_REJECT
 * record-too-large. */
struct err groups_look_at(struct groups_look *look, struct groups_look_group *group) ERR_MUST_USE;

#endif
