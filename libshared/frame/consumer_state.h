/*
 * What the files of the consumer share: its state, touched by the poll thread alone but for the
 * counts. consumer.c is the loop, consumer_assign takes and gives back partitions, consumer_commit
 * tells Postgres and Kafka how far we are, consumer_log notices a log that was cut or made anew,
 * consumer_replay knows what is read again.
 */
#ifndef ESTEIRA_FRAME_CONSUMER_STATE_H
#define ESTEIRA_FRAME_CONSUMER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "frame/consumer.h"
#include "frame/feed.h"
#include "frame/replay.h"
#include "frame/side.h"
#include "port/kafka.h"

enum { CONSUMER_PARTITIONS_MAX = 1024 };

/* A partition we own, as the poll thread sees it. */
struct consumer_owned {
	struct partition *partition; /* its log */
	int64_t committed;
	int64_t timeline; /* of Postgres when we took it */
	bool paused, braked;
	bool unclean;	 /* its last owner died: what is parked or read beside is suspect too */
	bool sought;	 /* nothing was read since we moved it: the library's position is old */
	int64_t held_by; /* the replay that waits for confirmation; 0 = none */
	struct {
		int64_t start;	   /* where to go on when the move is confirmed */
		int64_t otherwise; /* when it is refused */
	} held;
	struct {
		int64_t at;	  /* committed, when it was last looked at */
		int64_t since_ms; /* monotonic; it has been there */
	} still;
	int64_t suspect_to; /* offsets below may end the process; 0 = none */
	int64_t back_to;    /* it began anew here, below what was to come; KAFKA_NO_OFFSET = no */
	int64_t gap_from;   /* it went on far behind this; KAFKA_NO_OFFSET = no */
	int64_t odd_ms;	    /* since when its end is not where we are, and nothing comes; 0 = no */
};

/* A partition that waits for a decision. */
struct consumer_hold {
	const char *topic;
	int32_t partition;
	int64_t replay;
};

enum { CONSUMER_HOLDS_MAX = 32 };

/* The source of a side replay. */
struct consumer_side {
	int64_t replay;
	struct partition *source;
};

enum { CONSUMER_SIDES_MAX = 1024 };

/* Side replays of what we own. */
struct consumer_sides {
	struct side *reader;
	size_t count;
	struct consumer_side items[CONSUMER_SIDES_MAX];
};

/* What other threads may look at. */
struct consumer_counts {
	pthread_mutex_t lock; /* of holds */
	size_t hold_count;    /* listed; held says how many there are */
	struct consumer_hold holds[CONSUMER_HOLDS_MAX];
	_Atomic size_t partitions, rebalances, held, braked, cuts;
	_Atomic int64_t lag, runnable, commits, still_ms;
	struct metric *passed; /* records of types that nobody here takes */
};

struct consumer_replays {
	struct arena *arena, *spare; /* the list's, and the next one's */
	struct replay_list list;
};

/* When things were done last, or are to be done next (monotonic). */
struct consumer_times {
	int64_t commit_ms, turn_ms, replays_ms, feed_ms, log_ms;
};

struct consumer {
	struct consumer_conf conf;
	struct kafka_consumer *kafka;
	struct feed *feed;
	struct consumer_sides sides;
	struct arena *arena;
	struct consumer_replays replays; /* of what we own */
	char cluster[64];
	struct consumer_owned owned[CONSUMER_PARTITIONS_MAX];
	size_t owned_count;
	struct consumer_times times;
	struct err fatal;
	_Atomic bool draining, stopping;
	struct consumer_counts counts;
};

/* The partition of ours with that (interned) topic and number, or NULL. */
struct consumer_owned *consumer_state_find(
	struct consumer *consumer, const char *topic, int32_t partition);

/* A failure of the poll thread's own calls: fatal, or told to health. */
void consumer_state_tell(struct consumer *consumer, struct err e);

/* consumer_assign: callbacks of port/kafka. */
void consumer_assign_given(void *arg, struct kafka_place *places, size_t count);
void consumer_assign_taken(void *arg, const struct kafka_place *places, size_t count, bool lost);

/* consumer_commit: commits what moved, at most every 100 ms or at once when drained; last: now, and
 * we leave in order. Failures are told. */
void consumer_commit_turn(struct consumer *consumer, bool last);
/* Callback of port/kafka: commits came to nothing, and are made again. */
void consumer_commit_failed(
	void *arg, const struct kafka_place *places, size_t count, struct err e);

/* consumer_replay: looks once a second for what a person has decided, and ends what is through. */
void consumer_replay_turn(struct consumer *consumer);

/* Learns the replays of what we own; before the first record of an assignment. */
struct err consumer_replay_load(struct consumer *consumer) ERR_MUST_USE;

/* consumer_side: reads beside the group what side replays ask for. */
struct err consumer_side_open(struct consumer *consumer) ERR_MUST_USE;
void consumer_side_close(struct consumer *consumer);
/* The list of replays is new. */
void consumer_side_sync(struct consumer *consumer);
void consumer_side_turn(struct consumer *consumer);
/* Everything is taken. */
void consumer_side_clear(struct consumer *consumer);

/* consumer_log: is this what was to come? False: the log began anew, the record is read again. */
bool consumer_log_goes_on(struct consumer_owned *owned, int64_t offset);
/* Reads on from there. */
struct err consumer_log_move(struct consumer *consumer, struct consumer_owned *owned, int64_t to)
	ERR_MUST_USE;
/* Once a second: what is odd is asked of the broker, and mended. */
void consumer_log_turn(struct consumer *consumer);

/* A copy of the record for the schedule with its route; NULL: pass it over, nobody here takes its
 * type (or, fatal, no memory). */
struct record *consumer_record(struct consumer *consumer, const struct kafka_record *record);

/* The epoch of a record just read. */
int64_t consumer_replay_epoch(const struct consumer *consumer, const struct kafka_record *record);

#endif
