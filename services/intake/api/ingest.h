/*
 * The way of events from REST into Kafka: a thread of its own with an idempotent producer. A
 * request is a job that gives its records when asked for the next one, a slice at a time in turns,
 * so that a long batch holds nobody up. A job is over when the broker has all its records
 * (acks=all), when one of them failed, or after INGEST_WAIT_MS; it is answered then. Nothing is
 * written down here: what was not confirmed the client sends again, under the same ids.
 *
 * What ends in one round of the thread goes to the loop in one post.
 */
#ifndef ESTEIRA_INTAKE_API_INGEST_H
#define ESTEIRA_INTAKE_API_INGEST_H

#include "base/arena.h"
#include "base/err.h"
#include "port/kafka.h"

struct ingest;
struct ingest_job;
struct loop;

enum { INGEST_WAIT_MS = 5000, INGEST_JOBS_MAX = 2048 };

enum ingest_kind {
	INGEST_RECORD,
	INGEST_NOTHING, /* something was looked at, and gives no record */
	INGEST_END,	/* no more; next is not asked again */
};

struct ingest_item {
	enum ingest_kind kind;
	struct kafka_record record; /* of INGEST_RECORD */
};

/* The thread's own part of a job. */
struct ingest_state {
	struct ingest_job *prev, *next; /* all jobs, oldest first */
	struct ingest_job *turn_next;	/* those that have more to give */
	struct ingest_job *post_next;	/* those that the loop has to hear of */
	int64_t since_ms;
	size_t waiting; /* records that Kafka has not answered for */
	bool giving, answered;
	bool tell_done, tell_drop;
	struct err e;
};

/* Owned by the caller, untouched by him from ingest_submit to done, and alive until drop. */
struct ingest_job {
	/* The ingest thread. The record and what it borrows may live in arena, which is emptied
	 * before the next call. A failure ends the whole job with it; its message is static. */
	struct err (*next)(
		struct ingest_job *job, struct arena *arena, struct ingest_item *ret_item);
	/* On the loop, once. err_ok: the broker has everything next gave. ERR_RETRY kafka-away: not
	 * (all) of it, or nobody knows; shutting-down. What next returned. next is not called any
	 * more. */
	void (*done)(struct ingest_job *job, struct err e);
	/* On the loop, last: nothing points to the job any more. */
	void (*drop)(struct ingest_job *job);
	struct ingest_state state;
};

struct ingest_conf {
	struct loop *loop;
	struct kafka_conf kafka;
	size_t arena_bytes; /* of one record */
	/* The producer cannot be made (again): the process has to end. Ingest thread. */
	void (*fail)(void *arg, struct err e);
	void *arg;
};

/* Opens the producer and starts the thread. Everything in conf is borrowed. ERR_FATAL
 * out-of-memory, bad-config. */
struct err ingest_open(const struct ingest_conf *conf, struct ingest **ret_ingest) ERR_MUST_USE;

/* next, done and drop are set. ERR_RETRY overloaded: INGEST_JOBS_MAX are under way; shutting-down.
 * Nothing will be called then. Loop thread. */
struct err ingest_submit(struct ingest *ingest, struct ingest_job *job) ERR_MUST_USE;

/* Ends what is under way with shutting-down (on the loop) and the thread. Any thread but the
 * loop's, which runs. NULL is fine. */
void ingest_stop(struct ingest *ingest);

/* After ingest_stop, when the loop has run what was posted. NULL is fine. */
void ingest_free(struct ingest *ingest);

#endif
