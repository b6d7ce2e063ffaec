#include "base/encode.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(hex)
{
	unsigned char all[256], back[256];
	char text[513];

	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	encode_hex(all, sizeof all, text);
	ck_assert_uint_eq(strlen(text), 512);
	ck_assert(strncmp(text, "000102", 6) == 0 && strcmp(text + 506, "fdfeff") == 0);
	ck_assert(encode_hex_back(str_of(text), back, sizeof back));
	ck_assert_mem_eq(all, back, sizeof all);
	encode_hex(NULL, 0, text);
	ck_assert_str_eq(text, "");
	ck_assert(encode_hex_back((struct str){ NULL, 0 }, back, 0));
	ck_assert(encode_hex_back(STR("aBCd"), back, 2));
	ck_assert(back[0] == 0xab && back[1] == 0xcd);
}
END_TEST

START_TEST(hex_refuses)
{
	static const char *const rows[] = { "", "a", "abc", "abcd0", "ag00", "0x00", " abc", "abc ",
		"/000", ":000", "@000", "G000", "`000", "g000", "\377000" };

	for (size_t i = 0; i < COUNT(rows); i++) {
		char data[2] = { 'x', 'y' };

		ck_assert_msg(!encode_hex_back(str_of(rows[i]), data, 2), "%s", rows[i]);
		ck_assert(data[0] == 'x' && data[1] == 'y');
	}
}
END_TEST

/* RFC 4648 section 10, without padding, and the two characters of section 5. */
static const struct {
	const char *plain, *text;
	size_t len;
} vectors[] = {
	{ "", "", 0 },
	{ "f", "Zg", 1 },
	{ "fo", "Zm8", 2 },
	{ "foo", "Zm9v", 3 },
	{ "foob", "Zm9vYg", 4 },
	{ "fooba", "Zm9vYmE", 5 },
	{ "foobar", "Zm9vYmFy", 6 },
	{ "\xfb\xff\xbf", "-_-_", 3 },
	{ "\0\0\0", "AAAA", 3 },
	{ "\xff\xff\xff\xff", "_____w", 4 },
};

START_TEST(base64url)
{
	for (size_t i = 0; i < COUNT(vectors); i++) {
		char text[16], back[16];
		size_t len = 99;

		encode_base64url(vectors[i].plain, vectors[i].len, text);
		ck_assert_str_eq(text, vectors[i].text);
		ck_assert(encode_base64url_back(str_of(text), back, vectors[i].len, &len));
		ck_assert_uint_eq(len, vectors[i].len);
		ck_assert_mem_eq(back, vectors[i].plain, len);
		if (len > 0)
			ck_assert(!encode_base64url_back(str_of(text), back, len - 1, &len));
	}
}
END_TEST

START_TEST(base64url_of_any_length)
{
	unsigned char data[200], back[200];
	char text[300];
	size_t len = 0;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 167 + 13);
	for (size_t n = 0; n <= sizeof data; n++) {
		encode_base64url(data, n, text);
		ck_assert_uint_eq(strlen(text), (n * 4 + 2) / 3);
		ck_assert(encode_base64url_back(str_of(text), back, sizeof back, &len));
		ck_assert_uint_eq(len, n);
		ck_assert_mem_eq(back, data, n);
	}
}
END_TEST

/* One value has one text: no padding, no spaces, no other alphabet, no bits left over. */
START_TEST(base64url_refuses)
{
	static const char *const rows[] = { "A", "AAAAA", "Zg==", "Zm8=", "Zm9v\n", " Zm9v", "Zm+v",
		"Zm/v", "Zh", "Zv", "Zm9", "__", "Zm9vYg.", "\303\247aa" };

	for (size_t i = 0; i < COUNT(rows); i++) {
		char data[16] = "untouched";
		size_t len = 99;

		ck_assert_msg(
			!encode_base64url_back(str_of(rows[i]), data, 16, &len), "%s", rows[i]);
		ck_assert_uint_eq(len, 99);
		ck_assert_str_eq(data, "untouched");
	}
}
END_TEST

/* RFC 4648 section 10, and the two digits that the alphabets do not share. */
START_TEST(base64)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "+/+/" } };
	char text[16], back[16];
	size_t len;

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		encode_base64(pairs[i][0], strlen(pairs[i][0]), text);
		ck_assert_str_eq(text, pairs[i][1]);
		ck_assert(encode_base64_back(str_of(text), back, sizeof back, &len));
		ck_assert_uint_eq(len, strlen(pairs[i][0]));
		ck_assert_mem_eq(back, pairs[i][0], len);
	}
}
END_TEST

START_TEST(base64_refuses)
{
	static const char *const texts[] = { "Zg",
		"Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "-_-_", "Zm 9v", "Zm9v\n", "=Zm9",
		"Zg==Zg==" };
	char back[16];
	size_t len;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		ck_assert_msg(!encode_base64_back(str_of(texts[i]), back, sizeof back, &len), "%s",
			texts[i]);
	ck_assert(!encode_base64_back(STR("Zm9vYmFy"), back, 5, &len));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encode");
	TCase *tcase = tcase_create("encode");

	tcase_add_test(tcase, hex);
	tcase_add_test(tcase, hex_refuses);
	tcase_add_test(tcase, base64url);
	tcase_add_test(tcase, base64url_of_any_length);
	tcase_add_test(tcase, base64url_refuses);
	tcase_add_test(tcase, base64);
	tcase_add_test(tcase, base64_refuses);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
