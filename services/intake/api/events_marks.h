/*
 * Which events were accepted, noted in Redis for REDISKEY_EVENT_TTL_S, for GET /v1/events/{id}:
 * best effort, nobody waits for it. What comes in one turn of the loop goes out as one command, as
 * a command an event would cost as much as the event. Who asks over the same connection after the
 * answer to the client finds the note. Loop thread only, but for redis_call on the connection.
 */
#ifndef ESTEIRA_INTAKE_API_EVENTS_MARKS_H
#define ESTEIRA_INTAKE_API_EVENTS_MARKS_H

#include "base/err.h"
#include "model/tenant.h"

struct events_marks;
struct intake_conf;
struct loop;
struct redis;

/* A connection of its own to the Redis of conf. Failures: those of redis_open. */
struct err events_marks_open(struct loop *loop, const struct intake_conf *conf,
	struct events_marks **ret_marks) ERR_MUST_USE;

/* As redis_close. NULL is fine. */
void events_marks_close(struct events_marks *marks);

void events_marks_add(struct events_marks *marks, struct tenant tenant, struct id event);

/* The connection, for questions behind what was added. */
struct redis *events_marks_redis(const struct events_marks *marks);

#endif
