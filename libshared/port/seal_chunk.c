#include "port/seal_chunk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "port/digest.h"
#include "port/seal.h"

enum { NONCE_BYTES = 12 };

struct seal_chunk {
	EVP_CIPHER_CTX *cipher;
	uint64_t plain_bytes;
	uint64_t count; /* chunks of the body */
	uint64_t index; /* of the chunk being made */
	size_t used;	/* plain bytes of it that went through */
	size_t tag_len; /* tag bytes of it that were read */
	size_t header_len;
	bool begun;
	uint8_t nonce[SEAL_CHUNK_NONCE_BYTES];
	uint8_t tag[SEAL_TAG_BYTES];
	uint8_t header[SEAL_CHUNK_HEADER_MAX];
};

static uint64_t count_of(uint64_t plain_bytes)
{
	return plain_bytes == 0 ? 1 : (plain_bytes - 1) / SEAL_CHUNK_BYTES + 1;
}

uint64_t seal_chunk_sealed_bytes(uint64_t plain_bytes)
{
	return plain_bytes + count_of(plain_bytes) * SEAL_TAG_BYTES;
}

bool seal_chunk_plain_bytes(uint64_t sealed_bytes, uint64_t *ret_plain_bytes)
{
	const uint64_t full = SEAL_CHUNK_BYTES + SEAL_TAG_BYTES;
	uint64_t count = sealed_bytes / full + (sealed_bytes % full != 0);

	/* the index has 32 bits */
	if (count == 0 || count > UINT32_MAX || sealed_bytes < count * SEAL_TAG_BYTES)
		return false;
	uint64_t plain_bytes = sealed_bytes - count * SEAL_TAG_BYTES;
	if (count_of(plain_bytes) != count)
		return false;
	*ret_plain_bytes = plain_bytes;
	return true;
}

struct seal_chunk *seal_chunk_new(const struct seal_chunk_spec *spec)
{
	struct seal_chunk *chunk = calloc(1, sizeof *chunk);

	assert(spec->header.len <= sizeof chunk->header);
	if (chunk == NULL)
		return NULL;
	chunk->plain_bytes = spec->plain_bytes;
	chunk->count = count_of(spec->plain_bytes);
	chunk->header_len = spec->header.len;
	memcpy(chunk->header, spec->header.ptr, spec->header.len);
	memcpy(chunk->nonce, spec->nonce, sizeof chunk->nonce);
	chunk->cipher = EVP_CIPHER_CTX_new();
	if (chunk->cipher == NULL || EVP_CipherInit_ex(chunk->cipher, EVP_aes_256_gcm(), NULL,
					     spec->key, NULL, spec->encrypt ? 1 : 0) != 1) {
		seal_chunk_free(chunk);
		return NULL;
	}
	return chunk;
}

void seal_chunk_free(struct seal_chunk *chunk)
{
	if (chunk == NULL)
		return;
	EVP_CIPHER_CTX_free(chunk->cipher);
	digest_wipe(chunk, sizeof *chunk);
	free(chunk);
}

static size_t chunk_bytes(const struct seal_chunk *chunk)
{
	if (chunk->index + 1 < chunk->count)
		return SEAL_CHUNK_BYTES;
	return (size_t)(chunk->plain_bytes - chunk->index * SEAL_CHUNK_BYTES);
}

/* Nonce and additional data of the chunk at index, once. */
static bool chunk_begin(struct seal_chunk *chunk)
{
	uint8_t nonce[NONCE_BYTES];
	int len;

	if (chunk->begun)
		return true;
	chunk->begun = true;
	memcpy(nonce, chunk->nonce, sizeof chunk->nonce);
	for (size_t i = 0; i < 4; i++)
		nonce[sizeof chunk->nonce + i] = (uint8_t)(chunk->index >> (24 - 8 * i));
	nonce[NONCE_BYTES - 1] = chunk->index + 1 == chunk->count;
	return EVP_CipherInit_ex(chunk->cipher, NULL, NULL, NULL, nonce, -1) == 1 &&
	       EVP_CipherUpdate(chunk->cipher, NULL, &len, chunk->header, (int)chunk->header_len) ==
		       1;
}

static void chunk_next(struct seal_chunk *chunk)
{
	chunk->index++;
	chunk->used = 0;
	chunk->tag_len = 0;
	chunk->begun = false;
}

/* Encrypts the first bytes of plain, at most the chunk's rest, into their place in out, and drops
 * them; an out that is full stays as it is and says so itself. */
static bool encrypt_some(struct seal_chunk *chunk, struct str *plain, struct buf *out)
{
	size_t rest = chunk_bytes(chunk) - chunk->used;
	size_t len = plain->len < rest ? plain->len : rest;
	int made = 0;

	uint8_t *to = len == 0 ? NULL : buf_extend(out, len);
	if (to != NULL && EVP_EncryptUpdate(chunk->cipher, to, &made, (const uint8_t *)plain->ptr,
				  (int)len) != 1)
		return false;
	chunk->used += len;
	*plain = (struct str){ len > 0 ? plain->ptr + len : plain->ptr, plain->len - len };
	return true;
}

static bool add_tag(struct seal_chunk *chunk, struct buf *out)
{
	uint8_t tag[SEAL_TAG_BYTES];
	int len;

	if (EVP_EncryptFinal_ex(chunk->cipher, tag, &len) != 1 ||
		EVP_CIPHER_CTX_ctrl(chunk->cipher, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) != 1)
		return false;
	buf_add(out, tag, sizeof tag);
	chunk_next(chunk);
	return true;
}

struct err seal_chunk_seal(struct seal_chunk *chunk, struct str plain, struct buf *out)
{
	const struct err broken = err_fatal(ERR_CODE_INTERNAL, "the cipher refused to encrypt");

	while (chunk->index < chunk->count) {
		if (!chunk_begin(chunk) || !encrypt_some(chunk, &plain, out))
			return broken;
		if (chunk->used == chunk_bytes(chunk)) {
			if (!add_tag(chunk, out))
				return broken;
		} else if (plain.len == 0) {
			break;
		}
	}
	if (plain.len > 0)
		return err_reject(
			ERR_CODE_DOCUMENT_TOO_LARGE, "more bytes than the envelope was made for");
	return buf_check(out);
}

/* Decrypts what belongs to the chunk's ciphertext into its place and drops it. */
static bool decrypt_some(struct seal_chunk *chunk, struct str *sealed, uint8_t *plain)
{
	size_t rest = chunk_bytes(chunk) - chunk->used;
	size_t len = sealed->len < rest ? sealed->len : rest;
	uint8_t *to = plain + chunk->index * SEAL_CHUNK_BYTES + chunk->used;
	int made;

	if (len == 0)
		return true;
	if (EVP_DecryptUpdate(chunk->cipher, to, &made, (const uint8_t *)sealed->ptr, (int)len) !=
		1)
		return false;
	chunk->used += len;
	*sealed = (struct str){ sealed->ptr + len, sealed->len - len };
	return true;
}

/* Collects the tag's bytes; with all of them there, checks it. */
static bool check_tag(struct seal_chunk *chunk, struct str *sealed)
{
	size_t rest = sizeof chunk->tag - chunk->tag_len;
	size_t len = sealed->len < rest ? sealed->len : rest;
	uint8_t none[SEAL_TAG_BYTES];
	int made;

	memcpy(chunk->tag + chunk->tag_len, sealed->ptr, len);
	chunk->tag_len += len;
	*sealed = (struct str){ sealed->ptr + len, sealed->len - len };
	if (chunk->tag_len < sizeof chunk->tag)
		return true;
	if (EVP_CIPHER_CTX_ctrl(
		    chunk->cipher, EVP_CTRL_AEAD_SET_TAG, sizeof chunk->tag, chunk->tag) != 1 ||
		EVP_DecryptFinal_ex(chunk->cipher, none, &made) != 1)
		return false;
	chunk_next(chunk);
	return true;
}

struct err seal_chunk_open(struct seal_chunk *chunk, struct str sealed, uint8_t *plain)
{
	bool good = true;

	while (good && sealed.len > 0) {
		good = chunk->index < chunk->count && chunk_begin(chunk) &&
		       decrypt_some(chunk, &sealed, plain);
		if (good && sealed.len > 0 && chunk->used == chunk_bytes(chunk))
			good = check_tag(chunk, &sealed);
	}
	return good ? err_ok() : err_reject(ERR_CODE_UNDECRYPTABLE, "the envelope was altered");
}

bool seal_chunk_done(const struct seal_chunk *chunk)
{
	return chunk->index == chunk->count;
}
