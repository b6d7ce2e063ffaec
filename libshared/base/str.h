/*
 * Text and bytes without lengths in the reader's head: a slice that owns nothing, and a growing
 * buffer whose ceiling is set at birth. Past the ceiling the buffer drops what does not fit and
 * remembers it, so a builder is checked once, at its end.
 */
#ifndef ESTEIRA_BASE_STR_H
#define ESTEIRA_BASE_STR_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* len bytes at ptr, not NUL-terminated, owned by somebody else. ptr may be NULL when len is 0. */
struct str {
	const char *ptr;
	size_t len;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })

/* The bytes of a C string; NULL gives the empty slice. */
struct str str_of(const char *text);
bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b); /* ASCII case folded, for header names */
bool str_starts(struct str text, struct str prefix);
struct str str_trim(struct str text); /* without leading and trailing space and tab */

/* Splits at the first sep: the part before it, *rest the part after (empty when there is no sep).
 */
struct str str_cut(struct str text, char sep, struct str *rest);

/* Decimal digits only, no sign, no space. False when empty, too large, or anything else. */
bool str_to_u64(struct str text, uint64_t *ret_number);

/* False at the first byte that is not well-formed UTF-8 (RFC 3629), or at NUL. */
bool str_is_utf8(struct str text);

/* The same without what a terminal obeys: control characters (C0, DEL, U+0080 to U+009F) and marks
 * that turn the direction of what follows (U+202A to U+202E, U+2066 to U+2069). */
bool str_is_line(struct str text);

/* A heap buffer. Zero it with BUF(max_bytes); done with buf_done. Data is NUL-terminated. */
struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t max;
	bool overflow;
};

#define BUF(max_bytes) ((struct buf){ .max = (max_bytes) })

void buf_done(struct buf *buf);	 /* frees the memory; the struct may be used again */
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_add(struct buf *buf, const void *data, size_t len);
/* The room of len bytes more, to be written by the caller at once; NULL when they do not fit. */
void *buf_extend(struct buf *buf, size_t len);
void buf_add_str(struct buf *buf, struct str text);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str buf_str(const struct buf *buf);

/* Drops the first len bytes. */
void buf_skip(struct buf *buf, size_t len);

/* Gives the memory away (free() it); the buf is empty then. NULL if nothing was added. */
char *buf_take(struct buf *buf);

/* ERR_REJECT record-too-large when something did not fit (or memory was out). */
struct err buf_check(const struct buf *buf) ERR_MUST_USE;

#endif
