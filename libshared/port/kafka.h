/*
 * librdkafka's handles behind ours: one consumer and one producer per process. No policy: what to
 * commit, when to pause and what a rebalance means is frame/consumer's; what to publish is
 * frame/relay's. The server-sized memory defaults of the library are set down here (kafka.c has the
 * table with the reasons).
 */
#ifndef ESTEIRA_PORT_KAFKA_H
#define ESTEIRA_PORT_KAFKA_H

#include "base/err.h"
#include "base/str.h"
#include "model/envelope.h"

struct kafka_security;

/* What a broker did not allow, or how it could not be believed. Given by whichever thread polls the
 * handle; texts borrowed for the call. */
enum kafka_trouble_kind {
	KAFKA_TROUBLE_READ,    /* about: a topic */
	KAFKA_TROUBLE_WRITE,   /* about: a topic */
	KAFKA_TROUBLE_GROUP,   /* about: "" */
	KAFKA_TROUBLE_CONNECT, /* about: ""; certificates, passwords */
	KAFKA_TROUBLE_JOINED,  /* none: the group has taken us */
};
struct kafka_trouble {
	enum kafka_trouble_kind kind;
	const char *about;
	struct err e;
	const char *text; /* the library's words */
};

/* Who is told. */
struct kafka_ear {
	void (*fn)(void *arg, const struct kafka_trouble *trouble); /* NULL: nobody */
	void *arg;
};

struct kafka_conf {
	const char *brokers;		       /* host:port,host:port */
	const char *client;		       /* client.id */
	const struct kafka_security *security; /* borrowed for as long as handles are made; NULL:
						  plaintext */
	struct kafka_ear ear;		       /* consumers and producers tell it */
	int session_ms;			       /* consumer: session.timeout.ms */
	int max_poll_ms;		       /* consumer: max.poll.interval.ms */
	int linger_ms;			       /* producer: how long records gather; 0 = 1 ms */
	int batch_records;		       /* producer: so many wait no longer; 0 = 10,000 */
	int metadata_ms; /* consumer: how soon a topic made later is found; 0 = 5 minutes */
};

enum { KAFKA_TOPIC_BYTES = 250, KAFKA_METADATA_BYTES = 128 };

/* A partition and a position in it. topic is interned by the consumer: pointers of equal topics are
 * equal and live as long as it. */
struct kafka_place {
	const char *topic;
	int32_t partition;
	int64_t offset;			     /* KAFKA_NO_OFFSET when there is none */
	char metadata[KAFKA_METADATA_BYTES]; /* of a committed offset; "" when none */
};

#define KAFKA_NO_OFFSET INT64_C(-1001)
#define KAFKA_EARLIEST	INT64_C(-2)
#define KAFKA_LATEST	INT64_C(-1)

enum { KAFKA_BY_KEY = -1 };

struct kafka_record {
	const char *topic;
	int32_t partition;
	int64_t offset;
	int64_t time_ms; /* wall clock, of the broker; read by kafka_reader_poll, else 0 = unknown
			  */
	struct str key, value;
	struct headers headers; /* names and values borrowed, like key and value, until the callback
				   returns */
};

/* --- consumer: every function on the thread that polls --- */

struct kafka_consumer;

struct kafka_consumer_events {
	/* Partitions given to us (eager: all of them): set places[i].offset to where reading
	 * starts. */
	void (*assigned)(void *arg, struct kafka_place *places, size_t count);
	/* All partitions are about to be taken; lost: they are gone already, commits would fail. */
	void (*revoked)(void *arg, const struct kafka_place *places, size_t count, bool lost);
	/* A position the log does not have (expired, truncated, made anew) becomes its beginning
	 * without a word: what comes then is not what was to come. */
	void (*record)(void *arg, const struct kafka_record *record);
	/* A commit came to nothing, after what the library tried; places as they were to be
	 * committed. Of one that was waited for it says what the call said. May be NULL. */
	void (*uncommitted)(
		void *arg, const struct kafka_place *places, size_t count, struct err e);
};

/* Joins the group and subscribes. Everything is copied but events, which must outlive the consumer.
 * ERR_FATAL bad-config. */
struct kafka_subscription {
	const char *group;
	const char *const *topics;
	size_t topic_count;
};
struct err kafka_consumer_open(const struct kafka_conf *conf,
	const struct kafka_subscription *subscription, const struct kafka_consumer_events *events,
	void *arg, struct kafka_consumer **ret_consumer) ERR_MUST_USE;

/* From now on these topics and no others; the old list's partitions are revoked while the consumer
 * is polled, and none may be left over. What does not exist (yet) stops nobody. ERR_FATAL
 * out-of-memory; ERR_RETRY kafka-away. */
struct err kafka_consumer_subscribe(struct kafka_consumer *consumer, const char *const *topics,
	size_t topic_count) ERR_MUST_USE;

/* Leaves the group (revoked is called) and frees. NULL is fine. */
void kafka_consumer_close(struct kafka_consumer *consumer);

/* Serves callbacks for up to timeout_ms or one record. ERR_FATAL kafka-away after a fatal error of
 * the library. */
struct err kafka_consumer_poll(struct kafka_consumer *consumer, int timeout_ms) ERR_MUST_USE;

struct err kafka_consumer_pause(struct kafka_consumer *consumer, const char *topic,
	int32_t partition, bool paused) ERR_MUST_USE;
struct err kafka_consumer_seek(struct kafka_consumer *consumer, const struct kafka_place *place)
	ERR_MUST_USE;

/* Fills offset and metadata of what the group has committed. ERR_RETRY kafka-away. */
struct err kafka_consumer_committed(struct kafka_consumer *consumer, struct kafka_place *places,
	size_t count, int timeout_ms) ERR_MUST_USE;

/* Commits offsets with their metadata; wait = until the broker has answered. ERR_RETRY kafka-away.
 * Without wait a later failure is told by events->uncommitted. */
struct err kafka_consumer_commit(struct kafka_consumer *consumer, const struct kafka_place *places,
	size_t count, bool wait) ERR_MUST_USE;

/* The offset after the last record (or control record) that was polled; KAFKA_NO_OFFSET before any.
 */
int64_t kafka_consumer_position(
	struct kafka_consumer *consumer, const char *topic, int32_t partition);

/* The low and high watermarks the library knows from its last fetch; false when unknown. */
bool kafka_consumer_watermarks(struct kafka_consumer *consumer, const char *topic,
	int32_t partition, int64_t *ret_low, int64_t *ret_high);

/* The same, asked of the broker. ERR_RETRY kafka-away. */
struct err kafka_consumer_ask_watermarks(struct kafka_consumer *consumer,
	const struct kafka_place *place, int timeout_ms, int64_t *ret_low, int64_t *ret_high)
	ERR_MUST_USE;

/* The cluster's id; ERR_RETRY kafka-away. ret_id takes 64 bytes. */
struct err kafka_consumer_cluster(struct kafka_consumer *consumer, int timeout_ms, char *ret_id)
	ERR_MUST_USE;

/* --- reader: partitions read from an offset on, beside any group and without joining one; nothing
 * is committed. Each partition is polled by itself, so who is not polled costs no more than what
 * was fetched ahead (1 MB). One thread. --- */

struct kafka_reader;

enum kafka_reader_found {
	KAFKA_READER_NOTHING, /* yet */
	KAFKA_READER_RECORD,
	KAFKA_READER_END,	   /* all that is committed was read */
	KAFKA_READER_OUT_OF_RANGE, /* no data there (expired or truncated): start elsewhere */
};

/* ERR_FATAL bad-config. */
struct err kafka_reader_open(const struct kafka_conf *conf, struct kafka_reader **ret_reader)
	ERR_MUST_USE;
/* Stops all. NULL is fine. */
void kafka_reader_close(struct kafka_reader *reader);

/* Begins to read place->partition of place->topic (both borrowed until kafka_reader_stop) at
 * place->offset, which may be KAFKA_EARLIEST or KAFKA_LATEST. At most KAFKA_READER_MAX at a time:
 * ERR_RETRY try-again. ERR_RETRY kafka-away. */
enum { KAFKA_READER_MAX = 16 };
struct err kafka_reader_start(struct kafka_reader *reader, const struct kafka_place *place)
	ERR_MUST_USE;
/* What is not being read is fine. */
void kafka_reader_stop(struct kafka_reader *reader, const char *topic, int32_t partition);

/* One look, without waiting. A record is given to fn, its texts borrowed for the call. Trouble with
 * brokers is the library's to mend: KAFKA_READER_NOTHING. */
enum kafka_reader_found kafka_reader_poll(struct kafka_reader *reader, const char *topic,
	int32_t partition, void (*fn)(void *arg, const struct kafka_record *record), void *arg);

/* Where the log of a partition begins and ends (for read_committed readers: the last stable
 * offset). Blocks for up to timeout_ms. ERR_RETRY kafka-away. */
struct err kafka_reader_range(struct kafka_reader *reader, const struct kafka_place *place,
	int timeout_ms, int64_t *ret_low, int64_t *ret_high) ERR_MUST_USE;

/* Sets the offset of each place to its first record of that time (wall ms) or later, or to
 * KAFKA_NO_OFFSET when there is none. Blocks for up to timeout_ms. ERR_RETRY kafka-away. */
struct err kafka_reader_find_time(struct kafka_reader *reader, struct kafka_place *places,
	size_t count, int64_t time_ms, int timeout_ms) ERR_MUST_USE;

/* --- producer: idempotent, acks=all, messages never time out; one thread --- */

struct kafka_producer;

/* The broker has (ERR_OK) or will never have (else) the record produced with this tag. Called by
 * kafka_producer_poll. */
typedef void kafka_delivered_fn(void *arg, uint64_t tag, struct err e);

struct err kafka_producer_open(const struct kafka_conf *conf, kafka_delivered_fn *delivered,
	void *arg, struct kafka_producer **ret_producer) ERR_MUST_USE;
/* Forgets what is not delivered. NULL is fine. */
void kafka_producer_close(struct kafka_producer *producer);

/* Copies the record into the send queue; partition KAFKA_BY_KEY: the library chooses, the same one
 * for the same key. ERR_RETRY try-again: the queue is full, poll first.
 * ERR_REJECT record-too-large. ERR_RETRY kafka-away: topic or partition does not exist (yet). */
struct err kafka_producer_send(struct kafka_producer *producer, const struct kafka_record *record,
	uint64_t tag) ERR_MUST_USE;

/* One round trip to a broker, whichever answers; *ret_took_us is its time. Blocks for up to
 * timeout_ms. ERR_RETRY kafka-away. */
struct err kafka_producer_ping(
	struct kafka_producer *producer, int timeout_ms, int64_t *ret_took_us) ERR_MUST_USE;

/* Serves delivery reports for up to timeout_ms. ERR_FATAL kafka-away: the handle is beyond use,
 * close it and open another. */
struct err kafka_producer_poll(struct kafka_producer *producer, int timeout_ms) ERR_MUST_USE;

/* Ends a kafka_producer_poll that waits, or the next one at once. Any thread, while the handle is
 * open. */
void kafka_producer_wake(struct kafka_producer *producer);

#endif
