/*
 * Erases a tenant from a service's tables: driven by the state in the database (frame/halt), not by
 * an event that could be lost or come twice, so that whoever is killed goes on at the next start.
 * What of it happened is a row of <schema>.erasures, counted in the transactions of the deletions;
 * intake reads all of them and ends it. See docs/decisions/0025-erasure.md and docs/tenants.md.
 */
#ifndef ESTEIRA_FRAME_ERASE_H
#define ESTEIRA_FRAME_ERASE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/tenant.h"

struct halt;
struct metric;
struct pg;
struct pg_conf;
struct pg_statement;

/* What is personal in one table. $1: the tenant, set as the transaction's too; deletes at most
 * ERASE_BATCH rows and answers how many, in one row. */
struct erase_step {
	const char *what; /* as it is counted: the table's name */
	const struct pg_statement *statement;
};

enum { ERASE_BATCH = 1000 };

/* A statement of a step for a table that is the role's to delete from. */
#define ERASE_ROWS(table)                                                                          \
	"WITH gone AS (DELETE FROM " table " WHERE ctid = ANY (ARRAY(SELECT ctid FROM " table      \
	" WHERE tenant_id = $1 LIMIT 1000)) RETURNING 1) SELECT count(*) FROM gone"

/* One tenant's turn. */
struct erase_call {
	void *state;   /* the service's own */
	struct pg *pg; /* of esteira_<service>, outside of a transaction */
	struct arena *arena;
	struct tenant tenant;
};

/* What a service keeps beside the frame's tables. */
struct erase_plan {
	bool outlives; /* its records are those of the trail: handled whatever became of the tenant
			*/
	/* In order, until statement NULL; NULL: none. The first ones as soon as it is known, the
	 * others when everything else is gone and nobody writes any more. */
	const struct erase_step *first, *steps;
	/* What has to go before the rows that say where it is. Called about once a second until
	 * *ret_ready. NULL: nothing. */
	struct err (*before)(const struct erase_call *call, bool *ret_ready);
	/* Once this service is through, about once a second until the tenant is erased. NULL:
	 * nothing. */
	struct err (*after)(const struct erase_call *call);
};

struct erase_conf {
	const struct erase_plan *plan; /* NULL: the frame's tables alone */
	const struct pg_conf *pg;      /* esteira_<service> */
	struct halt *halt;
	void *state;
	void (*fail)(void *arg, struct err e); /* a failure that will not heal; any thread */
	void *arg;
};

struct erase;

/* A thread of its own, with a connection only while there is something to erase. Everything is
 * borrowed; the plan copied. ERR_FATAL out-of-memory. */
struct err erase_open(const struct erase_conf *conf, struct erase **ret_erase) ERR_MUST_USE;

/* Ends it between two transactions. Any other thread, while the loop runs. NULL is fine. */
void erase_close(struct erase *erase);

#endif
