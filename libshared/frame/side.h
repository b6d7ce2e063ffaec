/*
 * The private reader of side replays: reads ranges of partitions that this process owns beside the
 * group, so that neither the group's position nor anybody's lag knows of it. Open only while there
 * is something to read. Decodes nothing: a record goes to the consumer's callback, which puts it
 * into the schedule; what is handled there is written down as the replay's progress. Poll thread.
 */
#ifndef ESTEIRA_FRAME_SIDE_H
#define ESTEIRA_FRAME_SIDE_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/outbox.h"
#include "frame/replay.h"
#include "frame/schedule.h"

struct kafka_conf;
struct kafka_record;
struct pg;
struct side;

struct side_conf {
	const struct kafka_conf *kafka;
	struct schedule *schedule;
	struct pg *pg; /* between transactions of others */
	const struct outbox_conf *outbox;
	/* A record of the range and of the replay's tenant: to be given to schedule_add or
	 * schedule_pass with this source. Its epoch is replay_epoch's, not always replay->id. */
	void (*record)(void *arg, struct partition *source, const struct replay *replay,
		const struct kafka_record *record);
	void *arg;
};

/* A side replay of a partition we own, and where its records come from: a SOURCE_SIDE of its own.
 */
struct side_item {
	struct replay replay; /* topic: interned by the consumer, outlives the side */
	struct partition *source;
};

enum { SIDE_MAX = 1024 };

/* *conf is copied, what it points to borrowed. NULL without memory. */
struct side *side_new(const struct side_conf *conf);
void side_free(struct side *side); /* NULL is fine */

/*
 * What there is to read, as replay_load says now; call it whenever that may have changed, with the
 * same source for the same replay. Items of other kinds and states than side and open are not read:
 * a paused one stops where it is, an aborted one ends. What is in the schedule already is handled
 * all the same. With count 0 everything stops: call it so before schedule_revoke. At most SIDE_MAX
 * items, what is over waits.
 */
void side_set(struct side *side, const struct side_item *items, size_t count);

/*
 * One turn, without waiting: reads what the sources have room for and the rates allow, writes down
 * how far each is (once a second), finishes those that are through. At most KAFKA_READER_MAX
 * partitions at a time, of one partition the oldest replay first. Failures: those of pg_query and
 * kafka_reader_open; to be called again.
 */
struct err side_poll(struct side *side, struct arena *arena) ERR_MUST_USE;

/* Replays that are not finished: whether side_poll has anything to do. */
size_t side_active(const struct side *side);

/* PURE: thousandths of records that may be read now, elapsed_ms after `credit` was left; never more
 * than a tenth of a second's (or one record and the fraction of the next). */
int64_t side_refill(int rate, int64_t credit, int64_t elapsed_ms);

#endif
