/*
 * Events leave a service through its outbox table, in the transaction that made them true. An
 * outbox collects what the records of one transaction emit and writes it with one statement;
 * frame/relay publishes. Ids are deterministic, so that publishing twice is harmless.
 */
#ifndef ESTEIRA_FRAME_OUTBOX_H
#define ESTEIRA_FRAME_OUTBOX_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/topic.h"
#include "model/codec.h"
#include "model/envelope.h"

struct pg;
struct outbox;

/* One event to be. payload is a struct of type. */
struct outbox_event {
	enum topic topic;
	struct id id; /* outbox_id() of what it follows from */
	const struct codec_type *type;
	const void *payload;
	struct tenant tenant;
	const char *ordering_key; /* NULL = the tenant */
	enum codec_sink sink;	  /* CODEC_TO_TOPIC, or CODEC_TO_JOBS on ocr.jobs */
};

/* Where it belongs and who writes: "/esteira/<service>". */
struct outbox_conf {
	const struct topic_space *space;
	const char *service;
};

/* Empty; lives in the arena. NULL when that is full. conf must outlive it. */
struct outbox *outbox_new(struct arena *arena, const struct outbox_conf *conf);

/* What the following events follow from: their trace and their tenant's slug, for logs; each NULL =
 * none. Borrowed. */
void outbox_set_origin(struct outbox *outbox, const char *traceparent, const char *slug);

/* UUIDv5 of the suite's name space over parts, e.g. (job id, type). */
struct id outbox_id(const struct str *parts, size_t count);

/* Collects. Failures: those of codec_write, ERR_REJECT record-too-large. */
struct err outbox_emit(struct outbox *outbox, const struct outbox_event *event) ERR_MUST_USE;

/* Collects a record as it is, for dead letters. Everything borrowed until the flush. */
struct outbox_copy {
	const char *topic;
	int32_t partition;
	struct id id;
	struct tenant tenant;
	struct str key, headers, payload; /* headers packed (model/envelope.h) */
};
struct err outbox_copy(struct outbox *outbox, const struct outbox_copy *copy) ERR_MUST_USE;

/* Queues one INSERT of everything collected (nothing when empty); the transaction is the caller's.
 */
struct err outbox_flush(struct outbox *outbox, struct pg *pg) ERR_MUST_USE;

size_t outbox_count(const struct outbox *outbox);

/* 8 bytes of the SHA-256 of each payload collected since `from`, for the inbox row. */
struct err outbox_hashes(const struct outbox *outbox, size_t from, struct arena *arena,
	struct str *ret_hashes) ERR_MUST_USE;

/*
 * In a replay: of the events collected since `from`, drops those whose hash is the one of the same
 * place in `old` (8 bytes per output of epoch 0, as outbox_hashes made them) and gives the others a
 * new id (UUIDv5 of the id they had and the epoch) with ce_supersedes = the id they had. old.ptr
 * NULL: nothing is known of epoch 0, all are different. Copies (dead letters) stay as they are and
 * are not counted. Take outbox_hashes of the records before. Failures: the arena is full.
 */
struct outbox_reconciled {
	int64_t same, different;
};
struct err outbox_reconcile(struct outbox *outbox, size_t from, struct str old, int64_t epoch,
	struct outbox_reconciled *ret_reconciled) ERR_MUST_USE;

#endif
