/*
 * intake's side of a job's progress stream in Redis: the entry that says "read the row, it has
 * ended", and the end of stored results. Best effort: open connections re-read their rows anyway.
 */
#ifndef ESTEIRA_INTAKE_JOB_PROGRESS_H
#define ESTEIRA_INTAKE_JOB_PROGRESS_H

#include "base/arena.h"
#include "base/err.h"
#include "model/tenant.h"

struct redis;

/* After the end state was committed. ERR_RETRY redis-away. Any thread but the loop's. */
struct err progress_end(struct redis *redis, struct tenant tenant, struct id job_id,
	struct arena *arena) ERR_MUST_USE;

/* Deletes a result and what was shown of it. */
struct err progress_drop_result(struct redis *redis, struct tenant tenant, struct id job_id,
	const char *result_hash, struct arena *arena) ERR_MUST_USE;

#endif
