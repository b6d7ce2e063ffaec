/*
 * The rows of a job. Every function runs in the caller's transaction; writes are queued (port/pg)
 * and fail at the next round trip. The only SQL of job/.
 */
#ifndef ESTEIRA_INTAKE_JOB_STORE_H
#define ESTEIRA_INTAKE_JOB_STORE_H

#include "base/arena.h"
#include "job/decide.h"
#include "job/events.h"

struct pg;

/* A job as decisions need it; texts in the arena's rows. */
struct store_job {
	bool found;
	struct tenant tenant;
	struct id job_id;
	struct decide_job state;
	const char *document_hash, *result_hash;
	int64_t size_bytes, pages_total;
	int64_t now_ms; /* Postgres's clock */
};

/* Locks and reads the row. ret_job->found false: there is none (of this tenant). */
struct err store_load_job(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct id job_id, struct store_job *ret_job) ERR_MUST_USE;

struct store_new_job {
	struct tenant tenant;
	struct id job_id;
	const char *api_key_hash, *partner, *document_hash;
	int64_t size_bytes;
	const uint8_t *key_half;
	uint32_t key_version;
	int64_t expires_at_ms;
};
/* ERR_RETRY try-again: its key was destroyed meanwhile. The row, and the ledger's purge:{job} due
 * at its deadline. ret_job is the row as it stands, with job's texts. */
struct err store_insert_job(struct pg *pg, struct arena *arena, const struct store_new_job *job,
	struct store_job *ret_job) ERR_MUST_USE;

/* First wins: *ret_won false gives the job and hash that the key already names. */
struct store_idempotency {
	struct tenant tenant;
	const char *route, *key, *document_hash;
	struct id job_id;
};
struct err store_claim_key(struct pg *pg, struct arena *arena,
	const struct store_idempotency *wanted, bool *ret_won, struct store_idempotency *ret_winner)
	ERR_MUST_USE;

/* The changes of a decision that was DECIDE_APPLY. Queued. */
struct err store_start(struct pg *pg, const struct store_job *job) ERR_MUST_USE;
struct err store_complete(struct pg *pg, const struct store_job *job,
	const struct events_completed *event) ERR_MUST_USE;
struct err store_fail(struct pg *pg, const struct store_job *job, const char *error_code,
	int64_t pages_total, int64_t processing_ms) ERR_MUST_USE;
struct err store_purged(struct pg *pg, const struct store_job *job) ERR_MUST_USE;
struct err store_forget_result(struct pg *pg, const struct store_job *job) ERR_MUST_USE;

/* The purge is due in delay_s, not at the deadline, unless that is sooner. Queued. */
struct err store_hasten_purge(struct pg *pg, const struct store_job *job, int64_t delay_s)
	ERR_MUST_USE;

/* *ret_first false: this API key has fetched this result before. */
struct err store_deliver(struct pg *pg, struct arena *arena, const struct store_job *job,
	const char *api_key_hash, bool *ret_first) ERR_MUST_USE;

/* Where the request behind an audit entry came from, for six months, apart from the trail. Queued.
 */
struct err store_keep_ip(struct pg *pg, struct tenant tenant, struct id event_id, const char *ip)
	ERR_MUST_USE;

/* --- the purger (role esteira_frame_intake, all tenants) --- */

struct store_due {
	struct tenant tenant;
	struct id job_id;
	int attempts;
};

enum { STORE_DUE_MAX = 32 };

/* Leases up to STORE_DUE_MAX due purges for a minute; runs and commits by itself. */
struct err store_take_due(struct pg *pg, struct arena *arena, struct store_due *ret_due,
	size_t *ret_count) ERR_MUST_USE;

/* The storage was away: due again in delay_s. Queued. */
struct err store_postpone(struct pg *pg, const struct store_due *due, int64_t delay_s) ERR_MUST_USE;

/* Which of these jobs have a row. ids and ret_known: count. */
struct err store_known(struct pg *pg, struct arena *arena, const struct store_due *jobs,
	size_t count, bool *ret_known) ERR_MUST_USE;

/* Idempotency keys older than 14 days and addresses older than six months go. Queued. */
struct err store_forget_old(struct pg *pg) ERR_MUST_USE;

#endif
