#include "api/auth.h"

#include <check.h>
#include <string.h>

#include "api_suite.h"

#define SECRET "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE" /* 43 */

static const struct {
	const char *text; /* NULL = missing */
	bool well_formed;
} rows[] = {
	{ "uk_00ff12ab_" SECRET, true },
	{ NULL, false },
	{ "", false },
	{ "uk_", false },
	{ "uk_00ff12ab_", false },
	{ "uk_00ff12ab_" SECRET "A", false },
	{ "uk_00ff12a_A" SECRET, false },
	{ "uk_00ff12ag_" SECRET, false },
	{ "uk-00ff12ab_" SECRET, false },
	{ "uk_00ff12ab-" SECRET, false },
	{ "xx_00ff12ab_" SECRET, false },
	{ "uk_00ff12ab_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/AbCdE", false },
};

START_TEST(test_row)
{
	struct str text = rows[_i].text == NULL ? (struct str){ NULL, 0 } : str_of(rows[_i].text);
	uint8_t hash[DIGEST_BYTES];
	struct auth_key key;

	auth_key_of(text, &key);
	digest_sha256(text, hash);
	ck_assert_int_eq(key.well_formed, rows[_i].well_formed);
	ck_assert_mem_eq(key.hash, hash, sizeof hash);
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_row, sizeof rows / sizeof *rows },
		{ NULL, 0 },
	};

	return api_suite_main("api/auth", cases);
}
