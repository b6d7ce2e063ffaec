#include "replay.h"

#include <check.h>
#include <string.h>

#include "replay_plan.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(bounds_are_times_or_offsets)
{
	static const struct {
		const char *text;
		bool good, is_time;
		int64_t value;
	} rows[] = {
		{ "0", true, false, 0 },
		{ "9223372036854775807", true, false, INT64_MAX },
		{ "9223372036854775808", false, false, 0 },
		{ "-1", false, false, 0 },
		{ "+1", false, false, 0 },
		{ "1 ", false, false, 0 },
		{ "", false, false, 0 },
		{ "now", false, false, 0 },
		{ "1970-01-01T00:00:01Z", true, true, 1000 },
		{ "1970-01-01T00:00:01.5Z", true, true, 1500 },
		{ "1970-01-01T00:00:00-03:00", true, true, 10800000 },
		{ "1970-01-01T00:00:01", false, false, 0 }, /* whose zone? */
		{ "1970-01-01", false, false, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct replay_plan_bound bound = { true, -7 };
		ck_assert_msg(replay_plan_read_bound(rows[i].text, &bound) == rows[i].good, "%s",
			rows[i].text);
		if (rows[i].good)
			ck_assert_msg(
				bound.is_time == rows[i].is_time && bound.value == rows[i].value,
				"%s", rows[i].text);
		else
			ck_assert_int_eq(bound.value, -7);
	}
}
END_TEST

START_TEST(ranges_are_what_the_group_has_handled_and_the_log_has)
{
	static const struct {
		struct replay_plan_range asked, log;
		int64_t progress;
		struct replay_plan_range range;
	} rows[] = {
		{ { 10, 20 }, { 0, 100 }, 50, { 10, 20 } },
		{ { 10, 80 }, { 0, 100 }, 50, { 10, 50 } },
		{ { 10, 50 }, { 0, 100 }, 50, { 10, 50 } },
		{ { 50, 80 }, { 0, 100 }, 50, { 50, 50 } },
		{ { 60, 80 }, { 0, 100 }, 50, { 50, 50 } },
		{ { 10, 80 }, { 30, 100 }, 50, { 30, 50 } },
		{ { 10, 20 }, { 30, 100 }, 50, { 20, 20 } },
		{ { 0, 80 }, { 0, 0 }, 0, { 0, 0 } },
		{ { 0, 80 }, { 0, 100 }, -1, { 0, 0 } },
		{ { 0, 80 }, { 30, 100 }, -1, { 30, 30 } },
		{ { 0, 80 }, { 30, 100 }, 10, { 30, 30 } }, /* expired before it was handled */
		{ { INT64_MAX, INT64_MAX }, { 0, 100 }, 50, { 50, 50 } }, /* nothing so late */
		{ { 0, INT64_MAX }, { 0, 100 }, 200, { 0, 100 } },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct replay_plan_range range =
			replay_plan_clip(rows[i].asked, rows[i].log, rows[i].progress);
		ck_assert_msg(range.from == rows[i].range.from && range.to == rows[i].range.to,
			"row %zu: %lld %lld", i, (long long)range.from, (long long)range.to);
	}
}
END_TEST

START_TEST(a_group_names_its_service)
{
	ck_assert_str_eq(replay_service_of("esteira.ocr", "esteira."), "ocr");
	ck_assert_str_eq(replay_service_of("other.ocr", "esteira."), "");
	ck_assert_str_eq(replay_service_of("ocr", ""), "ocr");
	ck_assert_str_eq(replay_service_of("esteira.", "esteira."), "");
	ck_assert_str_eq(replay_service_of("est", "esteira."), "");
}
END_TEST

/* Options are looked up by name when a command runs: each that it asks for is in its table. */
START_TEST(the_table_is_complete)
{
	static const char *const verbs[] = { "plan", "start", "pause", "resume", "abort", "status",
		"confirm", "refuse", "annotate" };

	for (size_t i = 0; i < COUNT(verbs); i++) {
		size_t options = 0;
		ck_assert_str_eq(replay_commands[i].noun, "replay");
		ck_assert_str_eq(replay_commands[i].verb, verbs[i]);
		while (replay_commands[i].options[options].name != NULL)
			options++;
		ck_assert_uint_le(options, COMMAND_OPTIONS_MAX);
	}
	ck_assert_ptr_null(replay_commands[COUNT(verbs)].noun);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replay");
	TCase *tcase = tcase_create("replay");

	tcase_add_test(tcase, bounds_are_times_or_offsets);
	tcase_add_test(tcase, ranges_are_what_the_group_has_handled_and_the_log_has);
	tcase_add_test(tcase, a_group_names_its_service);
	tcase_add_test(tcase, the_table_is_complete);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
