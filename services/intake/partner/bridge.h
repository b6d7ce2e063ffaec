/*
 * The way of events from partners' topics into the suite: a thread with a consumer (group
 * PREFIX intake.partners, the topics of the active partners) and an idempotent producer. A record
 * is read, judged (model/foreign, book, map) and sent on to intake.events, or with the reason to
 * its partner's DLQ; its offset is done when the broker has that. Nothing is written down on the
 * way: ids are derived, so what is sent twice after a crash the inboxes drop.
 *
 * What stands between the brokers and us is the producer's queue (16 MB) and FLIGHT_MAX records;
 * when they are full, or Kafka is away, reading waits.
 */
#ifndef ESTEIRA_INTAKE_PARTNER_BRIDGE_H
#define ESTEIRA_INTAKE_PARTNER_BRIDGE_H

#include "base/err.h"

struct bridge;
struct kafka_conf;
struct loop;
struct metrics;
struct partner_book;
struct topic_space;

struct bridge_conf {
	const struct kafka_conf *kafka;
	const struct topic_space *space;
	struct partner_book *book;
	struct metrics *metrics;
	struct loop *loop;
	/* Kafka's library failed for good: the process has to end. The bridge's thread. */
	void (*fail)(void *arg, struct err e);
	void *arg;
};

/* Starts the thread; it connects when there is a partner. *conf is copied, what it points to is
 * borrowed. ERR_FATAL out-of-memory. */
struct err bridge_open(const struct bridge_conf *conf, struct bridge **ret_bridge) ERR_MUST_USE;

/* Takes nothing more; when what is under way is done and committed, leaves the group and calls
 * done(arg) on the loop. Loop thread, once; NULL is fine: done is called. */
void bridge_drain(struct bridge *bridge, void (*done)(void *arg), void *arg);

/* Ends the thread, whatever is under way, and frees. NULL is fine. Any thread but the loop's, which
 * runs. */
void bridge_close(struct bridge *bridge);

#endif
