#include "api/rate.h"

#include <check.h>

#include "api_suite.h"
#include "port/redis.h"

static const struct {
	enum rate_class class;
	int64_t limit;
	struct window_verdict verdict;
	const char *policy, *limit_text;
	unsigned retry_after_s;
} texts[] = {
	{ RATE_EXTRACT, 30, { true, 29, 0, 60000 }, "\"extract\";q=30;w=60",
		"\"extract\";r=29;t=60", 1 },
	{ RATE_STATUS, 300, { false, 0, 12001, 12001 }, "\"status\";q=300;w=60",
		"\"status\";r=0;t=13", 13 },
	{ RATE_DEFAULT, 1000000, { false, 0, 60000, 1 }, "\"default\";q=1000000;w=60",
		"\"default\";r=0;t=1", 60 },
	{ RATE_DEFAULT, 1, { false, 0, 0, 0 }, "\"default\";q=1;w=60", "\"default\";r=0;t=0", 1 },
};

START_TEST(test_header_texts)
{
	const struct rate_of of = { .class = texts[_i].class, .limit = texts[_i].limit };
	char policy[RATE_FIELD_BYTES], limit[RATE_FIELD_BYTES];

	rate_write_fields(&of, &texts[_i].verdict, policy, limit);
	ck_assert_str_eq(policy, texts[_i].policy);
	ck_assert_str_eq(limit, texts[_i].limit_text);
	ck_assert_uint_eq(rate_retry_after_s(&texts[_i].verdict), texts[_i].retry_after_s);
}
END_TEST

enum { LIMIT = 10 };

#define N(value)                                                                                   \
	{                                                                                          \
		.kind = REDIS_INT, .number = (value)                                               \
	}

static struct {
	struct redis_reply items[5];
	size_t count;
	bool good;
} const replies[] = {
	{ { N(1), N(9), N(0), N(60000) }, 4, true },
	{ { N(0), N(0), N(1), N(60000) }, 4, true },
	{ { N(1), N(0), N(60000), N(60000) }, 4, true },
	{ { N(2), N(0), N(0), N(0) }, 4, false },
	{ { N(1), N(11), N(0), N(0) }, 4, false },
	{ { N(1), N(-1), N(0), N(0) }, 4, false },
	{ { N(0), N(3), N(0), N(0) }, 4, false },
	{ { N(1), N(0), N(70000), N(0) }, 4, false },
	{ { N(1), N(0), N(0), N(3600000) }, 4, false },
	{ { N(1), N(0), N(0) }, 3, false },
	{ { N(1), N(0), N(0), N(0), N(0) }, 5, false },
	{ { N(1), N(0), N(0), { .kind = REDIS_TEXT, .text = { "0", 1 } } }, 4, false },
	{ { N(1), N(0), N(0), { .kind = REDIS_NIL } }, 4, false },
};

START_TEST(test_an_answer_is_looked_at)
{
	struct redis_reply items[5];
	struct redis_reply reply = { .kind = REDIS_ARRAY, .items = items };
	struct window_verdict verdict = { .left = -1 };

	for (size_t i = 0; i < 5; i++)
		items[i] = replies[_i].items[i];
	reply.count = replies[_i].count;
	ck_assert_int_eq(rate_read_reply(&reply, LIMIT, &verdict), replies[_i].good);
	ck_assert_int_eq(verdict.left, replies[_i].good ? items[1].number : -1);
	reply.kind = REDIS_ERROR;
	ck_assert(!rate_read_reply(&reply, LIMIT, &verdict));
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_header_texts, sizeof texts / sizeof *texts },
		{ test_an_answer_is_looked_at, sizeof replies / sizeof *replies },
		{ NULL, 0 },
	};

	return api_suite_main("api/rate", cases);
}
