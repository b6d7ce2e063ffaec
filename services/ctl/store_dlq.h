/*
 * Dead letters, in the schema of the service that gave up. A decision is one transaction with an
 * audit entry for each letter, which leaves by that service's outbox. Same role, rules and failures
 * as store.h.
 */
#ifndef ESTEIRA_CTL_STORE_DLQ_H
#define ESTEIRA_CTL_STORE_DLQ_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/outbox.h"
#include "model/codec.h"
#include "model/tenant.h"

struct pg;

/* Those for which all that is given is true. */
struct store_dlq_filter {
	struct id id; /* nil = any */
	bool has_tenant;
	struct tenant tenant;
	const char *topic, *class, *code, *state; /* NULL = any */
	int64_t from_ms, to_ms;			  /* created, wall ms, to excluded; CODEC_NO_INT */
	int64_t limit;
	bool oldest;	 /* first, else the newest */
	bool redrivable; /* with oldest: only what names an event and a tenant */
};

/* A letter as listed; store_dlq_letters is the table of the struct. tenant: its slug, or its id
 * when there is no such tenant; NULL when the record named none. */
struct store_dlq_letter {
	const char *service, *id, *tenant, *topic;
	int64_t partition, offset;
	const char *class, *code, *state;
	int64_t attempts, redrives;
	int64_t created_at, updated_at; /* wall ms */
	const char *decided_by;
};
extern const struct codec_type store_dlq_letters;
struct err store_dlq_list(struct pg *pg, struct arena *arena, const char *service,
	const struct store_dlq_filter *filter, struct codec_list *ret_rows) ERR_MUST_USE;

/* What is not in a list. Absent texts are NULL, absent bytes have ptr NULL. */
struct store_dlq_detail {
	const char *event_id, *ordering_key, *group, *message, *version;
	int64_t epoch, first_failed_at; /* CODEC_NO_INT */
	bool blocks;
	struct str headers, key, payload; /* headers packed (model/envelope.h) */
};
/* Of a letter that was listed. *ret_found false: it is gone. */
struct err store_dlq_read(struct pg *pg, struct arena *arena, const struct store_dlq_letter *letter,
	struct store_dlq_detail *ret_detail, bool *ret_found) ERR_MUST_USE;

/* How many there are of a kind; store_dlq_stats is the table of the struct. */
struct store_dlq_stat {
	const char *service, *topic, *class, *code, *state;
	int64_t count, oldest; /* oldest: wall ms */
};
extern const struct codec_type store_dlq_stats;
struct err store_dlq_count(struct pg *pg, struct arena *arena, const char *service,
	const struct store_dlq_filter *filter, struct codec_list *ret_rows) ERR_MUST_USE;

struct store_dlq_decision {
	const char *service;
	bool discard;	 /* else redrive */
	const char *who; /* 1 to OPERATION_TEXT_MAX bytes */
	const struct id *ids;
	size_t count;
};

/* How letters took a decision. refused: it names no event or no
 * tenant, so that no lane is its own. */
struct store_dlq_outcome {
	int64_t done, not_open, refused;
};
extern const struct codec_type store_dlq_outcomes;
/* Adds to *outcome. */
struct err store_dlq_decide(struct pg *pg, struct arena *arena,
	const struct store_dlq_decision *decision, const struct outbox_conf *outbox,
	struct store_dlq_outcome *outcome) ERR_MUST_USE;

#endif
