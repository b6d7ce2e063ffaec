/*
 * Jobs as a partner sees them: one, a page of them, and their deletion. The struct's field table is
 * the JSON of GET /v1/jobs/{id}, of a list's items and of the last event of a stream.
 */
#ifndef ESTEIRA_INTAKE_API_JOBS_H
#define ESTEIRA_INTAKE_API_JOBS_H

#include "api/call.h"
#include "model/codec.h"

enum { JOBS_JSON_MAX_BYTES = 4096 };

struct jobs_hashes {
	const char *document, *result;
};

struct jobs_pages {
	int64_t total, text, ocr;
};

struct jobs_times {
	int64_t created_at, started_at, completed_at, expires_at;
	int64_t result_expires_at, result_deleted_at;
};

/* Absent values as in model/codec.h. */
struct jobs_view {
	struct id job_id;
	const char *status;
	struct jobs_hashes hashes;
	int64_t size_bytes;
	struct jobs_pages pages;
	double confidence_avg;
	int64_t processing_ms;
	const char *error_code;
	struct jobs_times times;
};

/* Appends the JSON object. Failures: those of codec_write. */
struct err jobs_write(const struct jobs_view *job, struct buf *out) ERR_MUST_USE;

/* completed or failed: nothing follows. */
bool jobs_is_final(const char *status);

extern const struct call_route jobs_get;
extern const struct call_route jobs_list;
extern const struct call_route jobs_delete;

#endif
