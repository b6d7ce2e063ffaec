#include "base/id.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(formats_and_parses_back)
{
	static const char text[] = "0123abcd-4567-89ef-fedc-ba9876543210";
	char back[ID_TEXT_BYTES];
	struct id id, upper;

	ck_assert(id_parse(STR("0123abcd-4567-89ef-fedc-ba9876543210"), &id));
	ck_assert(id.bytes[0] == 0x01 && id.bytes[3] == 0xcd && id.bytes[15] == 0x10);
	id_format(id, back);
	ck_assert_str_eq(back, text);
	ck_assert(id_parse(STR("0123ABCD-4567-89EF-FEDC-BA9876543210"), &upper));
	ck_assert(id_eq(id, upper) && !id_is_nil(id));
	upper.bytes[15] ^= 1;
	ck_assert(!id_eq(id, upper));
	ck_assert(id_parse(STR("00000000-0000-0000-0000-000000000000"), &id) && id_is_nil(id));
}
END_TEST

START_TEST(refuses)
{
	static const char *const rows[] = { "", "0123abcd", "0123abcd456789effedcba9876543210",
		"0123abcd-4567-89ef-fedc-ba987654321", "0123abcd-4567-89ef-fedc-ba98765432100",
		"0123abcd-4567-89ef-fedc_ba9876543210", "0123abcd+4567-89ef-fedc-ba9876543210",
		"g123abcd-4567-89ef-fedc-ba9876543210", "0123abcd-4567-89ef-fedc-ba987654321g",
		"0123abc-d4567-89ef-fedc-ba9876543210", "{123abcd-4567-89ef-fedc-ba987654321}",
		" 123abcd-4567-89ef-fedc-ba9876543210" };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct id id = { { 9 } };

		ck_assert_msg(!id_parse(str_of(rows[i]), &id), "%s", rows[i]);
		ck_assert_uint_eq(id.bytes[0], 9);
	}
}
END_TEST

static uint64_t ms_of(struct id id)
{
	uint64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id.bytes[i];
	return ms;
}

/* RFC 9562 section 5.7: 48 bits of milliseconds, version 7, variant 10, the rest random. */
START_TEST(makes_version_7)
{
	enum { MANY = 2000 };
	static struct id ids[MANY];
	uint8_t ones[16] = { 0 }, zeros[16] = { 0 };
	uint64_t before = (uint64_t)clock_wall_ms();

	for (int i = 0; i < MANY; i++)
		ids[i] = id_v7();
	uint64_t after = (uint64_t)clock_wall_ms();
	for (int i = 0; i < MANY; i++) {
		ck_assert(ms_of(ids[i]) >= before && ms_of(ids[i]) <= after);
		ck_assert_uint_eq(ids[i].bytes[6] >> 4, 7);
		ck_assert_uint_eq(ids[i].bytes[8] >> 6, 2);
		for (int k = 0; k < 16; k++) {
			ones[k] |= ids[i].bytes[k];
			zeros[k] |= (uint8_t)~ids[i].bytes[k];
		}
		for (int k = 0; k < i && i < 200; k++)
			ck_assert(!id_eq(ids[i], ids[k]));
	}
	/* every one of the 74 bits was seen both ways */
	for (int k = 6; k < 16; k++) {
		uint8_t random = k == 6 ? 0x0f : k == 8 ? 0x3f : 0xff;
		ck_assert_uint_eq(ones[k] & random, random);
		ck_assert_uint_eq(zeros[k] & random, random);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("id");
	TCase *tcase = tcase_create("id");

	tcase_add_test(tcase, formats_and_parses_back);
	tcase_add_test(tcase, refuses);
	tcase_add_test(tcase, makes_version_7);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
