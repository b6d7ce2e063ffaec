#include "model/slice.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The value of "data" as it stands in the text; NULL: there is none. */
START_TEST(finds_a_member)
{
	static const struct {
		const char *json, *value;
	} rows[] = {
		{ "{\"data\":1}", "1" },
		{ " \r\n{ \"data\"\t: {\"a\":[1, 2]} }", "{\"a\":[1, 2]}" },
		{ "{\"a\":{\"data\":1},\"data\":0.10}", "0.10" },
		{ "{\"a\":[{\"data\":1}],\"data\":-1.50e+02 }", "-1.50e+02" },
		{ "{\"a\":\"\\\"}\",\"data\":\"]}\\\\\"}", "\"]}\\\\\"" },
		{ "{\"a\":true,\"b\":null,\"data\":false}", "false" },
		{ "{\"a\":{},\"b\":[],\"data\":{}}", "{}" },
		{ "{\"d\\u0061ta\":1}", "1" },
		{ "{\"\\u0064\\u0061\\u0074\\u0061\":1}", "1" },
		{ "{\"d\\u00E1ta\":1,\"data\":2}", "2" },
		{ "{\"d\\u0161ta\":1,\"data\":2}", "2" },
		{ "{\"d\\ta\":1,\"data\":2}", "2" },
		{ "{\"data\\u0000\":1,\"data\":2}", "2" },
		{ "{\"dat\":1,\"dataa\":2,\"Data\":3,\"\":4,\"data \":5}", NULL },
		{ "{\"a\":\"data\"}", NULL },
		{ "{}", NULL },
		{ "", NULL },
		{ "[\"data\",1]", NULL },
		{ "\"data\"", NULL },
		/* no JSON at all: nothing is promised but to stay inside */
		{ "{\"data\"", NULL },
		{ "{\"data\":", NULL },
		{ "{\"data\":{", NULL },
		{ "{\"data\":\"a", NULL },
		{ "{\"data\":\"a\\", NULL },
		{ "{\"data\":\"a\\\"", NULL },
		{ "{\"d\\u00", NULL },
		{ "{\"d\\u00\":1}", NULL },
		{ "{data:1}", NULL },
		{ "{\"a\":1 \"data\":2}", NULL },
		{ "{\"a\":,\"data\":2}", NULL },
		{ "{\"a\":],\"data\":2}", NULL },
		{ "{\"a\" 1,\"data\":2}", NULL },
		{ "{", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].json);
		char *exact = malloc(len + 1); /* a sanitizer sees a step too far */
		memcpy(exact, rows[i].json, len);
		exact = realloc(exact, len == 0 ? 1 : len);
		struct str value = slice_member((struct str){ exact, len }, "data");
		if (rows[i].value == NULL)
			ck_assert_msg(value.ptr == NULL, "row %zu", i);
		else
			ck_assert_msg(str_eq(value, str_of(rows[i].value)), "row %zu", i);
		free(exact);
	}
}
END_TEST

START_TEST(trims)
{
	ck_assert(str_eq(slice_trim(STR(" \t\r\n{ } \n\t\r")), STR("{ }")));
	ck_assert(str_eq(slice_trim(STR("\v{}\f")), STR("\v{}\f"))); /* no space to JSON */
	ck_assert_uint_eq(slice_trim(STR(" \n ")).len, 0);
	ck_assert_uint_eq(slice_trim((struct str){ NULL, 0 }).len, 0);
}
END_TEST

/* Items joined by '|'; NULL: not an array. */
START_TEST(splits_an_array)
{
	static const struct {
		const char *json, *items;
	} rows[] = {
		{ "[]", "" },
		{ " [ ] ", "" },
		{ "[1]", "1|" },
		{ "\n[ {\"a\":1} , [2,3],\"4,]\" ,true]\n", "{\"a\":1}|[2,3]|\"4,]\"|true|" },
		{ "[{\"a\":1,\"a\":2},x,{]]", "{\"a\":1,\"a\":2}|x|{]|" }, /* each for itself */
		{ "", NULL },
		{ "{}", NULL },
		{ "1", NULL },
		{ "[", NULL },
		{ "[1", NULL },
		{ "[1,", NULL },
		{ "[1,]", NULL },
		{ "[,1]", NULL },
		{ "[1 2]", NULL },
		{ "[{} {}]", NULL },
		{ "[{}", NULL },
		{ "[{]", NULL },
		{ "[{}}]", NULL },
		{ "[\"a]", NULL },
		{ "[1]]", NULL },
		{ "[1],", NULL },
		{ "[1]x", NULL },
		{ "[:]", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str items[8];
		struct buf joined = BUF(1000);
		size_t count = 99;
		bool good = slice_items(str_of(rows[i].json), items, COUNT(items), &count);
		ck_assert_msg(good == (rows[i].items != NULL), "row %zu", i);
		for (size_t k = 0; good && k < count; k++) {
			buf_add_str(&joined, items[k]);
			buf_add(&joined, "|", 1);
		}
		if (good)
			ck_assert(str_eq(buf_str(&joined), str_of(rows[i].items)));
		else
			ck_assert_uint_eq(count, 99);
		buf_done(&joined);
	}
}
END_TEST

START_TEST(counts_what_it_does_not_keep)
{
	struct str items[3] = { { "", 0 }, { "", 0 }, STR("kept") };
	size_t count;

	ck_assert(slice_items(STR("[1,2,3,4]"), items, 2, &count));
	ck_assert_uint_eq(count, 4);
	ck_assert(str_eq(items[1], STR("2")) && str_eq(items[2], STR("kept")));
	ck_assert(slice_items(STR("[1,2]"), NULL, 0, &count) && count == 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("slice");
	TCase *tcase = tcase_create("slice");

	tcase_add_test(tcase, finds_a_member);
	tcase_add_test(tcase, trims);
	tcase_add_test(tcase, splits_an_array);
	tcase_add_test(tcase, counts_what_it_does_not_keep);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
