/*
 * What outreach's views say about deliveries of one tenant. The transaction and its tenant are the
 * caller's; nothing is written; rows and texts live in the arena. Failures of all: those of
 * pg_query, ERR_REJECT record-too-large when the arena is full. Any thread.
 */
#ifndef ESTEIRA_INTAKE_WEBHOOK_DELIVERIES_STORE_H
#define ESTEIRA_INTAKE_WEBHOOK_DELIVERIES_STORE_H

#include "api/cursor.h"
#include "base/arena.h"
#include "model/codec.h"
#include "webhook/store.h"

struct pg;

enum { DELIVERIES_STORE_ATTEMPTS_MAX = 200 };

/* Absent values as in model/codec.h. */
struct webhook_attempt {
	int64_t number, at;
	int64_t status; /* of the answer; absent: there was none */
	const char *error_code;
	int64_t took_ms;
};

struct webhook_delivery {
	struct id delivery_id, event_id;
	const char *event_type, *state;
	int64_t attempts, last_status;
	const char *last_error;
	int64_t created_at, updated_at, delivered_at;
	struct codec_list attempt_list; /* struct webhook_attempt, the newest first */
};

struct deliveries_store_page {
	struct webhook_ref endpoint;
	const char *state; /* NULL = any */
	struct cursor after;
	int64_t limit;
};

struct deliveries_store_list {
	struct webhook_delivery *items; /* without their attempts */
	int64_t *created_us;
	size_t count;
};

/* Newest first. */
struct err deliveries_store_list(struct pg *pg, struct arena *arena,
	const struct deliveries_store_page *page, struct deliveries_store_list *ret_list)
	ERR_MUST_USE;

/* One of this endpoint, without its attempts. ERR_REJECT not-found. */
struct err deliveries_store_get(struct pg *pg, struct arena *arena,
	const struct webhook_ref *endpoint, struct id delivery_id,
	struct webhook_delivery *ret_delivery) ERR_MUST_USE;

/* The newest DELIVERIES_STORE_ATTEMPTS_MAX into delivery->attempt_list. */
struct err deliveries_store_attempts(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct webhook_delivery *delivery) ERR_MUST_USE;

/* How an endpoint does. Times are CODEC_NO_INT when there is none. */
struct webhook_health {
	struct id id;
	const char *url, *state, *disabled_reason;
	int64_t pending, oldest_pending_s; /* age of the oldest event that waits */
	int64_t delivered_24h, failed_attempts_24h;
	int64_t last_delivered_at;
	int64_t last_failed_at; /* within 24 hours */
};

struct webhook_healths {
	struct webhook_health *items;
	size_t count;
};

/* All endpoints of the tenant, by age. */
struct err deliveries_store_health(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct webhook_healths *ret_healths) ERR_MUST_USE;

#endif
