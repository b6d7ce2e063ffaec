/*
 * Dead letters of one tenant in the schemas of all services, by their v1_dead_letters views, and
 * his decisions about them by the functions that know whose transaction it is. Rows and texts live
 * in the arena. Failures of every function: those of pg_query.
 */
#ifndef ESTEIRA_INTAKE_API_DEADLETTERS_STORE_H
#define ESTEIRA_INTAKE_API_DEADLETTERS_STORE_H

#include "api/cursor.h"
#include "api/deadletters.h"
#include "base/arena.h"
#include "frame/outbox.h"

struct pg;

struct deadletters_store_page {
	struct tenant tenant;
	const char *state, *class; /* NULL = any */
	struct cursor after;
	int64_t limit;
};

struct deadletters_store_list {
	struct deadletters_view *letters;
	int64_t *created_us;
	size_t count;
};

/* Newest first. In a transaction of api_store_begin. */
struct err deadletters_store_list(struct pg *pg, struct arena *arena,
	const struct deadletters_store_page *page, struct deadletters_store_list *ret_list)
	ERR_MUST_USE;

/* In a transaction of api_store_begin. ERR_REJECT not-found. */
struct err deadletters_store_get(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct id id, struct deadletters_view *ret_letter) ERR_MUST_USE;

struct deadletters_store_decision {
	struct tenant tenant;
	struct id id;
	bool discard; /* else redrive */
	const uint8_t
		*key_hash; /* DIGEST_BYTES of the API key that asks: its id goes into the audit */
	const char *traceparent, *slug;
};

/* One transaction: the letter, and the audit entry. ERR_REJECT not-found; not-open: it was decided
 * before. */
struct err deadletters_store_decide(struct pg *pg, struct arena *arena,
	const struct deadletters_store_decision *decision, const struct outbox_conf *outbox)
	ERR_MUST_USE;

#endif
