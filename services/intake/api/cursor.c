#include "api/cursor.h"

#include <string.h>

#include "base/encode.h"
#include "base/sabotage.h"
#include "port/digest.h"

enum {
	TIME_BYTES = 8,
	ID_BYTES = 16,
	PLACE_BYTES = TIME_BYTES + ID_BYTES,
	MAC_BYTES = 16,
	ALL = PLACE_BYTES + MAC_BYTES
};

/* 9999-12-31, for Postgres's arithmetic on timestamps */
static const int64_t start_us = INT64_C(253402214400000000);

struct cursor cursor_start(void)
{
	return (struct cursor){ .created_us = start_us };
}

static void authenticate(const uint8_t *key, const struct cursor_scope *scope, const uint8_t *place,
	uint8_t *ret_mac)
{
	char text[ID_BYTES + PLACE_BYTES + DIGEST_BYTES];

	memcpy(text, scope->tenant.id.bytes, ID_BYTES);
	memcpy(text + ID_BYTES, place, PLACE_BYTES);
	digest_sha256(str_of(scope->list), (uint8_t *)text + ID_BYTES + PLACE_BYTES);
	digest_hmac_sha256((struct str){ (const char *)key, CURSOR_KEY_BYTES },
		(struct str){ text, sizeof text }, ret_mac);
}

void cursor_format(const uint8_t *key, const struct cursor_scope *scope,
	const struct cursor *cursor, char *ret_text)
{
	uint8_t bytes[PLACE_BYTES + DIGEST_BYTES];

	for (unsigned i = 0; i < TIME_BYTES; i++)
		bytes[i] = (uint8_t)((uint64_t)cursor->created_us >> (8 * (TIME_BYTES - 1 - i)));
	memcpy(bytes + TIME_BYTES, cursor->job_id.bytes, sizeof cursor->job_id.bytes);
	authenticate(key, scope, bytes, bytes + PLACE_BYTES);
	encode_base64url(bytes, ALL, ret_text);
}

struct err cursor_parse(const uint8_t *key, const struct cursor_scope *scope, struct str text,
	struct cursor *ret_cursor)
{
	const struct err refused = err_reject(ERR_CODE_BAD_PARAMETER, "cursor is not valid here");
	uint8_t bytes[ALL], mac[DIGEST_BYTES];
	struct cursor cursor = { 0 };
	size_t len;

	if (!encode_base64url_back(text, bytes, sizeof bytes, &len) || len != ALL)
		return refused;
	authenticate(key, scope, bytes, mac);
	if (!digest_equal(mac, bytes + PLACE_BYTES, MAC_BYTES) && !sabotage_is("cursor_check"))
		return refused;
	for (unsigned i = 0; i < TIME_BYTES; i++)
		cursor.created_us = (int64_t)((uint64_t)cursor.created_us << 8 | bytes[i]);
	memcpy(cursor.job_id.bytes, bytes + TIME_BYTES, sizeof cursor.job_id.bytes);
	*ret_cursor = cursor;
	return err_ok();
}
