/*
 * Published answers: the test of the reference libraries of Standard Webhooks 1.0.0, and the
 * example of Svix's page "How to verify webhooks manually"; both recomputed with Python's hmac.
 */
#include "port/webhook_sign.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
	const char *secret, *id, *body, *value;
	int64_t timestamp_s;
} vectors[] = {
	{ "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"{\"test\": 2432232314}",
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", 1614265330 },
	{ "whsec_plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf",
		"{\"event_type\":\"ping\",\"data\":{\"success\":true}}",
		"v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=", 1731705121 },
};

/* By the bytes, not by webhook_sign_parse: Svix's example has 18, fewer than the standard wants. */
static struct webhook_sign_key key_of(const char *secret)
{
	struct webhook_sign_key key = { .len = 0 };

	ck_assert(encode_base64url_back(
		str_of(secret + strlen("whsec_")), key.bytes, sizeof key.bytes, &key.len));
	return key;
}

static struct webhook_sign_message message_of(size_t i)
{
	return (struct webhook_sign_message){ str_of(vectors[i].id), vectors[i].timestamp_s,
		str_of(vectors[i].body) };
}

START_TEST(published_vectors)
{
	for (size_t i = 0; i < COUNT(vectors); i++) {
		struct webhook_sign_key key = key_of(vectors[i].secret);
		struct webhook_sign_message message = message_of(i);
		char value[WEBHOOK_SIGN_VALUE_BYTES];

		ck_assert_int_eq(webhook_sign_value(&key, 1, &message, value).kind, ERR_OK);
		ck_assert_str_eq(value, vectors[i].value);
		ck_assert_int_eq(
			webhook_sign_verify(&key, 1, &message, str_of(value), message.timestamp_s)
				.kind,
			ERR_OK);
	}
}
END_TEST

START_TEST(two_keys_two_signatures)
{
	struct webhook_sign_key keys[] = { key_of(vectors[0].secret), key_of(vectors[1].secret) };
	struct webhook_sign_message message = message_of(0);
	char value[WEBHOOK_SIGN_VALUE_BYTES], alone[WEBHOOK_SIGN_VALUE_BYTES];

	ck_assert_int_eq(webhook_sign_value(keys, 2, &message, value).kind, ERR_OK);
	ck_assert_uint_eq(strlen(value), WEBHOOK_SIGN_VALUE_BYTES - 1);
	ck_assert(value[47] == ' ');
	ck_assert_int_eq(webhook_sign_value(&keys[1], 1, &message, alone).kind, ERR_OK);
	ck_assert_int_eq(memcmp(value, vectors[0].value, 47), 0);
	ck_assert_str_eq(value + 48, alone);
	/* a receiver that knows either of them, or both and one signature */
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(webhook_sign_verify(
					 &keys[i], 1, &message, str_of(value), message.timestamp_s)
					 .kind,
			ERR_OK);
	ck_assert_int_eq(
		webhook_sign_verify(keys, 2, &message, str_of(alone), message.timestamp_s).kind,
		ERR_OK);
}
END_TEST

#define GOOD "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

START_TEST(verifies)
{
	static const struct {
		const char *header;
		int64_t late_s; /* the receiver's clock, less the timestamp */
		bool good;
	} rows[] = {
		{ GOOD, 0, true },
		{ GOOD, 300, true },
		{ GOOD, -300, true },
		{ GOOD, 301, false },
		{ GOOD, -301, false },
		{ GOOD, INT32_MAX, false },
		{ "v1,AAAA " GOOD, 0, true },
		{ GOOD " v1,AAAA", 0, true },
		{ "v2," GOOD " " GOOD, 0, true },
		{ "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZ== " GOOD, 0,
			true },
		{ "  " GOOD " ", 0, true },
		{ "", 0, false },
		{ " ", 0, false },
		{ "v1,", 0, false },
		{ "v1", 0, false },
		{ "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE", 0, false },
		{ "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=", 0, false }, /* same bytes */
		{ "v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=", 0, false }, /* base64url */
		{ "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=", 0, false },
		{ "v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", 0, false },
		{ "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", 0, false },
		{ "V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", 0, false },
		{ "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", 0, false },
		{ GOOD "," GOOD, 0, false },
		{ "v1,83484cf52b04f8e4cf2531adfed9882ad4b2665137b852442d594d20e2c9d4e1", 0, false },
	};
	struct webhook_sign_key key = key_of(vectors[0].secret);
	struct webhook_sign_message message = message_of(0);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = webhook_sign_verify(&key, 1, &message, str_of(rows[i].header),
			message.timestamp_s + rows[i].late_s);

		ck_assert_msg((e.kind == ERR_OK) == rows[i].good, "%s", rows[i].header);
		ck_assert(rows[i].good || err_is(e, ERR_CODE_UNAUTHENTICATED));
	}
}
END_TEST

START_TEST(every_part_is_signed)
{
	struct webhook_sign_key key = key_of(vectors[0].secret), other = key;
	struct webhook_sign_message good = message_of(0), bad[] = { good, good, good };
	int64_t now_s = good.timestamp_s;

	bad[0].id = STR("msg_p5jXN8AQM9LWM0D4loKWxJel");
	bad[1].timestamp_s++;
	bad[2].body = STR("{\"test\": 2432232315}");
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(
			webhook_sign_verify(&key, 1, &bad[i], STR(GOOD), now_s).kind, ERR_REJECT);
	other.bytes[other.len - 1] ^= 1;
	ck_assert_int_eq(webhook_sign_verify(&other, 1, &good, STR(GOOD), now_s).kind, ERR_REJECT);
}
END_TEST

/* "a" at time 1 with body "2.x" and "a.1" at time 2 with "x" would sign the same text. */
START_TEST(ids)
{
	static const struct {
		const char *id;
		bool good;
	} rows[] = { { "a", true }, { "~!", true },
		{ "evt_0194f0a2-6f7e-7d2a-9b8e-2f1d0c3b4a59", true }, { "", false }, { ".", false },
		{ "a.1", false }, { "a.", false }, { "a b", false }, { "a\r\nx: y", false },
		{ "a\x7f", false }, { "\xc3\xa4", false } };
	struct webhook_sign_key key = key_of(vectors[0].secret);
	char value[WEBHOOK_SIGN_VALUE_BYTES], longest[WEBHOOK_SIGN_ID_MAX + 1];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct webhook_sign_message message = { str_of(rows[i].id), 1, STR("x") };
		struct err e = webhook_sign_value(&key, 1, &message, value);

		ck_assert_msg((e.kind == ERR_OK) == rows[i].good, "%s", rows[i].id);
		ck_assert(rows[i].good || err_is(e, ERR_CODE_BAD_PARAMETER));
	}
	memset(longest, 'i', sizeof longest);
	struct webhook_sign_message message = { { longest, sizeof longest - 1 }, INT64_MAX,
		STR("") };
	ck_assert_int_eq(webhook_sign_value(&key, 1, &message, value).kind, ERR_OK);
	message.id.len++;
	ck_assert_int_eq(webhook_sign_value(&key, 1, &message, value).kind, ERR_REJECT);
	message = (struct webhook_sign_message){ STR("a"), -1, STR("") };
	ck_assert_int_eq(webhook_sign_value(&key, 1, &message, value).kind, ERR_REJECT);
}
END_TEST

START_TEST(bodies_have_a_ceiling)
{
	struct webhook_sign_key key = key_of(vectors[0].secret);
	char value[WEBHOOK_SIGN_VALUE_BYTES], longest_id[WEBHOOK_SIGN_ID_MAX];
	char *body = calloc(1, WEBHOOK_SIGN_BODY_MAX + 1);

	memset(longest_id, 'i', sizeof longest_id);
	struct webhook_sign_message message = { { longest_id, sizeof longest_id }, INT64_MAX,
		{ body, WEBHOOK_SIGN_BODY_MAX } };
	ck_assert_int_eq(webhook_sign_value(&key, 1, &message, value).kind, ERR_OK);
	message.body.len++;
	struct err e = webhook_sign_value(&key, 1, &message, value);
	ck_assert(err_is(e, ERR_CODE_RECORD_TOO_LARGE));
	free(body);
}
END_TEST

START_TEST(headers_have_a_ceiling)
{
	struct webhook_sign_key key = key_of(vectors[0].secret);
	struct webhook_sign_message message = message_of(0);
	char header[WEBHOOK_SIGN_HEADER_MAX + 1];

	memset(header, ' ', sizeof header);
	memcpy(header, GOOD, sizeof GOOD - 1);
	ck_assert_int_eq(
		webhook_sign_verify(&key, 1, &message,
			(struct str){ header, WEBHOOK_SIGN_HEADER_MAX }, message.timestamp_s)
			.kind,
		ERR_OK);
	ck_assert_int_eq(webhook_sign_verify(&key, 1, &message,
				 (struct str){ header, sizeof header }, message.timestamp_s)
				 .kind,
		ERR_REJECT);
}
END_TEST

START_TEST(secrets_have_one_text)
{
	for (size_t len = WEBHOOK_SIGN_KEY_MIN; len <= WEBHOOK_SIGN_KEY_MAX; len++) {
		struct webhook_sign_key key = { .len = len }, back;
		char text[WEBHOOK_SIGN_SECRET_BYTES];

		for (size_t i = 0; i < len; i++)
			key.bytes[i] = (uint8_t)(0xf8 + 7 * i);
		webhook_sign_format(&key, text);
		ck_assert_uint_eq(strlen(text), 6 + (len + 2) / 3 * 4);
		ck_assert_int_eq(webhook_sign_parse(str_of(text), &back).kind, ERR_OK);
		ck_assert_uint_eq(back.len, len);
		ck_assert_int_eq(memcmp(back.bytes, key.bytes, len), 0);
	}
}
END_TEST

#define A32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* 24 zeros */

START_TEST(refuses_secrets)
{
	static const char *const rows[] = { "", "whsec_", "whsec", A32, "WHSEC_" A32, " whsec_" A32,
		"whpk_" A32, "whsk_" A32, "whsec_" A32 " ", "whsec_" A32 "\n", "whsec_" A32 "A",
		"whsec_" A32 "AA", "whsec_" A32 "AAA", "whsec_" A32 "A===", "whsec_" A32 "====",
		"whsec_" A32 "AB==", "whsec_" A32 "AAB=", "whsec_" A32 "AA=A", "whsec_=" A32 "AAA",
		"whsec_" A32 "AA-A", "whsec_" A32 "AA_A", "whsec_" A32 "AA.A", "whsec_whsec_" A32,
		"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",    /* 23 bytes */
		"whsec_" A32 A32 "AAAAAAAAAAAAAAAAAAAAAAA=", /* 65 */
		"whsec_" A32 A32 A32 };
	static const struct str nul = { "whsec_" A32 "AA\0A", 42 };
	struct webhook_sign_key key = { .len = 7 };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = webhook_sign_parse(str_of(rows[i]), &key);

		ck_assert_msg(err_is(e, ERR_CODE_BAD_PARAMETER), "%s", rows[i]);
	}
	ck_assert_int_eq(webhook_sign_parse(nul, &key).kind, ERR_REJECT);
	ck_assert_uint_eq(key.len, 7);
}
END_TEST

START_TEST(makes_keys)
{
	struct webhook_sign_key a, b, none = { .len = 0 };
	char text[WEBHOOK_SIGN_SECRET_BYTES];

	webhook_sign_make(&a);
	webhook_sign_make(&b);
	ck_assert_uint_eq(a.len, WEBHOOK_SIGN_KEY_MADE);
	ck_assert_int_ne(memcmp(a.bytes, b.bytes, a.len), 0);
	webhook_sign_format(&a, text);
	ck_assert_int_eq(webhook_sign_parse(str_of(text), &b).kind, ERR_OK);
	ck_assert_int_eq(memcmp(a.bytes, b.bytes, a.len), 0);
	webhook_sign_wipe(&a);
	ck_assert_int_eq(memcmp(a.bytes, none.bytes, sizeof a.bytes), 0);
	ck_assert_uint_eq(a.len, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("webhook_sign");
	TCase *tcase = tcase_create("sign");

	tcase_add_test(tcase, published_vectors);
	tcase_add_test(tcase, two_keys_two_signatures);
	tcase_add_test(tcase, verifies);
	tcase_add_test(tcase, every_part_is_signed);
	tcase_add_test(tcase, ids);
	tcase_add_test(tcase, bodies_have_a_ceiling);
	tcase_add_test(tcase, headers_have_a_ceiling);
	tcase_add_test(tcase, secrets_have_one_text);
	tcase_add_test(tcase, refuses_secrets);
	tcase_add_test(tcase, makes_keys);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
