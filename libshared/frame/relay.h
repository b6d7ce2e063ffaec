/*
 * The outbox relay: publishes a service's outbox rows in order and deletes them when the broker has
 * them. It works by "still there", never by a cursor, because sequence numbers commit out of order.
 * One process of a service publishes at a time (a session advisory lock); a leader that hangs loses
 * its session after 5 s and what it sent is sent again, which deterministic ids make harmless.
 */
#ifndef ESTEIRA_FRAME_RELAY_H
#define ESTEIRA_FRAME_RELAY_H

#include "base/arena.h"
#include "base/err.h"

struct pg;
struct kafka_conf;
struct metric;
struct relay;
struct spans;

struct relay_view {
	bool leader;
	size_t published;      /* since start */
	int64_t oldest_age_ms; /* of the oldest unpublished row, 0 = none; known to the leader */
	int64_t kafka_away_ms; /* how long rows have waited without one being delivered; 0 = fine */
};

/* pg: the relay's own connection (role esteira_frame_<service>, idle_session_ms RELAY_IDLE_MS),
 * borrowed. service names the advisory lock and the notification channel. */
enum { RELAY_IDLE_MS = 5000 };
struct err relay_open(struct pg *pg, const struct kafka_conf *kafka, const char *service,
	struct relay **ret_relay) ERR_MUST_USE;
void relay_close(struct relay *relay); /* NULL is fine */

/* One round: publishes what there is, then waits up to 100 ms for a wake-up. The relay's thread.
 * Failures are temporary and already waited for; ERR_FATAL ends the process. */
struct err relay_step(struct relay *relay) ERR_MUST_USE;

/* Asks a broker for a sign of life, see kafka_producer_ping. The relay's thread. */
struct err relay_ping(struct relay *relay, int timeout_ms, int64_t *ret_took_us) ERR_MUST_USE;

/* The histogram that takes the seconds from a row's making to its delivery, and where the spans of
 * sending go (NULL: nowhere); borrowed. Before the first relay_step. */
void relay_measure(struct relay *relay, struct metric *delay, struct spans *spans);

/* Rows have been committed. Any thread. */
void relay_wake(struct relay *relay);

/* Any thread. */
void relay_look(const struct relay *relay, struct relay_view *ret_view);

#endif
