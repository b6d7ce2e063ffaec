/*
 * Published answers: FIPS 180-4 (SHA-256), RFC 4231 (HMAC), RFC 5869 (HKDF), RFC 9562 and Python's
 * uuid.uuid5 (UUIDs).
 */
#include "port/digest.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

static void expect_hex(const void *bytes, size_t len, const char *hex)
{
	char text[512];

	encode_hex(bytes, len, text);
	ck_assert_str_eq(text, hex);
}

static const struct {
	const char *bytes;
	const char *hash;
} hashes[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

START_TEST(test_sha256)
{
	struct str text = str_of(hashes[_i].bytes);
	uint8_t hash[DIGEST_BYTES];

	digest_sha256(text, hash);
	expect_hex(hash, sizeof hash, hashes[_i].hash);
	for (size_t cut = 0; cut <= text.len; cut++) {
		struct digest *digest SCOPED(digest_drop) = digest_new();
		digest_add(digest, (struct str){ text.ptr, cut });
		digest_add(digest, (struct str){ text.ptr + cut, text.len - cut });
		digest_end(digest, hash);
		expect_hex(hash, sizeof hash, hashes[_i].hash);
	}
}
END_TEST

static const struct {
	const char *key;
	const char *bytes;
	const char *mac;
} macs[] = {
	{ "Jefe", "what do ya want for nothing?",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
	{ "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
		"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
};

START_TEST(test_hmac)
{
	uint8_t mac[DIGEST_BYTES];

	digest_hmac_sha256(str_of(macs[_i].key), str_of(macs[_i].bytes), mac);
	expect_hex(mac, sizeof mac, macs[_i].mac);
}
END_TEST

static const struct {
	const char *secret;
	const char *salt;
	const char *info;
	const char *key;
} keys[] = {
	{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
		"f0f1f2f3f4f5f6f7f8f9",
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b8871858"
		"65" },
	{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96"
		"c8" },
};

static struct str from_hex(const char *hex, char *bytes)
{
	size_t len = strlen(hex) / 2;

	ck_assert(encode_hex_back(str_of(hex), bytes, len));
	return (struct str){ bytes, len };
}

START_TEST(test_hkdf)
{
	char secret[64];
	char salt[64];
	char info[64];
	uint8_t key[42];

	digest_hkdf(from_hex(keys[_i].secret, secret), from_hex(keys[_i].salt, salt),
		from_hex(keys[_i].info, info), key, sizeof key);
	expect_hex(key, sizeof key, keys[_i].key);
}
END_TEST

static void expect_uuid5(
	const char *space, const struct str *parts, size_t count, const char *expected)
{
	struct id id;
	struct id derived;
	char text[ID_TEXT_BYTES];

	ck_assert(id_parse(str_of(space), &id));
	digest_uuid5(id, parts, count, &derived);
	id_format(derived, text);
	ck_assert_str_eq(text, expected);
}

START_TEST(test_uuid5)
{
	static const char dns[] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
	const struct str one[] = { STR("www.example.com") };
	const struct str name[] = { STR("esteira.events") };
	const struct str three[] = { STR("ação"), STR(""), STR("7") };
	char text[ID_TEXT_BYTES];

	expect_uuid5(dns, one, 1, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
	expect_uuid5(dns, name, 1, "a2d46588-5da5-52c8-b14b-5ab6c0520663");
	id_format(digest_event_namespace(), text);
	ck_assert_str_eq(text, "a2d46588-5da5-52c8-b14b-5ab6c0520663");
	expect_uuid5(text, three, 3, "597d1733-96a5-55d2-be5a-33c8b0bfbfbd");
}
END_TEST

START_TEST(test_uuid5_parts_do_not_merge)
{
	const struct str ab_c[] = { STR("ab"), STR("c") };
	const struct str a_bc[] = { STR("a"), STR("bc") };
	const struct str abc[] = { STR("abc") };
	struct id ids[3];

	digest_uuid5(digest_event_namespace(), ab_c, 2, &ids[0]);
	digest_uuid5(digest_event_namespace(), a_bc, 2, &ids[1]);
	digest_uuid5(digest_event_namespace(), abc, 1, &ids[2]);
	ck_assert(!id_eq(ids[0], ids[1]) && !id_eq(ids[1], ids[2]) && !id_eq(ids[0], ids[2]));
}
END_TEST

START_TEST(test_equal_random_wipe)
{
	static const uint8_t none[1000];
	uint8_t a[1000] = { 0 };
	uint8_t b[1000];

	ck_assert(digest_equal("abc", "abd", 2) && !digest_equal("abc", "abd", 3));
	digest_random(a, sizeof a);
	digest_random(b, sizeof b);
	/* past what one call of the kernel gives, too */
	ck_assert(!digest_equal(a, none, 32) && !digest_equal(a + 968, none, 32));
	ck_assert(!digest_equal(a, b, sizeof a));
	digest_wipe(a, sizeof a);
	ck_assert(digest_equal(a, none, sizeof a));
	digest_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("digest");
	TCase *tests = tcase_create("digest");

	tcase_add_loop_test(tests, test_sha256, 0, sizeof hashes / sizeof *hashes);
	tcase_add_loop_test(tests, test_hmac, 0, sizeof macs / sizeof *macs);
	tcase_add_loop_test(tests, test_hkdf, 0, sizeof keys / sizeof *keys);
	tcase_add_test(tests, test_uuid5);
	tcase_add_test(tests, test_uuid5_parts_do_not_merge);
	tcase_add_test(tests, test_equal_random_wipe);
	suite_add_tcase(suite, tests);
	SRunner *sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
