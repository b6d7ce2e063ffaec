#include "port/webhook_sign.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/encode.h"
#include "port/digest.h"

enum { SIGNATURE_BYTES = 47, HEAD_MAX = WEBHOOK_SIGN_ID_MAX + 32 };

static const char prefix[] = "whsec_";
static const char scheme[] = "v1,";

void webhook_sign_make(struct webhook_sign_key *ret_key)
{
	*ret_key = (struct webhook_sign_key){ .len = WEBHOOK_SIGN_KEY_MADE };
	digest_random(ret_key->bytes, ret_key->len);
}

void webhook_sign_format(const struct webhook_sign_key *key, char *ret_text)
{
	memcpy(ret_text, prefix, sizeof prefix - 1);
	encode_base64(key->bytes, key->len, ret_text + sizeof prefix - 1);
}

struct err webhook_sign_parse(struct str text, struct webhook_sign_key *ret_key)
{
	SCOPED(webhook_sign_wipe) struct webhook_sign_key key = { .len = 0 };

	if (!str_starts(text, str_of(prefix)))
		return err_reject(ERR_CODE_BAD_PARAMETER, "a webhook secret begins with whsec_");
	text.ptr += sizeof prefix - 1;
	text.len -= sizeof prefix - 1;
	if (text.len == 0 || !encode_base64_back(text, key.bytes, sizeof key.bytes, &key.len) ||
		key.len < WEBHOOK_SIGN_KEY_MIN)
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"a webhook secret is whsec_ and 24 to 64 bytes in base64");
	*ret_key = key;
	return err_ok();
}

void webhook_sign_wipe(struct webhook_sign_key *key)
{
	digest_wipe(key, sizeof *key);
}

static bool is_id(struct str id)
{
	if (id.len == 0 || id.len > WEBHOOK_SIGN_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (id.ptr[i] <= ' ' || id.ptr[i] > '~' || id.ptr[i] == '.')
			return false;
	return true;
}

/* What is signed. */
static struct err join(const struct webhook_sign_message *message, struct buf *text)
{
	if (!is_id(message->id) || message->timestamp_s < 0)
		return err_reject(ERR_CODE_BAD_PARAMETER, "a webhook id or time of no valid form");
	if (message->body.len > WEBHOOK_SIGN_BODY_MAX)
		return err_reject(ERR_CODE_RECORD_TOO_LARGE, "a webhook body larger than 1 MiB");
	buf_add_str(text, message->id);
	buf_addf(text, ".%" PRId64 ".", message->timestamp_s);
	buf_add_str(text, message->body);
	return buf_check(text);
}

/* ret_text takes SIGNATURE_BYTES + 1. */
static void sign(const struct webhook_sign_key *key, struct str text, char *ret_text)
{
	uint8_t mac[DIGEST_BYTES];

	digest_hmac_sha256((struct str){ (const char *)key->bytes, key->len }, text, mac);
	memcpy(ret_text, scheme, sizeof scheme - 1);
	encode_base64(mac, sizeof mac, ret_text + sizeof scheme - 1);
}

struct err webhook_sign_value(const struct webhook_sign_key *keys, size_t count,
	const struct webhook_sign_message *message, char *ret_value)
{
	SCOPED(buf_done) struct buf text = BUF(HEAD_MAX + WEBHOOK_SIGN_BODY_MAX);

	assert(count >= 1 && count <= WEBHOOK_SIGN_KEYS_MAX);
	TRY(join(message, &text));
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*ret_value++ = ' ';
		sign(keys + i, buf_str(&text), ret_value);
		ret_value += SIGNATURE_BYTES;
	}
	return err_ok();
}

/* Compares the texts: a signature that is not canonical base64 is none. */
static bool has_signature(struct str header, const char *expected)
{
	bool found = false;

	while (header.ptr != NULL) {
		struct str one = str_cut(header, ' ', &header);
		if (one.len == SIGNATURE_BYTES)
			found |= digest_equal(one.ptr, expected, SIGNATURE_BYTES);
	}
	return found;
}

struct err webhook_sign_verify(const struct webhook_sign_key *keys, size_t count,
	const struct webhook_sign_message *message, struct str header, int64_t now_s)
{
	SCOPED(buf_done) struct buf text = BUF(HEAD_MAX + WEBHOOK_SIGN_BODY_MAX);
	bool good = false;

	assert(count >= 1 && count <= WEBHOOK_SIGN_KEYS_MAX);
	TRY(join(message, &text));
	for (size_t i = 0; i < count && header.len <= WEBHOOK_SIGN_HEADER_MAX; i++) {
		char expected[SIGNATURE_BYTES + 1];
		sign(keys + i, buf_str(&text), expected);
		good |= has_signature(header, expected);
	}
	if (!good || message->timestamp_s < now_s - WEBHOOK_SIGN_TOLERANCE_S ||
		message->timestamp_s > now_s + WEBHOOK_SIGN_TOLERANCE_S)
		return err_reject(ERR_CODE_UNAUTHENTICATED,
			"no signature of this webhook is ours, or it is too old");
	return err_ok();
}
