/*
 * Whom a client of the storage tells how long each call took and what came of it: as port/ear, with
 * the two things that calls of a storage differ by.
 */
#ifndef ESTEIRA_PORT_S3_EAR_H
#define ESTEIRA_PORT_S3_EAR_H

#include "base/clock.h"

/* S3_BUCKET: whatever asks about the bucket itself and not for its objects. */
enum s3_operation { S3_BUCKET, S3_GET, S3_HEAD, S3_PUT, S3_DELETE, S3_LIST, S3_OPERATIONS };

/* As s3_status takes a status; S3_FAILED is also no answer at all. */
enum s3_outcome { S3_OK, S3_MISSING, S3_REFUSED, S3_FAILED, S3_OUTCOMES };

/* All zero: nobody listens. */
struct s3_ear {
	/* Any thread, at any time: it is quick. */
	void (*heard)(
		void *arg, enum s3_operation operation, enum s3_outcome outcome, int64_t took_us);
	void *arg;
};

/* A call that began at since_us (clock_mono_us) has ended; status 0: without an answer. */
void s3_ear_tell(
	const struct s3_ear *ear, enum s3_operation operation, int status, int64_t since_us);

#endif
