/*
 * The Idempotency-Key header: a string of RFC 8941 section 3.3.3 in quotes, or the same characters
 * bare, as most clients send it. Source: draft-ietf-httpapi-idempotency-key-header.
 */
#ifndef ESTEIRA_INTAKE_API_IDEMPOTENCY_H
#define ESTEIRA_INTAKE_API_IDEMPOTENCY_H

#include "base/err.h"
#include "base/str.h"

enum { IDEMPOTENCY_KEY_BYTES = 256 };

/* The key without quotes and escapes; ret_key takes IDEMPOTENCY_KEY_BYTES. ERR_REJECT bad-parameter
 * unless it is 1 to 255 printable ASCII characters. Any thread. */
struct err idempotency_read(struct str header, char *ret_key) ERR_MUST_USE;

#endif
