#include "api/keys.h"

#include <check.h>

#include "api_suite.h"
#include "model/codec.h"

enum { ARENA_BYTES = 1 << 16 };

/* 2026-11-22T12:00:00Z */
static const int64_t now_ms = INT64_C(1795348800000);

static const struct {
	const char *body;
	enum err_code code; /* NONE: taken */
	unsigned scopes;
	int64_t expires_ms;
} creates[] = {
	{ "{\"scopes\":[\"extract\"]}", ERR_CODE_NONE, API_KEYS_EXTRACT, CODEC_NO_INT },
	{ "{\"scopes\":[ \"admin\" , \"status\" ]}", ERR_CODE_NONE,
		API_KEYS_ADMIN | API_KEYS_STATUS, CODEC_NO_INT },
	{ "{\"scopes\":[\"audit\"],\"expires_at\":\"2026-11-22T12:00:00.001Z\"}", ERR_CODE_NONE,
		API_KEYS_AUDIT, INT64_C(1795348800001) },
	{ "{\"scopes\":[\"audit\"],\"expires_at\":\"2026-11-22T12:00:00Z\"}",
		ERR_CODE_BAD_PARAMETER, 0, 0 },
	{ "{}", ERR_CODE_BAD_PARAMETER, 0, 0 },
	{ "{\"scopes\":null}", ERR_CODE_BAD_PARAMETER, 0, 0 },
	{ "{\"scopes\":[]}", ERR_CODE_BAD_PARAMETER, 0, 0 },
	{ "{\"scopes\":[\"audit\",\"audit\"]}", ERR_CODE_BAD_PARAMETER, 0, 0 },
	{ "{\"scopes\":[1]}", ERR_CODE_BAD_PARAMETER, 0, 0 },
	{ "{\"scopes\":[\"a\\u0075dit\"]}", ERR_CODE_BAD_PARAMETER, 0, 0 },
	{ "{\"scopes\":[\"audit\"],\"partner\":\"acme\"}", ERR_CODE_BAD_PARAMETER, 0, 0 },
	{ "{\"scopes\":[\"audit\"],\"expires_at\":7}", ERR_CODE_BAD_REQUEST, 0, 0 },
	{ "[]", ERR_CODE_BAD_REQUEST, 0, 0 },
	{ "", ERR_CODE_BAD_REQUEST, 0, 0 },
};

START_TEST(test_create)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(ARENA_BYTES);
	struct keys_wish wish = { .scopes = 0 };
	struct err e = keys_read_create(str_of(creates[_i].body), arena, now_ms, &wish);

	ck_assert_int_eq(e.code, creates[_i].code);
	ck_assert_uint_eq(wish.scopes, creates[_i].scopes);
	ck_assert_int_eq(wish.expires_ms, creates[_i].expires_ms);
}
END_TEST

static const struct {
	const char *body;
	enum err_code code;
	int64_t overlap_s;
} rotations[] = {
	{ "", ERR_CODE_NONE, 86400 },
	{ " ", ERR_CODE_NONE, 86400 },
	{ "{}", ERR_CODE_NONE, 86400 },
	{ "{\"overlap_seconds\":0}", ERR_CODE_NONE, 0 },
	{ "{\"overlap_seconds\":2592000}", ERR_CODE_NONE, 2592000 },
	{ "{\"overlap_seconds\":2592001}", ERR_CODE_BAD_PARAMETER, 0 },
	{ "{\"overlap_seconds\":-1}", ERR_CODE_BAD_PARAMETER, 0 },
	{ "{\"overlap\":1}", ERR_CODE_BAD_PARAMETER, 0 },
	{ "{\"overlap_seconds\":\"1\"}", ERR_CODE_BAD_REQUEST, 0 },
	{ "7", ERR_CODE_BAD_REQUEST, 0 },
};

START_TEST(test_rotate)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(ARENA_BYTES);
	struct keys_wish wish = { .scopes = 0 };
	struct err e = keys_read_rotate(str_of(rotations[_i].body), arena, &wish);

	ck_assert_int_eq(e.code, rotations[_i].code);
	ck_assert_int_eq(wish.overlap_s, rotations[_i].overlap_s);
}
END_TEST

START_TEST(test_write)
{
	const struct api_keys_row full = { .key_id = "0a0b0c0d",
		.state = "revoked",
		.partner = "acme",
		.scopes = API_KEYS_EXTRACT | API_KEYS_ADMIN,
		.created_at = 1,
		.expires_at = 2,
		.revoked_at = 3,
		.rotated_from = "00000001",
		.created_by = "a \"b\"" };
	const struct api_keys_row bare = { .key_id = "0a0b0c0d",
		.state = "active",
		.partner = "self",
		.scopes = API_KEYS_STATUS,
		.created_at = 1,
		.expires_at = CODEC_NO_INT,
		.revoked_at = CODEC_NO_INT };
	struct buf out SCOPED(buf_done) = BUF(KEYS_JSON_MAX_BYTES);

	ck_assert_int_eq(keys_write(&full, "uk_x", true, &out).kind, ERR_OK);
	ck_assert_str_eq(out.ptr,
		"{\"id\":\"0a0b0c0d\",\"key\":\"uk_x\",\"state\":\"revoked\",\"partner\":\"acme\","
		"\"scopes\":[\"extract\",\"admin\"],\"calling\":true,"
		"\"created_at\":\"1970-01-01T00:00:00.001Z\","
		"\"expires_at\":\"1970-01-01T00:00:00.002Z\","
		"\"revoked_at\":\"1970-01-01T00:00:00.003Z\",\"rotated_from\":\"00000001\","
		"\"created_by\":\"a \\\"b\\\"\"}");
	buf_clear(&out);
	ck_assert_int_eq(keys_write(&bare, NULL, false, &out).kind, ERR_OK);
	ck_assert_str_eq(out.ptr, "{\"id\":\"0a0b0c0d\",\"state\":\"active\",\"partner\":\"self\","
				  "\"scopes\":[\"status\"],\"calling\":false,"
				  "\"created_at\":\"1970-01-01T00:00:00.001Z\"}");
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_create, sizeof creates / sizeof *creates },
		{ test_rotate, sizeof rotations / sizeof *rotations },
		{ test_write, 0 },
		{ NULL, 0 },
	};

	return api_suite_main("api/keys", cases);
}
