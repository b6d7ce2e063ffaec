#include "port/webhook_secret.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { CONTEXT_BYTES = 128 };

_Static_assert(
	(int)WEBHOOK_SIGN_KEY_MADE == (int)SEAL_KEY_BYTES, "a secret is wrapped as a key is");

static struct str context_of(const struct webhook_secret_of *of, char *text)
{
	char tenant[ID_TEXT_BYTES], endpoint[ID_TEXT_BYTES];

	id_format(of->tenant.id, tenant);
	id_format(of->endpoint_id, endpoint);
	snprintf(text, CONTEXT_BYTES, "esteira/1|webhook|%s|%s", tenant, endpoint);
	return str_of(text);
}

struct err webhook_secret_wrap(const struct webhook_secret_of *of,
	const struct webhook_sign_key *key, uint8_t *ret_wrapped)
{
	struct seal_key SCOPED(seal_key_wipe) inner = { { 0 } };
	char context[CONTEXT_BYTES];

	assert(key->len == sizeof inner.bytes);
	memcpy(inner.bytes, key->bytes, sizeof inner.bytes);
	return seal_key_wrap_raw(
		of->tenant_key, context_of(of, context), &inner, NULL, ret_wrapped);
}

struct err webhook_secret_unwrap(
	const struct webhook_secret_of *of, struct str wrapped, struct webhook_sign_key *ret_key)
{
	struct seal_key SCOPED(seal_key_wipe) inner = { { 0 } };
	char context[CONTEXT_BYTES];

	if (wrapped.len != SEAL_KEY_WRAP_BYTES)
		return err_reject(ERR_CODE_UNDECRYPTABLE, "a wrapped secret of another size");
	TRY(seal_key_unwrap_raw(
		of->tenant_key, context_of(of, context), (const uint8_t *)wrapped.ptr, &inner));
	memcpy(ret_key->bytes, inner.bytes, sizeof inner.bytes);
	ret_key->len = sizeof inner.bytes;
	return err_ok();
}
