/*
 * The noun "acl": what the suite's principals may do on Kafka, as declared by frame/acl, held
 * against what the brokers have and made so. Whatever a principal of ours has beyond that is taken
 * away; what others may do to our topics is told and left alone.
 */
#ifndef ESTEIRA_CTL_ACL_H
#define ESTEIRA_CTL_ACL_H

#include "base/arena.h"
#include "base/err.h"
#include "model/codec.h"
#include "frame/acl.h"
#include "command.h"

extern const struct command acl_commands[];

/* A binding and how it stands. */
struct acl_row {
	struct kafka_acl acl;
	const char *state; /* exists, missing, created; extra, removed; foreign */
};
extern const struct codec_type acl_rows;

/* What is compared. partners: structs store_partner, of which the revoked may do nothing. */
struct acl_wanted {
	const struct topic_space *space;
	const struct codec_list *partners;
	struct kafka_acl_list declared;
};

/* Fills wanted->declared. ERR_REJECT record-too-large: the arena is full. */
struct err acl_declare(struct acl_wanted *wanted, struct arena *arena) ERR_MUST_USE;

/* Structs acl_row in the arena: the declared first, then what else concerns us. ERR_REJECT
 * record-too-large. */
struct err acl_compare(const struct acl_wanted *wanted, const struct kafka_acl_list *found,
	struct arena *arena, struct codec_list *ret_rows) ERR_MUST_USE;

/* Lets the partner that is the command's operand do what acl_add_partner declares, or nothing.
 * Brokers without an authorizer, and those that let only somebody else decide, are left alone; the
 * latter with a note. Failures: kafka_admin_acl_read. */
struct err acl_partner(const struct command_call *call, bool allowed) ERR_MUST_USE;

#endif
