#include "api/cursor.h"

#include <check.h>
#include <string.h>

#include "api_suite.h"

static const uint8_t key[CURSOR_KEY_BYTES] = { 1, 2, 3 };
#define ALFA                                                                                       \
	{                                                                                          \
		{                                                                                  \
			{                                                                          \
				0xa1, 1                                                            \
			}                                                                          \
		}                                                                                  \
	}
static const struct cursor_scope alfa = { ALFA, "/v1/jobs" };
static const struct cursor_scope others[] = {
	{ { { { 0xbe, 2 } } }, "/v1/jobs" },
	{ ALFA, "/v1/keys" },
	{ ALFA, "/v1/jobs&status=failed" },
	{ ALFA, "" },
};
static const struct cursor places[] = {
	{ 0, { { 0 } } },
	{ 1795262400123456, { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } } },
	{ INT64_MAX, { { 0xff, 0xff } } },
};

START_TEST(test_comes_back)
{
	char text[CURSOR_TEXT_BYTES];
	struct cursor back;

	cursor_format(key, &alfa, &places[_i], text);
	ck_assert_uint_lt(strlen(text), sizeof text);
	ck_assert_int_eq(cursor_parse(key, &alfa, str_of(text), &back).kind, ERR_OK);
	ck_assert_int_eq(back.created_us, places[_i].created_us);
	ck_assert(id_eq(back.job_id, places[_i].job_id));
}
END_TEST

START_TEST(test_of_another_tenant_or_list)
{
	char text[CURSOR_TEXT_BYTES];
	struct cursor back;

	cursor_format(key, &alfa, &places[1], text);
	ck_assert(err_is(
		cursor_parse(key, &others[_i], str_of(text), &back), ERR_CODE_BAD_PARAMETER));
}
END_TEST

START_TEST(test_of_another_key)
{
	static const uint8_t other[CURSOR_KEY_BYTES] = { 1, 2, 4 };
	char text[CURSOR_TEXT_BYTES];
	struct cursor back;

	cursor_format(key, &alfa, &places[1], text);
	ck_assert(err_is(cursor_parse(other, &alfa, str_of(text), &back), ERR_CODE_BAD_PARAMETER));
}
END_TEST

START_TEST(test_every_letter_counts)
{
	char text[CURSOR_TEXT_BYTES];
	struct cursor back;

	cursor_format(key, &alfa, &places[1], text);
	for (size_t i = 0; i < strlen(text); i++) {
		char was = text[i];
		text[i] = was == 'A' ? 'B' : 'A';
		ck_assert_int_eq(cursor_parse(key, &alfa, str_of(text), &back).kind, ERR_REJECT);
		text[i] = was;
	}
}
END_TEST

START_TEST(test_not_a_cursor)
{
	static const char *const texts[] = { "", "A", "not base64url!", "AAAA",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
	struct cursor back;

	ck_assert_int_eq(cursor_parse(key, &alfa, str_of(texts[_i]), &back).kind, ERR_REJECT);
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_comes_back, sizeof places / sizeof *places },
		{ test_of_another_tenant_or_list, sizeof others / sizeof *others },
		{ test_of_another_key, 0 },
		{ test_every_letter_counts, 0 },
		{ test_not_a_cursor, 6 },
		{ NULL, 0 },
	};

	return api_suite_main("api/cursor", cases);
}
