/*
 * Pages without a text layer, several at once: each is drawn by one child and recognised by
 * another, joined by a pipe, so that no bitmap passes through this process. A permit of the process
 * covers both; it is held over all zoom steps of the page.
 */
#ifndef ESTEIRA_OCR_RECOGNISER_H
#define ESTEIRA_OCR_RECOGNISER_H

#include "base/err.h"

#include "decide.h"

struct document_job;
struct document_page;
struct document_reader;

struct recogniser_page {
	struct decide_page facts;
	unsigned number;
};

struct recogniser_work {
	struct document_reader *reader;
	const struct document_job *job;
	const struct recogniser_page *pages;
	unsigned page_count;
	/* A page is done; page->text.ptr is heap memory and becomes the callee's. False: enough,
	 * the rest is not wanted and *ret_outcome stays NONE. */
	bool (*done)(void *arg, const struct document_page *page);
	void *arg;
};

/* Recognises all pages. *ret_outcome: NONE, or why the document fails: PAGE_TOO_LARGE, BROKEN,
 * RESOURCE_LIMIT, EXPIRED. Errors as of document_read. */
struct err recogniser_run(const struct recogniser_work *work, enum err_code *ret_outcome)
	ERR_MUST_USE;

/* Recognises the built-in bitmap; see document_probe. */
struct err recogniser_probe(struct document_reader *reader, int64_t deadline_ms) ERR_MUST_USE;

#endif
