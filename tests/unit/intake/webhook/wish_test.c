#include "webhook/wish.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "../api_suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct err read(const char *json, struct wish *ret_wish)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(1 << 16);
	struct err e = wish_read(str_of(json), arena, ret_wish);

	e.msg = ""; /* it may live in the arena */
	return e;
}

START_TEST(reads_all_members)
{
	struct wish wish;

	ck_assert_int_eq(
		read("{\"url\":\"https://a.example/x\",\"filters\":[ \"document.completed\" ,"
		     "\"deadletter.created\",\"document.completed\"],\"ordered\":true,"
		     "\"description\":\"um \\u00e9\",\"state\":\"disabled\"}",
			&wish)
			.kind,
		ERR_OK);
	ck_assert(wish.has_url && wish.has_filters && wish.has_ordered && wish.has_description &&
		  wish.has_state);
	ck_assert_str_eq(wish.url, "https://a.example/x");
	ck_assert_str_eq(wish.description, "um \xc3\xa9");
	ck_assert_uint_eq(wish.filters, 1U | 1U << 5);
	ck_assert(wish.ordered && !wish.active);
}
END_TEST

START_TEST(absent_and_null_are_the_same)
{
	static const char *const rows[] = { "{}",
		"{\"url\":null,\"filters\":null,\"ordered\":null,\"description\":null,"
		"\"state\":null}" };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wish wish = { .has_url = true };
		ck_assert_int_eq(read(rows[i], &wish).kind, ERR_OK);
		ck_assert(!wish.has_url && !wish.has_filters && !wish.has_ordered &&
			  !wish.has_description && !wish.has_state);
	}
}
END_TEST

START_TEST(no_filter_is_all)
{
	struct wish wish;

	ck_assert_int_eq(read("{\"filters\":[]}", &wish).kind, ERR_OK);
	ck_assert(wish.has_filters);
	ck_assert_uint_eq(wish.filters, 0);
}
END_TEST

START_TEST(refuses)
{
	static const struct {
		const char *json;
		enum err_code code;
	} rows[] = {
		{ "", ERR_CODE_BAD_REQUEST },
		{ "[]", ERR_CODE_BAD_REQUEST },
		{ "{\"url\":1}", ERR_CODE_BAD_REQUEST },
		{ "{\"url\":\"a\",\"url\":\"b\"}", ERR_CODE_BAD_REQUEST },
		{ "{\"ordered\":\"true\"}", ERR_CODE_BAD_REQUEST },
		{ "{\"description\":\"\\u0000\"}", ERR_CODE_BAD_REQUEST },
		{ "{\"description\":\"\xff\"}", ERR_CODE_BAD_REQUEST },
		{ "{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", ERR_CODE_BAD_REQUEST },
		{ "{\"filters\":\"document.failed\"}", ERR_CODE_BAD_PARAMETER },
		{ "{\"filter\":[\"document.failed\"]}", ERR_CODE_BAD_PARAMETER },
		{ "{\"url\":\"a\",\"URL\":null}", ERR_CODE_BAD_PARAMETER },
		{ "{\"\":1}", ERR_CODE_BAD_PARAMETER },
		{ "{\"filters\":{}}", ERR_CODE_BAD_PARAMETER },
		{ "{\"filters\":[1]}", ERR_CODE_BAD_PARAMETER },
		{ "{\"filters\":[null]}", ERR_CODE_BAD_PARAMETER },
		{ "{\"filters\":[\"\"]}", ERR_CODE_BAD_PARAMETER },
		{ "{\"filters\":[\"document\"]}", ERR_CODE_BAD_PARAMETER },
		{ "{\"filters\":[\"webhook.test\"]}", ERR_CODE_BAD_PARAMETER },
		{ "{\"filters\":[\"DOCUMENT.FAILED\"]}", ERR_CODE_BAD_PARAMETER },
		{ "{\"filters\":[[\"document.failed\"]]}", ERR_CODE_BAD_PARAMETER },
		{ "{\"state\":\"gone\"}", ERR_CODE_BAD_PARAMETER },
		{ "{\"state\":\"\"}", ERR_CODE_BAD_PARAMETER },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wish wish;
		struct err e = read(rows[i].json, &wish);
		ck_assert_msg(
			err_is(e, rows[i].code), "%s: %s", rows[i].json, err_code_name(e.code));
		ck_assert_int_eq(e.kind, ERR_REJECT);
	}
}
END_TEST

START_TEST(has_ceilings)
{
	static const struct {
		const char *name;
		int len;
		bool taken;
	} rows[] = { { "url", 2048, true }, { "url", 2049, false }, { "description", 255, true },
		{ "description", 256, false } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		char json[4096];
		struct wish wish;
		snprintf(json, sizeof json, "{\"%s\":\"%0*d\"}", rows[i].name, rows[i].len, 0);
		ck_assert_int_eq(read(json, &wish).kind == ERR_OK, rows[i].taken);
	}
}
END_TEST

START_TEST(too_many_filters)
{
	for (int count = WISH_FILTERS_MAX; count <= WISH_FILTERS_MAX + 1; count++) {
		struct buf json SCOPED(buf_done) = BUF(1024);
		struct wish wish;
		for (int i = 0; i < count; i++)
			buf_addf(&json, "%s\"document.failed\"", i == 0 ? "{\"filters\":[" : ",");
		buf_add_str(&json, STR("]}"));
		struct err e = read(json.ptr, &wish);
		ck_assert_int_eq(e.kind == ERR_OK, count == WISH_FILTERS_MAX);
	}
}
END_TEST

START_TEST(names_what_it_does_not_know)
{
	static const struct {
		const char *json, *said;
	} rows[] = {
		{ "{\"filter\":[]}", "filter is unknown here" },
		{ "{\"url\":1,\"limit\":1}", "limit is unknown here" },
		{ "{\"a b\":1}", "a member that is unknown here" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena SCOPED(arena_drop) = arena_new(1 << 16);
		struct wish wish;
		ck_assert_str_eq(wish_read(str_of(rows[i].json), arena, &wish).msg, rows[i].said);
	}
}
END_TEST

START_TEST(addresses_that_no_call_may_go_to)
{
	static const struct {
		const char *url, *why; /* NULL: taken */
	} rows[] = {
		{ "https://127.0.0.1/", "loopback" },
		{ "https://10.0.0.1:8443/a", "private" },
		{ "https://169.254.169.254/latest/", "link-local" },
		{ "https://[::1]/", "loopback" },
		{ "https://[fd00::1]/", "private" },
		{ "https://[::ffff:127.0.0.1]/", "IPv4-mapped" },
		{ "https://8.8.8.8/", NULL },
		{ "https://[2606:4700::1111]/", NULL },
		{ "https://127.0.0.1.example.com/", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena SCOPED(arena_drop) = arena_new(1 << 16);
		struct wish wish = { .has_url = true };
		snprintf(wish.url, sizeof wish.url, "%s", rows[i].url);
		struct err e = wish_check_url(&wish, false, arena);
		ck_assert_msg((e.kind == ERR_OK) == (rows[i].why == NULL), "%s", rows[i].url);
		if (rows[i].why != NULL)
			ck_assert_msg(err_is(e, ERR_CODE_BAD_PARAMETER) &&
					      strstr(e.msg, rows[i].why) != NULL,
				"%s", e.msg);
		ck_assert_int_eq(wish_check_url(&wish, true, arena).kind, ERR_OK);
	}
}
END_TEST

START_TEST(http_is_for_tests)
{
	static const struct {
		const char *url;
		bool real, test;
	} rows[] = {
		{ "https://hooks.example.com/a", true, true },
		{ "http://hooks.example.com/a", false, true },
		{ "http://localhost:8099/", false, true },
		{ "https://u:p@hooks.example.com/", false, false },
		{ "https://0x7f.1/", false, false },
		{ "https://2130706433/", false, false },
		{ "https://hooks.example.com/#a", false, false },
		{ "ftp://hooks.example.com/", false, false },
		{ "", false, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wish wish = { .has_url = true };
		snprintf(wish.url, sizeof wish.url, "%s", rows[i].url);
		struct arena *arena SCOPED(arena_drop) = arena_new(1 << 16);
		ck_assert_int_eq(wish_check_url(&wish, false, arena).kind == ERR_OK, rows[i].real);
		ck_assert_int_eq(wish_check_url(&wish, true, arena).kind == ERR_OK, rows[i].test);
	}
}
END_TEST

int main(void)
{
	const struct api_case cases[] = { { reads_all_members, 0 },
		{ absent_and_null_are_the_same, 0 }, { no_filter_is_all, 0 }, { refuses, 0 },
		{ has_ceilings, 0 }, { too_many_filters, 0 }, { http_is_for_tests, 0 },
		{ names_what_it_does_not_know, 0 }, { addresses_that_no_call_may_go_to, 0 },
		{ NULL, 0 } };

	return api_suite_main("webhook/wish", cases);
}
