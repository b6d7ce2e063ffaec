/*
 * Encrypted envelopes: a document on its way through S3, a result on its way through Redis.
 * AES-256-GCM in chunks of 64 KiB with a key of its own per envelope; the header is additional data
 * of every chunk and commits to the key. Content is bound to (purpose, tenant, job): with any other
 * of the three, and after any change, nothing is opened. Byte by byte: docs/format.md. One thread
 * per writer or reader; the functions are otherwise free of state.
 */
#ifndef ESTEIRA_PORT_SEAL_H
#define ESTEIRA_PORT_SEAL_H

#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "model/tenant.h"
#include "port/seal_key.h"

enum {
	SEAL_CHUNK_BYTES = 65536, /* of plaintext */
	SEAL_TAG_BYTES = 16,
	SEAL_HALF_BYTES = 32,
	SEAL_DOC_HEADER_BYTES = 112,
	SEAL_RESULT_HEADER_BYTES = 84,
	SEAL_RESULT_SALT_BYTES = 16,
};

/* Whose content it is and the key over it; random is NULL outside tests. The key is borrowed for
 * the call that takes the context. */
struct seal_context {
	struct tenant tenant;
	struct id job;
	const struct seal_key *tenant_key;
	uint32_t key_version;
	const struct seal_random *random;
};

/* The tenant key's version that an envelope names, from its first bytes (12 are enough), to choose
 * the key before opening. ERR_REJECT undecryptable: not an envelope of this format. */
struct err seal_version_of(struct str sealed, uint32_t *ret_version) ERR_MUST_USE;

/* --- documents: written and read as a stream, two halves make the key --- */

/* The exact size of the object that a writer of this capacity makes. capacity_bytes <= 2^40. */
uint64_t seal_doc_size(uint64_t capacity_bytes);

struct seal_writer;

/*
 * Begins a document of at most capacity_bytes (e.g. the request's Content-Length: what multipart
 * framing leaves over becomes padding). ret_half_b takes SEAL_HALF_BYTES: it belongs into the job's
 * row and nowhere else. Heap: below 2 KiB. ERR_FATAL out-of-memory.
 */
struct err seal_doc_writer_new(const struct seal_context *context, uint64_t capacity_bytes,
	struct seal_writer **ret_writer, uint8_t *ret_half_b) ERR_MUST_USE;

/* Wipes and frees; NULL is fine. */
void seal_doc_writer_free(struct seal_writer *writer);

/*
 * Appends the envelope's next bytes to out: the header first, then the ciphertext of document,
 * never more than SEAL_DOC_HEADER_BYTES + document.len + SEAL_TAG_BYTES per begun 64 KiB.
 * ERR_REJECT document-too-large (over the capacity), record-too-large (out is full). After a
 * failure the writer may only be freed.
 */
struct err seal_doc_write(struct seal_writer *writer, struct str document, struct buf *out)
	ERR_MUST_USE;

/*
 * Ends the document: appends up to 64 KiB of padding's ciphertext per call (and the header when
 * nothing was written), *ret_done says whether it was the last. All calls together have then made
 * exactly seal_doc_size(capacity_bytes) bytes. Failures as seal_doc_write.
 */
struct err seal_doc_finish(struct seal_writer *writer, struct buf *out, bool *ret_done)
	ERR_MUST_USE;

struct seal_reader;

/* The room a reader needs for an object of sealed_bytes; 0 when no object has that size. */
uint64_t seal_doc_room(uint64_t sealed_bytes);

/*
 * Begins to open an object of exactly sealed_bytes into plain (the caller's: heap or a mapped
 * memfd), which has seal_doc_room(sealed_bytes) bytes and outlives the reader. Until seal_doc_end
 * says ok its content is unverified and must not be used. half_b: SEAL_HALF_BYTES. context's key is
 * borrowed until seal_doc_reader_free. ERR_REJECT undecryptable (impossible size), ERR_FATAL
 * out-of-memory.
 */
struct err seal_doc_reader_new(const struct seal_context *context, const uint8_t *half_b,
	uint64_t sealed_bytes, void *plain, struct seal_reader **ret_reader) ERR_MUST_USE;

/* Wipes and frees; NULL is fine. Also wipes plain when the document was not read to a good end. */
void seal_doc_reader_free(struct seal_reader *reader);

/* The object's next bytes, in pieces of any size. ERR_REJECT undecryptable: a wrong half, key,
 * tenant or job, or anything altered, reordered or added; plain is wiped. */
struct err seal_doc_read(struct seal_reader *reader, struct str sealed) ERR_MUST_USE;

/* The document is the first *ret_len bytes of plain. ERR_REJECT undecryptable: truncated, or its
 * padding is not well-formed; plain is wiped. */
struct err seal_doc_end(struct seal_reader *reader, size_t *ret_len) ERR_MUST_USE;

/* All of it in one call; plain has seal_doc_room(sealed.len) bytes. Failures as above. */
struct err seal_doc_open(const struct seal_context *context, const uint8_t *half_b,
	struct str sealed, void *plain, size_t *ret_len) ERR_MUST_USE;

/* --- results: whole in memory, the tenant's key and a salt make the key --- */

/* The salt that the result of this document is hashed with: the same at every reading, so that a
 * repeated one makes the same result, and out of everybody's reach with half_b. context's key is
 * the document's. ret_salt takes SEAL_RESULT_SALT_BYTES. */
void seal_result_salt(const struct seal_context *context, const uint8_t *half_b, void *ret_salt);

/* The exact size of the envelope of a result. */
uint64_t seal_result_size(uint64_t plain_bytes);

/* Appends the envelope to out. ERR_REJECT record-too-large (out is full), ERR_FATAL out-of-memory.
 */
struct err seal_result(const struct seal_context *context, struct str plain, struct buf *out)
	ERR_MUST_USE;

/* Appends the plaintext to out. ERR_REJECT undecryptable (out is as before), record-too-large,
 * ERR_FATAL out-of-memory. */
struct err seal_result_open(const struct seal_context *context, struct str sealed, struct buf *out)
	ERR_MUST_USE;

#endif
