/*
 * Where the next page of a list begins: the last row's creation time and id, authenticated together
 * with the tenant and the list, so that a cursor of somebody else, of another list or an altered
 * one is refused and not followed.
 */
#ifndef ESTEIRA_INTAKE_API_CURSOR_H
#define ESTEIRA_INTAKE_API_CURSOR_H

#include "base/err.h"
#include "model/tenant.h"

enum { CURSOR_TEXT_BYTES = 56, CURSOR_KEY_BYTES = 32 };

struct cursor {
	int64_t created_us; /* since 1970 */
	struct id job_id;
};

/* Where a cursor counts. */
struct cursor_scope {
	struct tenant tenant;
	const char *list; /* its path, and what is filtered by */
};

/* The place before the newest row. */
struct cursor cursor_start(void);

/* base64url; ret_text takes CURSOR_TEXT_BYTES. key: CURSOR_KEY_BYTES. Any thread. */
void cursor_format(const uint8_t *key, const struct cursor_scope *scope,
	const struct cursor *cursor, char *ret_text);

/* ERR_REJECT bad-parameter: not made by cursor_format for this tenant and list. */
struct err cursor_parse(const uint8_t *key, const struct cursor_scope *scope, struct str text,
	struct cursor *ret_cursor) ERR_MUST_USE;

#endif
