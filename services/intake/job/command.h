/*
 * What a request changes about a job, each in one transaction: the row, its audit entry and its
 * events. Called on pool threads by api/; the transaction begins and ends here.
 */
#ifndef ESTEIRA_INTAKE_JOB_COMMAND_H
#define ESTEIRA_INTAKE_JOB_COMMAND_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/outbox.h"
#include "model/tenant.h"

struct pg;
struct relay;

/* Who asks. Texts are borrowed. */
struct command_caller {
	struct tenant tenant;
	const char *slug;
	const char *partner;
	const char *api_key_hash; /* hex SHA-256 of the API key */
	const char *traceparent;
	const char *ip;	     /* NULL = unknown */
	const char *ip_hash; /* hex HMAC under the tenant's key; NULL = none */
};

struct command_env {
	struct pg *pg;
	struct arena *arena;
	const struct outbox_conf *outbox;
	struct relay *relay;
};

struct command_upload {
	struct id job_id;
	const char *idempotency_key; /* NULL = none */
	const char *document_hash;   /* hex */
	int64_t size_bytes;	     /* of the document */
	int64_t object_bytes;	     /* of the sealed object */
	int64_t expires_at_ms;	     /* wall clock; what the signed paths allow for */
	const uint8_t *key_half;     /* 32 bytes */
	uint32_t key_version;	     /* of the tenant's key over the other half */
	const char *get_path, *head_path, *delete_path;
};

struct command_job {
	struct id job_id;
	const char *status;
	const char *document_hash;
	bool replayed; /* the Idempotency-Key's first upload won: the caller deletes his object */
};

/* job row + idempotency + purge effect + outbox (ocr.jobs, audit RECEIVED). ERR_REJECT
 * idempotency-mismatch: the key was used with another document; the caller deletes his object then
 * too. */
struct err command_upload(const struct command_env *env, const struct command_caller *caller,
	const struct command_upload *upload, struct command_job *ret_job) ERR_MUST_USE;

struct command_deleted {
	bool had_result;	 /* its Redis keys are to be deleted now */
	const char *result_hash; /* of that result */
};

/* Unfinished -> failed/cancelled, object purged at once; finished -> result marked deleted, audit
 * PURGED what=result; repeated: nothing. ERR_REJECT not-found: no such job of this tenant. */
struct err command_delete(const struct command_env *env, const struct command_caller *caller,
	struct id job_id, struct command_deleted *ret_deleted) ERR_MUST_USE;

/* Audits DELIVERED, once per job and API key; committed when this returns. */
struct err command_deliver(const struct command_env *env, const struct command_caller *caller,
	struct id job_id) ERR_MUST_USE;

#endif
