#include "key.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

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
	struct key_made key;
	size_t len;

	key_make(&random, &key);
	ck_assert_str_eq(key.id, "00010203");
	ck_assert_str_eq(key.text, "uk_00010203_BAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiM");
	ck_assert_uint_eq(strlen(key.text), KEY_TEXT_BYTES - 1);
	digest_sha256(str_of(key.text), hash);
	ck_assert_mem_eq(hash, key.hash, sizeof hash);
	ck_assert(encode_base64url_back(str_of(key.text + 12), secret, sizeof secret, &len));
	ck_assert_uint_eq(len, 32);
}
END_TEST

START_TEST(two_keys_differ)
{
	struct key_made a, b;

	key_make(NULL, &a);
	key_make(NULL, &b);
	ck_assert_str_ne(a.text, b.text);
	key_wipe(&a);
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
	bool scopes[KEY_SCOPES] = { false };
	struct err e = key_read_scopes(str_of(lists[_i].list), scopes);

	ck_assert_int_eq(e.kind, lists[_i].flags == NULL ? ERR_REJECT : ERR_OK);
	for (size_t i = 0; i < KEY_SCOPES; i++)
		ck_assert_int_eq(scopes[i], lists[_i].flags != NULL && lists[_i].flags[i] == '1');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/key");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, a_key_is_its_id_and_32_random_bytes);
	tcase_add_test(tests, two_keys_differ);
	tcase_add_loop_test(tests, scopes_are_of_a_fixed_list, 0, sizeof lists / sizeof *lists);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
