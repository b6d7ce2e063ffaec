/*
 * The result of a job: a salt and the exact body that GET /v1/jobs/{id}/result will answer, hashed
 * together (so that a short text cannot be guessed from its hash), sealed together, and kept in
 * Redis for REDISKEY_RESULT_TTL_S. The salt is the document's own (seal_result_salt), so a document
 * that is read again, because a process died, has one result and not two. The text stands in one
 * buffer that never moves and is wiped.
 */
#ifndef ESTEIRA_OCR_RESULT_H
#define ESTEIRA_OCR_RESULT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/tenant.h"
#include "port/digest.h"
#include "port/seal.h"

struct document;
struct redis;

enum {
	/* salt and body; sealed and as a Redis reply they still fit into 16 MiB */
	RESULT_MAX_BYTES = (16 << 20) - (64 << 10),
};

struct result {
	struct buf plain; /* salt, then body */
	char hash[DIGEST_HEX_BYTES];
};

/* What the body says beside the document. */
struct result_job {
	struct id job_id;
	const char *document_hash; /* hex */
	const uint8_t *salt;	   /* SEAL_RESULT_SALT_BYTES: seal_result_salt */
};

/*
 * {"job_id","document_hash","pages":[{"page","source","confidence","text"}]} of a document whose
 * outcome is NONE. ret_result is ended by result_done. ERR_REJECT record-too-large: the body is
 * larger than RESULT_MAX_BYTES, or the arena is full. ERR_RETRY out-of-memory. Any thread.
 */
struct err result_build(const struct result_job *job, const struct document *document,
	struct arena *arena, struct result *ret_result) ERR_MUST_USE;

/* Bytes of the body. */
size_t result_body_bytes(const struct result *result);

/* Wipes and frees; a zeroed one is fine. */
void result_done(struct result *result);

/* Seals under context's key (the tenant's newest) and sets the key of the job and the hash, with
 * its TTL. ERR_RETRY redis-away: not there, or the server refused. Worker thread. */
struct err result_store(const struct result *result, const struct seal_context *context,
	struct redis *redis, struct arena *arena) ERR_MUST_USE;

#endif
