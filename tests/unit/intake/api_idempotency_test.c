#include "api/idempotency.h"

#include <check.h>
#include <string.h>

#include "api_suite.h"

#define A50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A255 A50 A50 A50 A50 A50 "aaaaa"

static const struct {
	const char *header, *key; /* key NULL = refused */
} rows[] = {
	{ "a", "a" },
	{ "8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324" },
	{ "\"8e03978e-40d5\"", "8e03978e-40d5" },
	{ "\"a b\"", "a b" },
	{ "a b", "a b" },
	{ "\"a\\\"b\\\\c\"", "a\"b\\c" },
	{ "a\"b", "a\"b" },
	{ "~ !", "~ !" },
	{ A255, A255 },
	{ "\"" A255 "\"", A255 },
	{ A255 "a", NULL },
	{ "\"" A255 "a\"", NULL },
	{ "", NULL },
	{ "\"", NULL },
	{ "\"\"", NULL },
	{ "\"a", NULL },
	{ "\"a\"b", NULL },
	{ "\"a\"b\"", NULL },
	{ "\"a\\", NULL },
	{ "\"a\\\"", NULL },
	{ "\"a\\n\"", NULL },
	{ "a\tb", NULL },
	{ "caf\xc3\xa9", NULL },
	{ "\"\x7f\"", NULL },
};

START_TEST(test_row)
{
	char key[IDEMPOTENCY_KEY_BYTES] = "untouched";
	struct err e = idempotency_read(str_of(rows[_i].header), key);

	if (rows[_i].key != NULL) {
		ck_assert_int_eq(e.kind, ERR_OK);
		ck_assert_str_eq(key, rows[_i].key);
	} else {
		ck_assert(err_is(e, ERR_CODE_BAD_PARAMETER));
		ck_assert_str_eq(key, "untouched");
	}
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_row, sizeof rows / sizeof *rows },
		{ NULL, 0 },
	};

	return api_suite_main("api/idempotency", cases);
}
