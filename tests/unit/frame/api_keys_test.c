#include "frame/api_keys.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "port/seal_key.h"

static void fill_counting(void *arg, void *ret_bytes, size_t len)
{
	uint8_t *next = arg;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)ret_bytes)[i] = (*next)++;
}

START_TEST(a_key_is_its_id_and_32_random_bytes)
{
	uint8_t next = 0;
	const struct seal_random random = { fill_counting, &next };
	uint8_t hash[DIGEST_BYTES], secret[32];
	struct api_keys_made key;
	size_t len;

	api_keys_make(&random, &key);
	ck_assert_str_eq(key.id, "00010203");
	ck_assert_str_eq(key.text, "uk_00010203_BAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiM");
	ck_assert_uint_eq(strlen(key.text), API_KEYS_TEXT_BYTES - 1);
	digest_sha256(str_of(key.text), hash);
	ck_assert_mem_eq(hash, key.hash, sizeof hash);
	ck_assert(encode_base64url_back(str_of(key.text + 12), secret, sizeof secret, &len));
	ck_assert_uint_eq(len, 32);
}
END_TEST

START_TEST(two_keys_differ)
{
	struct api_keys_made a, b;

	api_keys_make(NULL, &a);
	api_keys_make(NULL, &b);
	ck_assert_str_ne(a.text, b.text);
	api_keys_wipe(&a);
	ck_assert_str_eq(a.text, "");
}
END_TEST

static const struct {
	const char *list;
	const char *flags; /* NULL = refused */
} lists[] = {
	{ "extract", "1000000" },
	{ "admin", "0000001" },
	{ "audit,extract", "1000100" },
	{ "extract,status,events,webhooks,audit,operate,admin", "1111111" },
	{ "", NULL },
	{ ",", NULL },
	{ ",extract", NULL },
	{ "extract,extract", NULL },
	{ "extract, status", NULL },
	{ "Extract", NULL },
	{ "extracts", NULL },
	{ "all", NULL },
};

START_TEST(scopes_are_of_a_fixed_list)
{
	unsigned scopes = 0;
	struct err e = api_keys_read_scopes(str_of(lists[_i].list), &scopes);

	ck_assert_int_eq(e.kind, lists[_i].flags == NULL ? ERR_REJECT : ERR_OK);
	for (size_t i = 0; i < API_KEYS_SCOPES; i++)
		ck_assert_int_eq((scopes & 1U << i) != 0,
			lists[_i].flags != NULL && lists[_i].flags[i] == '1');
}
END_TEST

START_TEST(scopes_are_written_as_they_are_read)
{
	for (unsigned scopes = 1; scopes < 1U << API_KEYS_SCOPES; scopes++) {
		char text[API_KEYS_SCOPES_BYTES];
		unsigned read = 0;

		api_keys_write_scopes(scopes, text);
		ck_assert_int_eq(api_keys_read_scopes(str_of(text), &read).kind, ERR_OK);
		ck_assert_uint_eq(read, scopes);
	}
}
END_TEST

static const struct {
	const char *text;
	bool is_id;
} ids[] = { { "00010203", true }, { "deadbeef", true }, { "DEADBEEF", false }, { "0001020", false },
	{ "000102030", false }, { "0001020g", false }, { "", false } };

START_TEST(an_id_is_eight_hex_digits)
{
	ck_assert_int_eq(api_keys_is_id(str_of(ids[_i].text)), ids[_i].is_id);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame/api_keys");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, a_key_is_its_id_and_32_random_bytes);
	tcase_add_test(tests, two_keys_differ);
	tcase_add_loop_test(tests, scopes_are_of_a_fixed_list, 0, sizeof lists / sizeof *lists);
	tcase_add_test(tests, scopes_are_written_as_they_are_read);
	tcase_add_loop_test(tests, an_id_is_eight_hex_digits, 0, sizeof ids / sizeof *ids);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
