/*
 * What the files of the bridge share; the bridge's thread alone touches it, but for what is atomic.
 * bridge.c is the loop and its life, bridge_take judges a record and sends it on, bridge_turn tells
 * Kafka what to pause and what is done.
 */
#ifndef ESTEIRA_INTAKE_PARTNER_BRIDGE_STATE_H
#define ESTEIRA_INTAKE_PARTNER_BRIDGE_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "partner/bridge.h"
#include "partner/flight.h"
#include "port/kafka.h"

struct metric;

/* How it ends. */
struct bridge_end {
	_Atomic bool draining, stopping;
	bool drained;
	void (*done)(void *arg);
	void *arg;
};

/* When things were done last (monotonic). */
struct bridge_times {
	int64_t book_ms, turn_ms, served_ms, commit_ms, look_ms;
	int64_t full_ms; /* since when there is no room; 0 = there is */
};

struct bridge {
	struct bridge_conf conf;
	struct kafka_conf kafka;
	char group[KAFKA_TOPIC_BYTES];
	struct kafka_consumer *consumer; /* NULL until there is a partner, and when drained */
	struct kafka_producer *producer;
	struct flight *flight;
	struct arena *arena;
	struct metric *records;
	unsigned version; /* of the book that is subscribed to */
	struct bridge_times times;
	struct bridge_end end;
	pthread_t thread;
};

/* bridge_take: a record of the consumer; a word of the producer. arg is the bridge. */
void bridge_take_record(void *arg, const struct kafka_record *record);
void bridge_take_report(void *arg, uint64_t tag, struct err e);

/* bridge_turn: pauses and resumes what has to be, commits what moved, at most every 100 ms. */
void bridge_turn(struct bridge *bridge, int64_t now_ms);

/* Commits all that is done, and waits for it. */
void bridge_turn_commit_last(struct bridge *bridge);

#endif
