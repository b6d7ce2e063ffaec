#include "port/seal.h"

#include <assert.h>
#include <stdlib.h>

#include "port/digest.h"
#include "port/seal_chunk.h"
#include "port/seal_header.h"

enum { SALT_BYTES = 32 };

static struct str bytes_str(const void *bytes, size_t len)
{
	return (struct str){ bytes, len };
}

struct err seal_version_of(struct str sealed, uint32_t *ret_version)
{
	return seal_header_version(sealed, ret_version);
}

static struct seal_secrets result_secrets(const struct seal_context *context, const uint8_t *salt)
{
	return seal_header_secrets(context, "result",
		bytes_str(context->tenant_key->bytes, SEAL_KEY_BYTES), bytes_str(salt, SALT_BYTES));
}

void seal_result_salt(const struct seal_context *context, const uint8_t *half_b, void *ret_salt)
{
	char text[SEAL_CONTEXT_BYTES];

	digest_hkdf(bytes_str(context->tenant_key->bytes, SEAL_KEY_BYTES),
		bytes_str(half_b, SEAL_HALF_BYTES), seal_header_context(context, "salt", text),
		ret_salt, SEAL_RESULT_SALT_BYTES);
}

uint64_t seal_result_size(uint64_t plain_bytes)
{
	return SEAL_RESULT_HEADER_BYTES + seal_chunk_sealed_bytes(plain_bytes);
}

struct err seal_result(const struct seal_context *context, struct str plain, struct buf *out)
{
	struct seal_secrets secrets SCOPED(seal_header_wipe) = { 0 };
	uint8_t header[SEAL_RESULT_HEADER_BYTES];
	uint8_t *salt = header + SEAL_HEADER_AT_PART;

	seal_key_fill(context->random, salt, SALT_BYTES);
	secrets = result_secrets(context, salt);
	seal_header_make(context, SEAL_PURPOSE_RESULT, &secrets, header);
	struct seal_chunk *body = seal_chunk_new(&(struct seal_chunk_spec){
		.key = secrets.key,
		.nonce = header + SEAL_HEADER_AT_NONCE,
		.header = bytes_str(header, sizeof header),
		.plain_bytes = plain.len,
		.encrypt = true,
	});
	if (body == NULL)
		return seal_header_no_memory();
	buf_add(out, header, sizeof header);
	struct err e = seal_chunk_seal(body, plain, out);
	seal_chunk_free(body);
	return e;
}

/* The body of a result whose header fits; NULL without memory. */
static struct err result_begin(const struct seal_context *context, const uint8_t *header,
	uint64_t plain_bytes, struct seal_chunk **ret_body)
{
	struct seal_secrets secrets SCOPED(seal_header_wipe) = { 0 };

	TRY(seal_header_check(context, SEAL_PURPOSE_RESULT, header));
	secrets = result_secrets(context, header + SEAL_HEADER_AT_PART);
	TRY(seal_header_fits(&secrets, header));
	*ret_body = seal_chunk_new(&(struct seal_chunk_spec){
		.key = secrets.key,
		.nonce = header + SEAL_HEADER_AT_NONCE,
		.header = bytes_str(header, SEAL_RESULT_HEADER_BYTES),
		.plain_bytes = plain_bytes,
	});
	return *ret_body == NULL ? seal_header_no_memory() : err_ok();
}

struct err seal_result_open(const struct seal_context *context, struct str sealed, struct buf *out)
{
	const size_t header_len = SEAL_RESULT_HEADER_BYTES;
	struct seal_chunk *body = NULL;
	uint64_t plain_bytes = 0;

	if (sealed.len < header_len ||
		!seal_chunk_plain_bytes(sealed.len - header_len, &plain_bytes))
		return seal_header_refuse("no sealed result has this size");
	TRY(result_begin(context, (const uint8_t *)sealed.ptr, plain_bytes, &body));
	uint8_t *plain = malloc((size_t)plain_bytes + 1);
	struct err e = seal_header_no_memory();
	if (plain != NULL)
		e = seal_chunk_open(
			body, bytes_str(sealed.ptr + header_len, sealed.len - header_len), plain);
	if (e.kind == ERR_OK) {
		/* the size was computed from the body's, so its end is the last chunk's */
		assert(seal_chunk_done(body));
		buf_add(out, plain, (size_t)plain_bytes);
		e = buf_check(out);
	}
	if (plain != NULL)
		digest_wipe(plain, (size_t)plain_bytes);
	free(plain);
	seal_chunk_free(body);
	return e;
}
