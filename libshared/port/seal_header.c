#include "port/seal_header.h"

#include <stdio.h>
#include <string.h>

#include "port/digest.h"
#include "port/seal_chunk.h"

enum {
	FORMAT = 1,
	AT_FORMAT = 4,
	AT_PURPOSE = 5,
	AT_ZERO = 6,
	AT_VERSION = 8,
	AT_ZERO_TOO = 19,
	AT_COMMITMENT = 20,
};

static const uint8_t magic[AT_FORMAT] = { 'E', 'S', 'T', 'S' };

struct err seal_header_refuse(const char *msg)
{
	return err_reject(ERR_CODE_UNDECRYPTABLE, msg);
}

struct err seal_header_no_memory(void)
{
	return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for an envelope");
}

void seal_header_wipe(struct seal_secrets *secrets)
{
	digest_wipe(secrets, sizeof *secrets);
}

struct str seal_header_context(const struct seal_context *context, const char *what, char *text)
{
	char tenant[ID_TEXT_BYTES];
	char job[ID_TEXT_BYTES];

	id_format(context->tenant.id, tenant);
	id_format(context->job, job);
	int len = snprintf(text, SEAL_CONTEXT_BYTES, "esteira/1|%s|%s|%s", what, tenant, job);
	return (struct str){ text, (size_t)len };
}

struct seal_secrets seal_header_secrets(
	const struct seal_context *context, const char *what, struct str material, struct str salt)
{
	struct seal_secrets secrets;
	char text[SEAL_CONTEXT_BYTES];

	digest_hkdf(
		material, salt, seal_header_context(context, what, text), &secrets, sizeof secrets);
	return secrets;
}

void seal_header_make(const struct seal_context *context, enum seal_purpose purpose,
	const struct seal_secrets *secrets, uint8_t *ret_header)
{
	memset(ret_header, 0, SEAL_HEADER_AT_PART);
	memcpy(ret_header, magic, sizeof magic);
	ret_header[AT_FORMAT] = FORMAT;
	ret_header[AT_PURPOSE] = (uint8_t)purpose;
	for (size_t i = 0; i < 4; i++)
		ret_header[AT_VERSION + i] = (uint8_t)(context->key_version >> (24 - 8 * i));
	seal_key_fill(context->random, ret_header + SEAL_HEADER_AT_NONCE, SEAL_CHUNK_NONCE_BYTES);
	memcpy(ret_header + AT_COMMITMENT, secrets->commitment, sizeof secrets->commitment);
}

struct err seal_header_version(struct str envelope, uint32_t *ret_version)
{
	const uint8_t *header = (const uint8_t *)envelope.ptr;
	uint32_t version = 0;

	if (envelope.len < SEAL_HEADER_AT_NONCE || memcmp(header, magic, sizeof magic) != 0 ||
		header[AT_FORMAT] != FORMAT || header[AT_ZERO] != 0 || header[AT_ZERO + 1] != 0)
		return seal_header_refuse("not an envelope of this format");
	for (size_t i = 0; i < 4; i++)
		version = version << 8 | header[AT_VERSION + i];
	if (version == 0)
		return seal_header_refuse("not an envelope of this format");
	*ret_version = version;
	return err_ok();
}

struct err seal_header_check(
	const struct seal_context *context, enum seal_purpose purpose, const uint8_t *header)
{
	uint32_t version = 0;

	TRY(seal_header_version(
		(struct str){ (const char *)header, SEAL_HEADER_AT_PART }, &version));
	if (header[AT_PURPOSE] != purpose || header[AT_ZERO_TOO] != 0)
		return seal_header_refuse("the envelope is of another kind");
	if (version != context->key_version)
		return seal_header_refuse("the envelope was made with another version of the key");
	return err_ok();
}

struct err seal_header_fits(const struct seal_secrets *secrets, const uint8_t *header)
{
	if (!digest_equal(secrets->commitment, header + AT_COMMITMENT, sizeof secrets->commitment))
		return seal_header_refuse("the envelope was made with another key");
	return err_ok();
}
