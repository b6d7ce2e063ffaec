#include "port/redis_wire.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A reply as text: nil, 7, 'text', !error, [a b]. */
static void show(const struct redis_reply *reply, struct buf *text)
{
	switch (reply->kind) {
	case REDIS_NIL:
		buf_add_str(text, STR("nil"));
		break;
	case REDIS_INT:
		buf_addf(text, "%lld", (long long)reply->number);
		break;
	case REDIS_TEXT:
		buf_addf(text, "'%.*s'", (int)reply->text.len, reply->text.ptr);
		break;
	case REDIS_ERROR:
		buf_addf(text, "!%.*s", (int)reply->text.len, reply->text.ptr);
		break;
	case REDIS_ARRAY:
		buf_add_str(text, STR("["));
		for (size_t i = 0; i < reply->count; i++) {
			buf_add(text, " ", i == 0 ? 0 : 1);
			show(&reply->items[i], text);
		}
		buf_add_str(text, STR("]"));
		break;
	}
}

static const struct {
	const char *bytes, *shown;
} good[] = {
	{ "+OK\r\n", "'OK'" },
	{ "+\r\n", "''" },
	{ "-ERR no\r\n", "!ERR no" },
	{ ":7\r\n", "7" },
	{ ":-9223372036854775808\r\n", "-9223372036854775808" },
	{ "$-1\r\n", "nil" },
	{ "*-1\r\n", "nil" },
	{ "$0\r\n\r\n", "''" },
	{ "$5\r\na\r\nbc\r\n", "'a\r\nbc'" },
	{ "*0\r\n", "[]" },
	{ "*3\r\n:1\r\n$-1\r\n$1\r\nx\r\n", "[1 nil 'x']" },
	{ "*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n*1\r\n-E\r\n", "[[1 2] [[!E]]]" },
	{ "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nk\r\n$1\r\nv\r\n",
		"[['s' [['1-0' ['k' 'v']]]]]" },
	{ "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "[[[[[[[1]]]]]]]" },
};

/* Whatever the cuts between the reads are, the replies are the same. */
START_TEST(decodes)
{
	for (size_t i = 0; i < COUNT(good); i++) {
		struct redis_wire *wire = redis_wire_new(1024);
		struct buf shown = BUF(1000);
		const struct redis_reply *reply = NULL;
		size_t len = strlen(good[i].bytes);

		ck_assert(redis_wire_feed(wire, (struct str){ good[i].bytes, len }));
		ck_assert(redis_wire_next(wire, &reply) && reply != NULL);
		show(reply, &shown);
		ck_assert_str_eq(shown.ptr, good[i].shown);
		ck_assert(redis_wire_next(wire, &reply) && reply == NULL);
		for (size_t at = 0; at < len; at++) {
			ck_assert(redis_wire_feed(wire, (struct str){ good[i].bytes + at, 1 }));
			ck_assert(redis_wire_next(wire, &reply));
			ck_assert((reply != NULL) == (at == len - 1));
		}
		buf_clear(&shown);
		show(reply, &shown);
		ck_assert_str_eq(shown.ptr, good[i].shown);
		buf_done(&shown);
		redis_wire_free(wire);
	}
}
END_TEST

START_TEST(decodes_pipelined)
{
	struct redis_wire *wire = redis_wire_new(1024);
	struct buf bytes = BUF(1 << 20), expected = BUF(1 << 20), shown = BUF(1 << 20);
	const struct redis_reply *reply = NULL;

	for (size_t i = 0; i < 1000; i++) {
		buf_add_str(&bytes, str_of(good[i % COUNT(good)].bytes));
		buf_add_str(&expected, str_of(good[i % COUNT(good)].shown));
	}
	ck_assert(redis_wire_feed(wire, buf_str(&bytes)));
	while (redis_wire_next(wire, &reply) && reply != NULL)
		show(reply, &shown);
	ck_assert_str_eq(shown.ptr, expected.ptr);
	buf_done(&bytes);
	buf_done(&expected);
	buf_done(&shown);
	redis_wire_free(wire);
}
END_TEST

START_TEST(refuses)
{
	static const char *const rows[] = { "garbage\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
		"\r\n", ":abc\r\n", ":\r\n", ":99999999999999999999\r\n", "$x\r\n", "$-2\r\n",
		"$99999999999999999999\r\n", "*-2\r\n", "*x\r\n", "*99999999999999999999\r\n",
		"*2147483647\r\n", "*1000000\r\n", "*9\r\n*20000\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "%1\r\n+a\r\n+b\r\n",
		"~1\r\n+a\r\n", ",1.5\r\n", "#t\r\n", ">1\r\n+a\r\n" };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct redis_wire *wire = redis_wire_new(64 * 1024);
		const struct redis_reply *reply = NULL;

		bool fed = redis_wire_feed(wire, str_of(rows[i]));
		ck_assert_msg(!fed || !redis_wire_next(wire, &reply), "%s", rows[i]);
		redis_wire_free(wire);
	}
}
END_TEST

/* A length the peer announces costs nothing; what it sends is refused at the ceiling. */
START_TEST(refuses_a_reply_without_end)
{
	static const char *const heads[] = { "$500000000\r\n", "+", "*3\r\n$500000000\r\n" };
	static const char chunk[4096] = { 'x' };

	for (size_t i = 0; i < COUNT(heads); i++) {
		struct redis_wire *wire = redis_wire_new(64 * 1024);
		const struct redis_reply *reply = NULL;
		size_t sent = 0;

		ck_assert(redis_wire_feed(wire, str_of(heads[i])));
		ck_assert(redis_wire_next(wire, &reply) && reply == NULL);
		while (redis_wire_feed(wire, (struct str){ chunk, sizeof chunk })) {
			ck_assert(redis_wire_next(wire, &reply) && reply == NULL);
			sent += sizeof chunk;
			ck_assert_uint_le(sent, 256 * 1024);
		}
		redis_wire_free(wire);
	}
}
END_TEST

START_TEST(formats)
{
	const struct str argv[] = { STR("SET"), { NULL, 0 }, { "a\0\r\nb", 5 } };
	const struct redis_command command = { argv, COUNT(argv), 1 };
	char *bytes = NULL;
	size_t len = 0;

	ck_assert(redis_wire_format(&command, &bytes, &len).kind == ERR_OK);
	static const char expected[] = "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na\0\r\nb\r\n";
	ck_assert_uint_eq(len, sizeof expected - 1);
	ck_assert_mem_eq(bytes, expected, len);
	free(bytes);
}
END_TEST

START_TEST(copies)
{
	struct redis_wire *wire = redis_wire_new(1024);
	struct arena *arena = arena_new(64 * 1024), *small = arena_new(100);
	const struct redis_reply *reply = NULL;
	struct buf shown = BUF(1000);
	const size_t last = COUNT(good) - 2; /* a stream entry */

	ck_assert(redis_wire_feed(wire, str_of(good[last].bytes)));
	ck_assert(redis_wire_next(wire, &reply));
	struct redis_reply *copy = redis_wire_copy(arena, reply);
	ck_assert_ptr_null(redis_wire_copy(small, reply));
	redis_wire_free(wire);
	show(copy, &shown);
	ck_assert_str_eq(shown.ptr, good[last].shown);
	buf_done(&shown);
	arena_free(arena);
	arena_free(small);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis_wire");
	TCase *tcase = tcase_create("wire");

	tcase_add_test(tcase, decodes);
	tcase_add_test(tcase, decodes_pipelined);
	tcase_add_test(tcase, refuses);
	tcase_add_test(tcase, refuses_a_reply_without_end);
	tcase_add_test(tcase, formats);
	tcase_add_test(tcase, copies);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
