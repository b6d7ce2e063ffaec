#include "base/clock.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
	int64_t wall_ms;
	const char *text;
} moments[] = {
	{ 0, "1970-01-01T00:00:00.000Z" },
	{ 1, "1970-01-01T00:00:00.001Z" },
	{ 999, "1970-01-01T00:00:00.999Z" },
	{ 1000, "1970-01-01T00:00:01.000Z" },
	{ -1, "1969-12-31T23:59:59.999Z" },
	{ -1000, "1969-12-31T23:59:59.000Z" },
	{ -1001, "1969-12-31T23:59:58.999Z" },
	{ 1795250040123, "2026-11-21T08:34:00.123Z" },
	{ 951782400000, "2000-02-29T00:00:00.000Z" },
	{ 4102444800000, "2100-01-01T00:00:00.000Z" },
	{ 253402300799999, "9999-12-31T23:59:59.999Z" },
	{ -62135596800000, "0001-01-01T00:00:00.000Z" },
	{ -62167219200000, "0000-01-01T00:00:00.000Z" },
	{ -30610224000000, "1000-01-01T00:00:00.000Z" },
	{ -30610224000001, "0999-12-31T23:59:59.999Z" },
};

START_TEST(formats_and_parses_back)
{
	for (size_t i = 0; i < COUNT(moments); i++) {
		char text[CLOCK_TEXT_BYTES];
		int64_t back = 7;

		clock_format(moments[i].wall_ms, text);
		ck_assert_str_eq(text, moments[i].text);
		ck_assert(clock_parse(str_of(text), &back));
		ck_assert_int_eq(back, moments[i].wall_ms);
	}
}
END_TEST

START_TEST(clamps)
{
	static const int64_t far[] = { INT64_MAX, 253402300800000 };
	static const int64_t long_ago[] = { INT64_MIN, -62167219200001 };
	char text[CLOCK_TEXT_BYTES];

	for (size_t i = 0; i < 2; i++) {
		clock_format(far[i], text);
		ck_assert_str_eq(text, "9999-12-31T23:59:59.999Z");
		clock_format(long_ago[i], text);
		ck_assert_str_eq(text, "0000-01-01T00:00:00.000Z");
	}
}
END_TEST

START_TEST(parses)
{
	static const struct {
		const char *text;
		int64_t wall_ms;
	} rows[] = {
		{ "2026-11-21T08:34:00Z", 1795250040000 },
		{ "2026-11-21t08:34:00z", 1795250040000 },
		{ "2026-11-21T08:34:00.1Z", 1795250040100 },
		{ "2026-11-21T08:34:00.123456Z", 1795250040123 },
		{ "2026-11-21T08:34:00.123456789Z", 1795250040123 },
		{ "2026-11-21T08:34:00.1239999999999Z", 1795250040123 },
		{ "2026-11-21T05:34:00.123-03:00", 1795250040123 },
		{ "2026-11-21T14:04:00.123+05:30", 1795250040123 },
		{ "2026-11-22T08:33:00+23:59", 1795250040000 },
		{ "2026-11-21T08:34:00-00:00", 1795250040000 },
		{ "2016-12-31T23:59:60Z", 1483228800000 }, /* the leap second is the next one */
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "1969-12-31T23:59:59.999Z", -1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t wall_ms = 7;

		ck_assert_msg(clock_parse(str_of(rows[i].text), &wall_ms), "%s", rows[i].text);
		ck_assert_int_eq(wall_ms, rows[i].wall_ms);
	}
}
END_TEST

START_TEST(refuses)
{
	static const char *const rows[] = { "", "2026", "2026-11-21", "2026-11-21T08:34Z",
		"2026-11-21T08:34:00", "2026-11-21 08:34:00Z", "2026-11-21T08:34:00.Z",
		"2026-11-21T08:34:00,1Z", "2026-11-21T08:34:00Z ", " 2026-11-21T08:34:00Z",
		"2026-11-21T08:34:00+0300", "2026-11-21T08:34:00+3:00", "2026-11-21T08:34:00+24:00",
		"2026-11-21T08:34:00+03:60", "2026-11-21T08:34:00+", "2026-11-21T08:34:00ZZ",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
		"2026-01-32T00:00:00Z", "2026-04-31T00:00:00Z", "2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z", "26-01-01T00:00:00Z", "2026-1-01T00:00:00Z",
		"+026-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "2026/01/01T00:00:00Z",
		"2026-01-01T00.00.00Z", "20260101T000000Z" };

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t wall_ms = 7;

		ck_assert_msg(!clock_parse(str_of(rows[i]), &wall_ms), "%s", rows[i]);
		ck_assert_int_eq(wall_ms, 7);
	}
}
END_TEST

START_TEST(does_not_depend_on_the_zone)
{
	int64_t wall_ms = 0;
	char text[CLOCK_TEXT_BYTES];

	setenv("TZ", "America/Sao_Paulo", 1);
	tzset();
	clock_format(1795250040123, text);
	ck_assert_str_eq(text, "2026-11-21T08:34:00.123Z");
	ck_assert(clock_parse(str_of(text), &wall_ms));
	ck_assert_int_eq(wall_ms, 1795250040123);
}
END_TEST

START_TEST(goes_on)
{
	int64_t us = clock_mono_us(), ms = clock_mono_ms();

	ck_assert_int_gt(us, 0);
	for (int i = 0; i < 10000; i++) {
		int64_t now = clock_mono_us();
		ck_assert_int_ge(now, us);
		us = now;
	}
	ck_assert_int_ge(us / 1000, ms);
	ck_assert_int_le(llabs(clock_wall_ms() - (int64_t)time(NULL) * 1000), 2000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tcase = tcase_create("clock");

	tcase_add_test(tcase, formats_and_parses_back);
	tcase_add_test(tcase, clamps);
	tcase_add_test(tcase, parses);
	tcase_add_test(tcase, refuses);
	tcase_add_test(tcase, does_not_depend_on_the_zone);
	tcase_add_test(tcase, goes_on);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
