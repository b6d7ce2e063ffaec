/*
 * What an event does to a job. Pure: no I/O, clock, allocation, log. The states have the names of
 * the column's CHECK constraint; the table in decide.c is the documentation and a test walks every
 * pair.
 */
#ifndef ESTEIRA_INTAKE_JOB_DECIDE_H
#define ESTEIRA_INTAKE_JOB_DECIDE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

enum decide_status {
	DECIDE_PENDING,
	DECIDE_PROCESSING,
	DECIDE_COMPLETED,
	DECIDE_FAILED,
	DECIDE_STATUSES
};

enum decide_event {
	DECIDE_ON_STARTED,   /* ocr has begun */
	DECIDE_ON_COMPLETED, /* ocr has stored a result */
	DECIDE_ON_FAILED,    /* ocr could not read the document */
	DECIDE_ON_DELETED,   /* the object is gone, ocr has looked */
	DECIDE_ON_OVERDUE,   /* the deadline has passed */
	DECIDE_ON_CANCEL, /* the owner deleted an unfinished job, or the result of a finished one */
	DECIDE_EVENTS,
};

/* What is known of the job's row. */
struct decide_job {
	enum decide_status status;
	bool purged;	     /* the object is gone and said so */
	bool result_deleted; /* its owner deleted the result */
};

enum decide_verdict {
	DECIDE_APPLY,
	DECIDE_SAME,   /* already so: nothing to do */
	DECIDE_REFUSE, /* does not fit: nothing to do, but counted */
};

struct decision {
	enum decide_verdict verdict;
	enum decide_status status; /* after it */
	const char *audit;	   /* action to be recorded, or NULL */
	enum err_code error_code;  /* to be stored with FAILED; NONE: the event brings its own */
	bool purge_now;		   /* the object is to be deleted at once */
	bool object_gone;	   /* forget the key half, confirm the purge */
	bool drop_result;	   /* a result in Redis is to be deleted */
};

struct decision decide(const struct decide_job *job, enum decide_event event);

/* "pending", ...; false for any other text. */
const char *decide_status_name(enum decide_status status);
bool decide_status_parse(struct str text, enum decide_status *ret_status);

#endif
