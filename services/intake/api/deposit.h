/*
 * A document on its way from a request's body into S3: taken out of its multipart framing, looked
 * at (is it a PDF?), hashed, sealed and fed to the storage chunk by chunk, in constant memory.
 * Nothing is sent to the storage before the magic bytes were seen, and nothing is stored unless the
 * document came whole. Loop thread.
 */
#ifndef ESTEIRA_INTAKE_API_DEPOSIT_H
#define ESTEIRA_INTAKE_API_DEPOSIT_H

#include "base/err.h"
#include "port/digest.h"
#include "port/seal.h"

struct deposit;
struct s3;

enum { DEPOSIT_MAGIC_WITHIN = 1024 }; /* where %PDF- must stand; readers look no further either */

struct deposit_conf {
	struct s3 *s3;
	const struct seal_context *seal; /* borrowed for deposit_new */
	const char *object_key;		 /* borrowed until deposit_free */
	struct str content_type;	 /* multipart/form-data: the document is its part `file` */
	uint64_t body_bytes;		 /* Content-Length: what the object's size follows from */
	uint64_t document_max_bytes;
	struct buf *scratch; /* of the loop; at least 66 KiB of ceiling */
};

/* Neither runs inside a call of the owner. done: all is stored, or the storage failed; deposit_free
 * is allowed inside. A storage that fails while more of the document is awaited is told by the next
 * feed or end instead. room: after a feed said wait, more may come. */
struct deposit_events {
	void (*done)(void *arg, struct err e);
	void (*room)(void *arg);
};

/* ERR_REJECT bad-multipart: no boundary. ERR_FATAL out-of-memory. events is borrowed. */
struct err deposit_new(const struct deposit_conf *conf, const struct deposit_events *events,
	void *arg, struct deposit **ret_deposit) ERR_MUST_USE;

/* Ends the transfer if it is under way: no object then. NULL is fine. */
void deposit_free(struct deposit *deposit);

/* The next bytes of the body. *ret_wait: feed no more before room(). ERR_REJECT not-a-pdf,
 * document-too-large, bad-multipart; ERR_RETRY storage-away. After a failure: deposit_free. */
struct err deposit_feed(struct deposit *deposit, struct str bytes, bool *ret_wait) ERR_MUST_USE;

/* The body is complete; done follows. ERR_REJECT also empty-document. */
struct err deposit_end(struct deposit *deposit) ERR_MUST_USE;

/* What was stored, from done on. */
struct deposit_view {
	uint64_t document_bytes, object_bytes;
	const char *document_hash;
	const uint8_t *key_half; /* SEAL_HALF_BYTES */
};
struct deposit_view deposit_look(const struct deposit *deposit);

/* Whether "%PDF-" stands in the bytes. Pure. */
bool deposit_has_magic(struct str bytes);

#endif
