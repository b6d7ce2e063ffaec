/*
 * One function per event of ocr.events: load, decide, commit. No branches on business facts.
 */
#ifndef ESTEIRA_INTAKE_JOB_HANDLE_H
#define ESTEIRA_INTAKE_JOB_HANDLE_H

#include "frame/route.h"

struct err handle_started(struct scope *scope, const void *payload);
struct err handle_completed(struct scope *scope, const void *payload);
struct err handle_failed(struct scope *scope, const void *payload);
struct err handle_deleted(struct scope *scope, const void *payload);

/* After the commit: wakes the job's watchers; drops a result that came too late. Best effort. */
struct err handle_after_end(struct scope *scope, const void *payload);

#endif
