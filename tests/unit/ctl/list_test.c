#include "list.h"

#include <check.h>
#include <stdlib.h>

struct row {
	const char *name;
	int64_t count;
	bool good;
	int64_t at;
};

static const struct codec_field fields[] = {
	CODEC_FIELD(struct row, name, CODEC_TEXT, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct row, count, CODEC_INT, CODEC_PLAIN, false, 0),
	CODEC_FIELD(struct row, good, CODEC_BOOL, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct row, at, CODEC_TIME, CODEC_PLAIN, false, 0),
	CODEC_END,
};

static const struct codec_type type = { "row", sizeof(struct row), fields };

static struct row rows[] = {
	{ "ção", 7, true, 0 },
	{ "longer \"name\"", CODEC_NO_INT, false, CODEC_NO_INT },
};

static void prints(size_t count, bool json, const char *expected)
{
	const struct codec_list list = { rows, count };
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	ck_assert_int_eq(list_print(&type, &list, json, out).kind, ERR_OK);
	fclose(out);
	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(columns_line_up_by_character)
{
	prints(2, false,
		"name           count  good  at\n"
		"ção            7      yes   1970-01-01T00:00:00.000Z\n"
		"longer \"name\"  -      no    -\n");
	prints(0, false, "name  count  good  at\n");
}
END_TEST

START_TEST(json_has_an_object_a_line)
{
	prints(2, true,
		"[\n{\"name\":\"ção\",\"count\":7,\"good\":true,"
		"\"at\":\"1970-01-01T00:00:00.000Z\"},\n"
		"{\"name\":\"longer \\\"name\\\"\",\"good\":false}\n]\n");
	prints(0, true, "[]\n");
}
END_TEST

START_TEST(one_has_a_line_a_field)
{
	static const struct {
		bool json;
		const char *expected;
	} cases[] = {
		{ false, "name   ção\ncount  7\ngood   yes\n"
			 "at     1970-01-01T00:00:00.000Z\n" },
		{ true, "{\"name\":\"ção\",\"count\":7,\"good\":true,"
			"\"at\":\"1970-01-01T00:00:00.000Z\"}\n" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);
		ck_assert_int_eq(list_print_one(&type, &rows[0], cases[i].json, out).kind, ERR_OK);
		fclose(out);
		ck_assert_str_eq(text, cases[i].expected);
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/list");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, columns_line_up_by_character);
	tcase_add_test(tests, json_has_an_object_a_line);
	tcase_add_test(tests, one_has_a_line_a_field);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
