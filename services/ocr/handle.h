/*
 * The steps of intake.document.received.v1, the only event of ocr.jobs; frame/route.h says what a
 * step is. payload is a struct events_received, scope->state the struct ocr. A job that wants no
 * answer any more is "gone": nothing is emitted, stored or deleted for it.
 */
#ifndef ESTEIRA_OCR_HANDLE_H
#define ESTEIRA_OCR_HANDLE_H

#include "frame/route.h"

/* Is the job still open? Then: its secrets, and the event started. ERR_RETRY redis-away: there is
 * no place for a result. ERR_REJECT secret-missing, undecryptable: the tenant has no key we can
 * open; tenant-mismatch: the signed paths are of another object than this tenant's job's. */
struct err handle_claimed(struct scope *scope, const void *payload) ERR_MUST_USE;

/* Fetch, open, read, store the result. ERR_RETRY: of storage, Redis, Postgres. */
struct err handle_work(struct scope *scope, const void *payload) ERR_MUST_USE;

/* The event completed or failed. */
struct err handle_received(struct scope *scope, const void *payload) ERR_MUST_USE;

/* Deletes the document and makes sure of it. ERR_RETRY storage-away, storage-refused: intake's
 * purger deletes it at the deadline. */
struct err handle_after(struct scope *scope, const void *payload) ERR_MUST_USE;

/* The event deleted. */
struct err handle_settle(struct scope *scope, const void *payload) ERR_MUST_USE;

#endif
