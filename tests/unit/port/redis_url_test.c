#include "port/redis_url.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

START_TEST(takes)
{
	static const struct {
		const char *text, *host, *user, *password;
		unsigned port, db;
	} rows[] = {
		{ "redis://localhost", "localhost", "", "", 6379, 0 },
		{ "redis://localhost/", "localhost", "", "", 6379, 0 },
		{ "redis://127.0.0.1:7000/3", "127.0.0.1", "", "", 7000, 3 },
		{ "redis://:secret@h:1/0", "h", "", "secret", 1, 0 },
		{ "redis://ana:secret@h", "h", "ana", "secret", 6379, 0 },
		{ "redis://ana:a%40b%2Fc%3a%25@h:65535", "h", "ana", "a@b/c:%", 65535, 0 },
		{ "redis://a:b:c@h", "h", "a", "b:c", 6379, 0 },
		{ "redis://a:b@c@h", "h", "a", "b@c", 6379, 0 },
		{ "redis://[::1]", "::1", "", "", 6379, 0 },
		{ "redis://[fe80::1]:6380/15", "fe80::1", "", "", 6380, 15 },
		{ "redis://u:p@[::1]:1/2", "::1", "u", "p", 1, 2 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct redis_url url;

		ck_assert_msg(
			redis_url_parse(rows[i].text, &url).kind == ERR_OK, "%s", rows[i].text);
		ck_assert_str_eq(url.host, rows[i].host);
		ck_assert_str_eq(url.user, rows[i].user);
		ck_assert_str_eq(url.password, rows[i].password);
		ck_assert_uint_eq(url.port, rows[i].port);
		ck_assert_uint_eq(url.db, rows[i].db);
	}
}
END_TEST

START_TEST(refuses)
{
	static const char *const rows[] = { "", "localhost", "redis:", "redis:/h", "redis://",
		"redis://:6379", "redis:///0", "REDIS://h", "http://h", "rediss:/h", "redisss://h",
		"redis://h:", "redis://h:0", "redis://h:65536", "redis://h:x", "redis://h:-1",
		"redis://h: 1", "redis://::1", "redis://[::1", "redis://[]", "redis://[::1]x",
		"redis://[::1]:", "redis://h/x", "redis://h/-1", "redis://h/1/2",
		"redis://h/2147483648", "redis://h/0?timeout=1", "redis://user@h", "redis://@h",
		"redis://user:@h", "redis://:%4@h", "redis://:%zz@h", "redis://:%00@h",
		"redis://a%00b" };
	char longest[400] = "redis://";

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct redis_url url = { .port = 7 };
		struct err e = redis_url_parse(rows[i], &url);

		ck_assert_msg(e.kind == ERR_FATAL && e.code == ERR_CODE_BAD_CONFIG, "%s", rows[i]);
		ck_assert_uint_eq(url.port, 7);
	}
	memset(longest + strlen(longest), 'h', 300);
	struct redis_url url;
	ck_assert_int_eq(redis_url_parse(longest, &url).kind, ERR_FATAL);
	ck_assert_int_eq(redis_url_parse(NULL, &url).kind, ERR_FATAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis_url");
	TCase *tcase = tcase_create("parse");

	tcase_add_test(tcase, takes);
	tcase_add_test(tcase, refuses);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
