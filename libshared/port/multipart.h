/*
 * multipart/form-data (RFC 7578, 2046 section 5.1) as it streams in: exactly one part named `file`,
 * given out in pieces without copying, and a few short text fields. Strict: CRLF line ends, a
 * closing boundary, nothing unnamed. The result does not depend on how the input is cut into
 * pieces. Memory: one header block. Any single thread.
 */
#ifndef ESTEIRA_PORT_MULTIPART_H
#define ESTEIRA_PORT_MULTIPART_H

#include "base/err.h"
#include "base/str.h"

struct multipart;

enum {
	MULTIPART_HEADER_MAX_BYTES = 8192,
	MULTIPART_FIELD_MAX_BYTES = 4096,
	MULTIPART_MAX_PARTS = 16
};

/* A failure returned by a callback ends the parsing and is returned by multipart_feed. */
struct multipart_events {
	/* The next bytes of the file, never empty, valid during the call. */
	struct err (*file)(void *arg, struct str bytes);
	/* Another part, whole. NULL: such parts are read over. */
	struct err (*field)(void *arg, struct str name, struct str value);
};

/* Whether a Content-Type names multipart/form-data at all (else 415 is the answer, not 400). */
bool multipart_is(struct str content_type);

/* A parser for the boundary in content_type; *events must outlive it. ERR_REJECT bad-multipart when
 * there is no usable boundary (1 to 70 characters of RFC 2046); ERR_RETRY out-of-memory. */
struct err multipart_new(struct str content_type, const struct multipart_events *events, void *arg,
	struct multipart **ret_multipart) ERR_MUST_USE;
void multipart_free(struct multipart *multipart); /* NULL is fine */

/* The next bytes of the body. ERR_REJECT bad-multipart for what breaks the format or a ceiling, and
 * again on every later call; failures of the callbacks as they are. */
struct err multipart_feed(struct multipart *multipart, struct str bytes) ERR_MUST_USE;

/* The body has ended. ERR_REJECT bad-multipart when the closing boundary or the file was missing.
 */
struct err multipart_end(struct multipart *multipart) ERR_MUST_USE;

/* Bytes of the file given out so far. */
uint64_t multipart_file_bytes(const struct multipart *multipart);

#endif
