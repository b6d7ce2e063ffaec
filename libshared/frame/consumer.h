/*
 * The only Kafka loop of the tree. One thread polls, hands records to the schedule, commits what is
 * done, pauses partitions whose window is full, and decides at every assignment where to start by
 * comparing Kafka's commit with the progress row. It never waits for a handler.
 */
#ifndef ESTEIRA_FRAME_CONSUMER_H
#define ESTEIRA_FRAME_CONSUMER_H

#include "base/err.h"
#include "frame/health.h"
#include "frame/route.h"
#include "frame/schedule.h"

struct pg;
struct kafka_conf;
struct consumer;

struct consumer_conf {
	const struct kafka_conf *kafka;
	const char *group;
	const char *const *topics; /* full names */
	size_t topic_count;
	const struct route *routes;
	struct schedule *schedule;
	struct park *park;
	struct brake_table *brakes;
	const struct outbox_conf *outbox;
	int64_t replay_max; /* records a rewind may hold without confirmation */
	struct pg *pg;	    /* its own connection, role esteira_frame_<service>; borrowed */
	struct health *health;
	struct metrics *metrics;
};

/* How far the group is, of the partitions this process owns. */
struct consumer_view {
	size_t partitions;
	int64_t lag;	   /* records behind the high watermarks */
	int64_t runnable;  /* of them, those of partitions that are neither held nor braked */
	size_t rebalances; /* since start */
	int64_t commits;   /* since start */
	size_t held;	   /* partitions that wait for estctl replay confirm */
	size_t braked;	   /* partitions that stand still because most of their tenants fail */
	size_t cuts;	   /* times a log began behind our position: data was lost to us */
	int64_t still_ms;  /* the longest that a place with records behind it has not moved */
};

/* Joins the group. *conf is copied, what it points to is borrowed. ERR_FATAL bad-config. */
struct err consumer_open(const struct consumer_conf *conf, struct consumer **ret_consumer)
	ERR_MUST_USE;

/* The loop; returns after consumer_stop (ERR_OK), or ERR_FATAL. The thread that runs it is the only
 * one that uses the group. After consumer_drain it fetches nothing more but goes on committing. */
struct err consumer_run(struct consumer *consumer) ERR_MUST_USE;

void consumer_drain(struct consumer *consumer); /* any thread */
void consumer_stop(struct consumer *consumer);	/* any thread */

/* After consumer_run has returned, or if it never ran; NULL is fine. */
void consumer_free(struct consumer *consumer);

/* Appends a JSON array of the partitions that wait for estctl replay confirm: topic, partition and
 * the replay's id; the first 32. Any thread. */
struct buf;
void consumer_write_holds(struct consumer *consumer, struct buf *out);

void consumer_look(
	const struct consumer *consumer, struct consumer_view *ret_view); /* any thread */

#endif
