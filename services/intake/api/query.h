/*
 * What lists have in common: a page of them, from its query parameters to its answer.
 */
#ifndef ESTEIRA_INTAKE_API_QUERY_H
#define ESTEIRA_INTAKE_API_QUERY_H

#include "api/call.h"
#include "api/cursor.h"
#include "base/err.h"
#include "base/str.h"

struct web_exchange;

enum {
	QUERY_LIMIT = 50,
	QUERY_LIMIT_MAX = 200,
	QUERY_LINK_MAX_BYTES = 4096,
	QUERY_LIST_MAX_BYTES = 512
};

/* The first member of a list's struct. */
struct query_page {
	struct call call;
	char path[96];
	char list[QUERY_LIST_MAX_BYTES]; /* path and filters: what a cursor belongs to */
	char cursor[CURSOR_TEXT_BYTES];
	uint64_t limit;
	struct buf body, link; /* link stays empty on the last page */
};

/* A parameter into text of size bytes; "" when absent. False: empty or too long. */
bool query_text(struct web_exchange *exchange, const char *name, char *ret_text, size_t size);

/* The same, and it must be one of the words (ended by NULL) when it is there. */
bool query_word(struct web_exchange *exchange, const char *name, const char *const *words,
	char *ret_text, size_t size);

/* Sets up body and link of the list at path and reads "limit". ERR_REJECT bad-parameter. */
struct err query_page_begin(struct query_page *page, const char *path, size_t body_max_bytes)
	ERR_MUST_USE;

/* The list is filtered: value is a word without characters that a query escapes; "" = it is not. */
void query_page_filter(struct query_page *page, const char *name, const char *value);

/* Reads "cursor", after the filters; what is in it is looked at by query_page_after. ERR_REJECT
 * bad-parameter. */
struct err query_page_cursor(struct query_page *page) ERR_MUST_USE;

/* Behind which row the page begins. Failures: cursor_parse. */
struct err query_page_after(const struct query_page *page, struct cursor *ret_after) ERR_MUST_USE;

/* There is a next page behind last: into the body and the link. */
void query_page_next(struct query_page *page, const struct cursor *last);

/* reply and free of a struct call_route. */
void query_page_reply(struct call *call);
void query_page_free(struct call *call);

#endif
