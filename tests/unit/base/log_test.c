#include "base/log.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

enum { LINE_MAX_BYTES = 4096 };

static int saved = -1;
static int ends[2];
static char line[LINE_MAX_BYTES * 2];

static void setup(void)
{
	ck_assert_int_eq(pipe(ends), 0);
	saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	log_init("intake", "pod-1", LOG_INFO);
}

/* What was written since setup, as one text. */
static const char *written(void)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	ssize_t got = read(ends[0], line, sizeof line - 1);
	ck_assert_int_ge(got, 0);
	line[got] = '\0';
	close(ends[0]);
	return line;
}

static void expect_tail(const char *tail)
{
	size_t len = strlen(written());

	ck_assert_uint_ge(len, strlen(tail));
	ck_assert_str_eq(line + len - strlen(tail), tail);
}

START_TEST(writes_one_line)
{
	LOG(LOG_WARN, "job_failed", LOG_TEXT("tenant", "acme"), LOG_INT("pages", -3));
	static const char head[] = "{\"timestamp\":\"";
	int64_t wall_ms;

	expect_tail("\",\"level\":\"warn\",\"service\":\"intake\",\"instance\":\"pod-1\","
		    "\"event\":\"job_failed\",\"tenant\":\"acme\",\"pages\":-3}\n");
	ck_assert(str_starts(str_of(line), STR("{\"timestamp\":\"")));
	ck_assert(clock_parse(
		(struct str){ line + sizeof head - 1, CLOCK_TEXT_BYTES - 1 }, &wall_ms));
	ck_assert_int_le(llabs(wall_ms - clock_wall_ms()), 10000);
}
END_TEST

START_TEST(writes_errors)
{
	struct err e = err_retry(ERR_CODE_REDIS_AWAY, "gone");

	LOG(LOG_ERROR, "x", LOG_ERR(e));
	expect_tail("\"event\":\"x\",\"error_kind\":\"retry\",\"error_code\":\"redis-away\","
		    "\"error\":\"gone\"}\n");
}
END_TEST

START_TEST(escapes)
{
	LOG(LOG_INFO, "x", LOG_TEXT("a", "\"\\\n\t\x01\x7f/\xc3\xa7"), LOG_TEXT("b", "\xff"),
		LOG_TEXT("c", NULL), LOG_INT("d", INT64_MIN));
	expect_tail("\"a\":\"\\\"\\\\\\u000a\\u0009\\u0001\\u007f/\xc3\xa7\",\"b\":\"(not UTF-8)\","
		    "\"c\":\"\",\"d\":-9223372036854775808}\n");
}
END_TEST

START_TEST(obeys_the_level)
{
	LOG(LOG_DEBUG, "x", LOG_INT("a", 1));
	LOG(LOG_INFO, "y", LOG_INT("a", 1));
	ck_assert_ptr_null(strstr(written(), "\"x\""));
	ck_assert_ptr_nonnull(strstr(line, "\"y\""));
}
END_TEST

/* A line is never longer than 4 KiB and always whole JSON, whatever the fields hold. */
START_TEST(truncates)
{
	char text[6000];
	size_t size = (size_t)_i;

	memset(text, _i % 2 == 0 ? 'x' : '\n', size);
	text[size] = '\0';
	LOG(LOG_INFO, "big", LOG_INT("before", 1), LOG_TEXT("text", text), LOG_INT("after", 2));
	size_t len = strlen(written());
	ck_assert_uint_le(len, LINE_MAX_BYTES);
	ck_assert_str_eq(line + len - 2, "}\n");
	ck_assert_ptr_nonnull(strstr(line, "\"before\":1"));
	bool whole = strstr(line, "\"text\"") != NULL;
	bool truncated = strstr(line, ",\"truncated\":true}\n") != NULL;
	ck_assert(whole != truncated || strstr(line, "\"after\"") == NULL);
	ck_assert(size > 100 || (whole && !truncated));
	ck_assert(size < 4096 || truncated);
	ck_assert(!whole || strstr(line, "x\"") != NULL || strstr(line, "\\u000a\"") != NULL ||
		  size == 0);
}
END_TEST

START_TEST(survives_a_long_event)
{
	char event[6000];

	memset(event, 'e', sizeof event - 1);
	event[sizeof event - 1] = '\0';
	LOG(LOG_INFO, event, LOG_INT("a", 1));
	expect_tail("\"instance\":\"pod-1\",\"truncated\":true}\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, writes_one_line);
	tcase_add_test(tcase, writes_errors);
	tcase_add_test(tcase, escapes);
	tcase_add_test(tcase, obeys_the_level);
	tcase_add_loop_test(tcase, truncates, 0, 100);
	tcase_add_loop_test(tcase, truncates, 3900, 4200);
	tcase_add_loop_test(tcase, truncates, 5990, 5999);
	tcase_add_test(tcase, survives_a_long_event);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
