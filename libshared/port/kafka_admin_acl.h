/* Access control lists of the brokers. One thread. */
#ifndef ESTEIRA_PORT_KAFKA_ADMIN_ACL_H
#define ESTEIRA_PORT_KAFKA_ADMIN_ACL_H

#include "base/arena.h"
#include "base/err.h"

struct kafka_admin;

/* One binding, in Kafka's own words. */
struct kafka_acl {
	const char *principal;	/* "User:esteira-ocr" */
	const char *resource;	/* "TOPIC", "GROUP", "BROKER" (the cluster), "UNKNOWN" */
	const char *pattern;	/* "LITERAL", "PREFIXED" */
	const char *name;	/* of the resource; "*" literally is all */
	const char *operation;	/* "READ", "WRITE", "DESCRIBE", ... */
	const char *permission; /* "ALLOW", "DENY" */
	const char *host;	/* "*" */
};

struct kafka_acl_list {
	struct kafka_acl *items;
	size_t count;
};

/* All that there are, in the arena. *ret_enforced false: these brokers have no authorizer and keep
 * none. Blocks for up to 11 s. ERR_RETRY kafka-away; kafka-denied: only who may alter the
 * cluster may ask; ERR_REJECT record-too-large: the arena is full. */
struct err kafka_admin_acl_read(struct kafka_admin *admin, struct arena *arena,
	struct kafka_acl_list *ret_list, bool *ret_enforced) ERR_MUST_USE;

/* Makes, or takes away, exactly this one; what is there, or not there, is fine. Blocks and fails
 * likewise; ERR_FATAL bad-config: no such words. */
struct err kafka_admin_acl_add(struct kafka_admin *admin, const struct kafka_acl *acl) ERR_MUST_USE;
struct err kafka_admin_acl_remove(struct kafka_admin *admin, const struct kafka_acl *acl)
	ERR_MUST_USE;

bool kafka_admin_acl_equal(const struct kafka_acl *a, const struct kafka_acl *b);

#endif
