/*
 * What ocr tells of a document while it reads it: spans, and a log line per page and document.
 * Numbers and outcomes alone; the words of a page never come here.
 */
#ifndef ESTEIRA_OCR_TELL_H
#define ESTEIRA_OCR_TELL_H

#include "frame/span.h"
#include "model/envelope.h"

struct document_page;
struct ocr;

/* Whose document it is; borrowed. */
struct tell {
	struct ocr *ocr;
	const struct event *event;
	struct id job_id;
};

/* A step of the record's trace. Any thread. */
void tell_begin(const struct tell *tell, enum otlp_kind kind, struct span *ret_span);

/* The step was a call of one of our servers: what the span was begun for, and its status (0: none).
 */
void tell_fetched(struct span *span, int status, struct err e);
void tell_stored(struct span *span, struct err e);

/* The document was read, or not (outcome, as in the job's error_code). */
void tell_read(const struct tell *tell, struct span *span, unsigned pages, enum err_code outcome);

/* A page is done just now; reading is the document's span. */
void tell_page(
	const struct tell *tell, const struct span *reading, const struct document_page *page);

/* A job has come to its end here. */
void tell_end(const struct tell *tell, const char *outcome, int64_t processing_ms);

#endif
