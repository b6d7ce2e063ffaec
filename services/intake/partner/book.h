/*
 * Who may act for whom: the active partners and the active tenants each was granted, as Postgres
 * said at most a few seconds ago. A thread of its own reads them anew every 5 s (role
 * esteira_frame_intake); while Postgres is away the last reading stays. Who asks never waits for a
 * server.
 */
#ifndef ESTEIRA_INTAKE_PARTNER_BOOK_H
#define ESTEIRA_INTAKE_PARTNER_BOOK_H

#include "base/arena.h"
#include "base/err.h"
#include "model/tenant.h"

struct pg_conf;
struct partner_book;

enum { PARTNER_SLUG_BYTES = 64 };

enum partner_answer {
	PARTNER_GRANTED,
	PARTNER_UNKNOWN,    /* there is no such partner, or no longer */
	PARTNER_NOT_THEIRS, /* it may not act for a tenant of that name, if there is one at all */
};

/* A tenant as its partners know it. */
struct partner_tenant {
	struct tenant tenant;
	char slug[PARTNER_SLUG_BYTES];
};

/* Without a thread; nobody is known. NULL without memory. */
struct partner_book *partner_book_new(void);

/* Starts the thread. pg is borrowed. ERR_FATAL out-of-memory. */
struct err partner_book_start(struct partner_book *book, const struct pg_conf *pg) ERR_MUST_USE;

/* Ends the thread, if there is one, and frees; a question under way ends first. NULL is fine. */
void partner_book_free(struct partner_book *book);

/* May partner (a slug) act for the tenant called slug? *ret_tenant is set for PARTNER_GRANTED. Any
 * thread. */
enum partner_answer partner_book_find(struct partner_book *book, const char *partner,
	const char *slug, struct partner_tenant *ret_tenant);

/* The active partners' slugs, sorted, in the arena. ERR_REJECT record-too-large: the arena is full.
 * Any thread. */
struct partner_slugs {
	const char *const *items;
	size_t count;
};
struct err partner_book_slugs(struct partner_book *book, struct arena *arena,
	struct partner_slugs *ret_slugs) ERR_MUST_USE;

/* Another number whenever the list of active partners is another; 0 before the first reading. Any
 * thread. */
unsigned partner_book_version(struct partner_book *book);

/* A reading: an active partner with one of its tenants, slug "" when it has none. */
struct partner_row {
	char partner[PARTNER_SLUG_BYTES];
	struct partner_tenant tenant;
};

/* What everybody sees from now on: rows sorted by partner, then by the tenant's slug (strcmp),
 * copied. ERR_FATAL out-of-memory: nothing has changed. Any thread; what the book's own calls. */
struct err partner_book_take(
	struct partner_book *book, const struct partner_row *rows, size_t count) ERR_MUST_USE;

#endif
