/*
 * The secret of a webhook endpoint as it stands in its row: 32 random bytes, wrapped under the
 * tenant's key and bound to tenant and endpoint, so that no row opens with another one's. Byte by
 * byte: docs/format.md. Any thread.
 */
#ifndef ESTEIRA_PORT_WEBHOOK_SECRET_H
#define ESTEIRA_PORT_WEBHOOK_SECRET_H

#include "base/err.h"
#include "model/tenant.h"
#include "port/seal_key.h"
#include "port/webhook_sign.h"

struct webhook_secret_of {
	const struct seal_key *tenant_key;
	struct tenant tenant;
	struct id endpoint_id;
};

/* key has WEBHOOK_SIGN_KEY_MADE bytes; ret_wrapped takes SEAL_KEY_WRAP_BYTES. ERR_FATAL
 * out-of-memory. */
struct err webhook_secret_wrap(const struct webhook_secret_of *of,
	const struct webhook_sign_key *key, uint8_t *ret_wrapped) ERR_MUST_USE;

/* ERR_REJECT undecryptable: another tenant, endpoint or key, or an altered row. ERR_FATAL
 * out-of-memory. */
struct err webhook_secret_unwrap(const struct webhook_secret_of *of, struct str wrapped,
	struct webhook_sign_key *ret_key) ERR_MUST_USE;

#endif
