/*
 * What ocr may know of a job: intake's frozen view of jobs that still want an answer. The service
 * owns no table but the frame's; what it finds out leaves as events.
 */
#ifndef ESTEIRA_OCR_STORE_H
#define ESTEIRA_OCR_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/tenant.h"

struct pg;

enum { STORE_HALF_BYTES = 32 };

struct store_key {
	struct tenant tenant;
	struct id job_id;
};

struct store_open_job {
	uint8_t half[STORE_HALF_BYTES]; /* secret: ocr's half of the document's key */
	int64_t remaining_ms;		/* to the deadline, by Postgres's clock */
	int64_t now_ms;			/* that clock, wall ms */
};

/* *ret_open false (ret_job untouched): finished, cancelled, past its deadline or unknown. In a
 * transaction whose tenant is set. Failures: those of port/pg. Worker thread. */
struct err store_load_open_job(struct pg *pg, struct arena *arena, const struct store_key *key,
	struct store_open_job *ret_job, bool *ret_open) ERR_MUST_USE;

#endif
