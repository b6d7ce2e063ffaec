/*
 * The body of an envelope: AES-256-GCM in chunks of 64 KiB, the part of port/seal that knows
 * OpenSSL. The nonce of a chunk is 7 bytes of the envelope, the chunk's index (4 bytes, big-endian)
 * and 1 for the last chunk, 0 for the others, so that chunks cannot be moved, dropped or added. The
 * length is known beforehand, so bytes go through without being collected. For port/seal.c alone.
 */
#ifndef ESTEIRA_PORT_SEAL_CHUNK_H
#define ESTEIRA_PORT_SEAL_CHUNK_H

#include "base/err.h"
#include "base/str.h"

enum { SEAL_CHUNK_NONCE_BYTES = 7, SEAL_CHUNK_HEADER_MAX = 128 };

/* What a body is made with; all is copied. */
struct seal_chunk_spec {
	const uint8_t *key;   /* 32 bytes */
	const uint8_t *nonce; /* SEAL_CHUNK_NONCE_BYTES */
	struct str header;    /* additional data of every chunk, <= SEAL_CHUNK_HEADER_MAX */
	uint64_t plain_bytes; /* of the whole body */
	bool encrypt;
};

struct seal_chunk;

/* NULL without memory. */
struct seal_chunk *seal_chunk_new(const struct seal_chunk_spec *spec);

/* Wipes and frees; NULL is fine. */
void seal_chunk_free(struct seal_chunk *chunk);

/* Sizes of a body: sealed for plain, and back; false when no body has that size. */
uint64_t seal_chunk_sealed_bytes(uint64_t plain_bytes);
bool seal_chunk_plain_bytes(uint64_t sealed_bytes, uint64_t *ret_plain_bytes);

/* Appends the ciphertext of plain to out. ERR_REJECT record-too-large (out is full),
 * document-too-large (more than plain_bytes), ERR_FATAL internal. */
struct err seal_chunk_seal(struct seal_chunk *chunk, struct str plain, struct buf *out)
	ERR_MUST_USE;

/* Writes the plaintext of the next bytes at its place in plain (the whole body's). ERR_REJECT
 * undecryptable. */
struct err seal_chunk_open(struct seal_chunk *chunk, struct str sealed, uint8_t *plain)
	ERR_MUST_USE;

/* True when the last chunk's tag was made or checked. */
bool seal_chunk_done(const struct seal_chunk *chunk);

#endif
