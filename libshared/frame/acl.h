/*
 * What each principal may do on Kafka, worked out of the topic table (frame/topic) and of nothing
 * else: a new topic is in here by being declared. Readers of a topic read it and their group, and
 * write its dead letters; writers write it. A partner writes its topic and reads its dead letters.
 */
#ifndef ESTEIRA_FRAME_ACL_H
#define ESTEIRA_FRAME_ACL_H

#include "base/arena.h"
#include "base/err.h"
#include "port/kafka_admin_acl.h"
#include "frame/topic.h"

enum { ACL_SERVICES_MAX = 128, ACL_PARTNER_COUNT = 5 };

/* The services of the suite, ended by NULL. */
const char *const *acl_services(void);

/* "User:esteira-ocr" of the prefix "esteira.", "User:ocr" of none; "User:partner-acme". NULL when
 * the arena is full. */
const char *acl_principal(
	const struct topic_space *space, const char *service, struct arena *arena);
const char *acl_partner_principal(const char *slug, struct arena *arena);

/* Appends to list, which has room for ACL_SERVICES_MAX: all that the services may do. ERR_REJECT
 * record-too-large: the arena is full. */
struct err acl_add_services(const struct topic_space *space, struct arena *arena,
	struct kafka_acl_list *list) ERR_MUST_USE;

/* Appends ACL_PARTNER_COUNT: what a partner's principal may do. Failures likewise. */
struct err acl_add_partner(const struct topic_space *space, const char *slug, struct arena *arena,
	struct kafka_acl_list *list) ERR_MUST_USE;

#endif
