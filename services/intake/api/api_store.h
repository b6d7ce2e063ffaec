/*
 * What the API reads: the only SQL of this folder. Nothing is written here; what a request changes
 * is job/command's. Rows and texts live in the arena. Failures of every function: those of
 * pg_query.
 */
#ifndef ESTEIRA_INTAKE_API_API_STORE_H
#define ESTEIRA_INTAKE_API_API_STORE_H

#include "api/cursor.h"
#include "api/jobs.h"
#include "base/arena.h"

struct pg;

struct api_store_key {
	bool found; /* else nothing below is set */
	struct tenant tenant;
	const char *slug, *partner, *tenant_state, *key_id, *lineage;
	unsigned scopes;
	int64_t deadline_s;
	int64_t extract_per_min, status_per_min, default_per_min; /* 0 = without limit */
};

/* Whose API key has this hash (DIGEST_BYTES). One statement, outside of a transaction. */
struct err api_store_lookup(struct pg *pg, struct arena *arena, const uint8_t *hash,
	struct api_store_key *ret_key) ERR_MUST_USE;

/* BEGIN with the tenant set; queued. The others need it; end it with pg_commit. */
struct err api_store_begin(struct pg *pg, struct tenant tenant) ERR_MUST_USE;

/* ERR_REJECT not-found. */
struct err api_store_job(struct pg *pg, struct arena *arena, struct tenant tenant, struct id job_id,
	struct jobs_view *ret_job) ERR_MUST_USE;

/* Whether there is such a job. */
struct err api_store_has(struct pg *pg, struct arena *arena, struct tenant tenant, struct id job_id,
	bool *ret_has) ERR_MUST_USE;

struct api_store_page {
	struct tenant tenant;
	const char *status; /* NULL = any */
	struct cursor after;
	int64_t limit;
};

struct api_store_list {
	struct jobs_view *jobs;
	int64_t *created_us;
	size_t count;
};

/* Newest first. */
struct err api_store_list(struct pg *pg, struct arena *arena, const struct api_store_page *page,
	struct api_store_list *ret_list) ERR_MUST_USE;

/* What decides about a result. */
struct api_store_result {
	const char *status, *document_hash, *result_hash;
	bool deleted, expired;
};

/* ERR_REJECT not-found. */
struct err api_store_result(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct id job_id, struct api_store_result *ret_result) ERR_MUST_USE;

enum { API_STORE_TRAIL_MAX = 1000 };

struct api_store_entry {
	const char *action, *document_hash, *result_hash, *metadata; /* JSON */
	int64_t occurred_at;
};

struct api_store_trail {
	struct api_store_entry *entries;
	size_t count;
};

/* In the order of time; the first API_STORE_TRAIL_MAX. */
struct err api_store_trail(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct id job_id, struct api_store_trail *ret_trail) ERR_MUST_USE;

/* --- as esteira_frame_intake, over all tenants, without api_store_begin --- */

struct api_store_ref {
	struct tenant tenant;
	struct id job_id;
};

struct api_store_ended {
	struct tenant tenant;
	struct jobs_view job;
};

struct api_store_watched {
	const struct api_store_ref *refs;
	size_t count;
};

struct api_store_news {
	struct api_store_ended *ended;
	size_t count;
};

/* Those of the jobs that have ended. */
struct err api_store_ended(struct pg *pg, struct arena *arena,
	const struct api_store_watched *watched, struct api_store_news *ret_news) ERR_MUST_USE;

/* Age in seconds of the oldest pending job (0 = none), pending jobs, jobs that ended within 60 s.
 */
struct api_store_load {
	double oldest_s;
	int64_t pending, ended;
};
struct err api_store_load(struct pg *pg, struct arena *arena, struct api_store_load *ret_load)
	ERR_MUST_USE;

/* What authenticates cursors; ret_key takes CURSOR_KEY_BYTES. ERR_FATAL internal. */
struct err api_store_cursor_key(struct pg *pg, struct arena *arena, uint8_t *ret_key) ERR_MUST_USE;

/* A round trip. */
struct err api_store_ping(struct pg *pg, struct arena *arena) ERR_MUST_USE;

#endif
