/*
 * POST /v1/events: events of partners, straight into Kafka. The front is asked before a
 * byte of the body is read; the body goes to the ingest thread, which reads, maps and sends; the
 * answer waits until the broker has every accepted event. What was refused says so item by item.
 * Which of the accepted ones there were stands in Redis for a while, for GET /v1/events/{id}, and
 * nowhere else until somebody has handled them.
 */
#ifndef ESTEIRA_INTAKE_API_EVENTS_H
#define ESTEIRA_INTAKE_API_EVENTS_H

#include "base/err.h"

struct api;
struct events;
struct redis;
struct web_exchange;

/* Opens the producer's thread and a Redis connection of its own. Loop thread. Failures: those of
 * ingest_open and redis_open. After one *ret_events may be set. */
struct err events_open(struct api *api, struct events **ret_events) ERR_MUST_USE;

/* Ends requests under way with shutting-down. Any thread but the loop's, which runs. NULL is fine.
 */
void events_stop(struct events *events);

/* After events_stop, when the loop has run what was posted. Loop thread. NULL is fine. */
void events_close(struct events *events);

/* The handler; arg is the struct api. */
void events_post(struct web_exchange *exchange, void *arg);

/* Where accepted events are noted (rediskey_event). */
struct redis *events_redis(const struct events *events);

#endif
