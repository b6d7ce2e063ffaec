/*
 * Page by page, for whoever watches the job: a stream in Redis that intake shows as server-sent
 * events. It says numbers, never text, and is a courtesy: a document is read without it as well.
 */
#ifndef ESTEIRA_OCR_PROGRESS_H
#define ESTEIRA_OCR_PROGRESS_H

#include "base/arena.h"
#include "base/err.h"
#include "model/tenant.h"

struct document_page;
struct redis;

struct progress {
	struct redis *redis;
	struct arena *arena; /* some 100 bytes per entry */
	struct tenant tenant;
	struct id job_id;
};

/* Entries {event "started", data {}} and {event "page", data {page, pages, source, confidence,
 * ms}}; both set the stream's TTL anew. ERR_RETRY redis-away. Worker thread; waits for at most a
 * second. */
struct err progress_started(const struct progress *progress) ERR_MUST_USE;
struct err progress_page(const struct progress *progress, const struct document_page *page,
	unsigned pages_total) ERR_MUST_USE;

#endif
