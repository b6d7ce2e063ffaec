/*
 * The encrypted document in the document storage, reached by the signed paths of the job alone:
 * this service has no credential of its own and never another host than its configured endpoint.
 * The plaintext exists in a sealed memory file and nowhere else.
 */
#ifndef ESTEIRA_OCR_OBJECT_H
#define ESTEIRA_OCR_OBJECT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/tenant.h"
#include "port/s3_ear.h"

#include <stddef.h>
#include <stdint.h>

struct events_received;
struct http;
struct http_response;
struct seal_context;

struct object_place {
	struct http *http;
	const char *endpoint;
	size_t max_bytes; /* of an encrypted document */
	struct arena *arena;
	struct s3_ear ear; /* hears of each call; may be zero */
};

/* Do the three paths name the one object of this tenant's job, "/bucket/{tenant}/{job}.enc",
 * written in no other way? A signature says that intake signed a path, not for whom. ERR_REJECT
 * tenant-mismatch: they do not. Any thread. */
struct err object_check(const struct events_received *paths, struct tenant tenant,
	struct arena *arena) ERR_MUST_USE;

/* GET; ret_sealed->body is the envelope, ended by http_response_done. ERR_REJECT not-found: it was
 * deleted; record-too-large: over max_bytes; bad-parameter: no path. ERR_RETRY storage-away,
 * storage-refused. Worker thread. */
struct err object_fetch(const struct object_place *place, const struct events_received *paths,
	int64_t timeout_ms, struct http_response *ret_sealed) ERR_MUST_USE;

/* Opens the envelope into a memory file that nobody can change any more; *ret_fd is the caller's to
 * close. half: SEAL_HALF_BYTES. ERR_REJECT undecryptable; ERR_RETRY out-of-memory. */
struct err object_unseal(const struct seal_context *context, const uint8_t *half, struct str sealed,
	int *ret_fd) ERR_MUST_USE;

/* DELETE, then HEAD until the storage says that it is gone, for up to 5 s. ERR_RETRY storage-away,
 * storage-refused: it may still be there. Worker thread; waits. */
struct err object_delete(const struct object_place *place, const struct events_received *paths)
	ERR_MUST_USE;

#endif
