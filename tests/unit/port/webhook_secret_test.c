/* A wrapped secret opens for its tenant and endpoint alone. */
#include "port/webhook_secret.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct webhook_secret_of of(const struct seal_key *key, uint8_t tenant, uint8_t endpoint)
{
	struct webhook_secret_of of = { .tenant_key = key };

	of.tenant.id.bytes[0] = tenant;
	of.endpoint_id.bytes[0] = endpoint;
	return of;
}

START_TEST(opens_where_it_belongs)
{
	struct seal_key key, other;
	struct webhook_sign_key secret, back = { .len = 0 };
	uint8_t wrapped[SEAL_KEY_WRAP_BYTES];
	const struct str row = { (const char *)wrapped, sizeof wrapped };

	seal_key_make(NULL, &key);
	seal_key_make(NULL, &other);
	webhook_sign_make(&secret);
	const struct webhook_secret_of here = of(&key, 1, 2), wrong[] = { of(&key, 1, 3),
		of(&key, 2, 2), of(&other, 1, 2) };
	ck_assert_int_eq(webhook_secret_wrap(&here, &secret, wrapped).kind, ERR_OK);
	ck_assert_int_eq(webhook_secret_unwrap(&here, row, &back).kind, ERR_OK);
	ck_assert_uint_eq(back.len, secret.len);
	ck_assert_mem_eq(back.bytes, secret.bytes, secret.len);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		ck_assert(err_is(
			webhook_secret_unwrap(&wrong[i], row, &back), ERR_CODE_UNDECRYPTABLE));
	for (size_t i = 0; i < sizeof wrapped; i++) {
		wrapped[i] ^= 1;
		ck_assert(err_is(webhook_secret_unwrap(&here, row, &back), ERR_CODE_UNDECRYPTABLE));
		wrapped[i] ^= 1;
	}
	const struct str cut = { row.ptr, row.len - 1 };
	ck_assert(err_is(webhook_secret_unwrap(&here, cut, &back), ERR_CODE_UNDECRYPTABLE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("webhook_secret");
	TCase *tcase = tcase_create("webhook_secret");

	tcase_add_test(tcase, opens_where_it_belongs);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
