/*
 * What intake knows of a tenant who is being erased. Every function runs in the caller's
 * transaction with the tenant set; writes are queued unless something is answered. Failures: those
 * of port/pg. The eraser's thread.
 */
#ifndef ESTEIRA_INTAKE_TENANT_STORE_H
#define ESTEIRA_INTAKE_TENANT_STORE_H

#include "base/arena.h"
#include "frame/erase.h"
#include "model/tenant.h"

struct pg;

/* The wrapped keys are destroyed first: from then on nothing opens that was sealed for the tenant.
 */
extern const struct erase_step tenant_first[];
/* The other tables of intake, in the order in which their rows go. */
extern const struct erase_step tenant_steps[];

enum { TENANT_STORE_JOBS_MAX = 500 };

/* Jobs that are not finished, or whose result can still be fetched; oldest first. */
struct tenant_store_jobs {
	struct id ids[TENANT_STORE_JOBS_MAX];
	size_t count;
	const char *slug; /* the tenant's; in the arena */
};
struct err tenant_store_open_jobs(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct tenant_store_jobs *ret_jobs) ERR_MUST_USE;

/* Makes their purges due; *ret_left: documents that are not purged yet. */
struct err tenant_store_hasten(
	struct pg *pg, struct arena *arena, struct tenant tenant, int64_t *ret_left) ERR_MUST_USE;

/* What the services have confirmed. */
struct tenant_store_proof {
	bool complete;	  /* all of them */
	int64_t rows;	  /* deleted, by all */
	const char *hash; /* hex SHA-256 of "service counts" lines, sorted; in the arena */
	const char *text; /* rows by service, for people; in the arena */
};
struct err tenant_store_proof(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct tenant_store_proof *ret_proof) ERR_MUST_USE;

/* erasing -> erased. *ret_slug NULL: somebody else did it. */
struct err tenant_store_end(struct pg *pg, struct arena *arena, const char **ret_slug) ERR_MUST_USE;

/* The newest active ones, of all; outside of a transaction, as esteira_frame_intake. */
enum { TENANT_STORE_NEWEST_MAX = 3 };
struct tenant_store_newest {
	struct tenant tenants[TENANT_STORE_NEWEST_MAX];
	size_t count;
};
struct err tenant_store_newest(
	struct pg *pg, struct arena *arena, struct tenant_store_newest *ret_newest) ERR_MUST_USE;

#endif
