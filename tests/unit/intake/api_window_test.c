#include "api/window.h"

#include <check.h>
#include <string.h>

#include "api_suite.h"

enum { LIMIT = 5, START_MS = 1000000 };

static const uint8_t key[WINDOW_KEY_BYTES] = { 1, 2, 3 };

/* The limit passes, the next one does not, and waits for exactly as long as it is told. */
START_TEST(test_the_limit_and_no_more)
{
	struct window *window = window_new();
	struct window_verdict v = { .passed = false };

	for (int i = 0; i < LIMIT; i++) {
		v = window_take(window, key, LIMIT, START_MS + i * 100);
		ck_assert(v.passed);
		ck_assert_int_eq(v.left, LIMIT - 1 - i);
	}
	v = window_take(window, key, LIMIT, START_MS + 500);
	ck_assert(!v.passed);
	ck_assert_int_eq(v.left, 0);
	ck_assert_int_gt(v.wait_ms, WINDOW_S * 1000 - 500);
	ck_assert_int_le(v.wait_ms, (WINDOW_S + 1) * 1000);
	ck_assert_int_eq(v.reset_ms, v.wait_ms);
	ck_assert(!window_take(window, key, LIMIT, START_MS + 500 + v.wait_ms - 1).passed);
	ck_assert(window_take(window, key, LIMIT, START_MS + 500 + v.wait_ms).passed);
	window_free(window);
}
END_TEST

/* Whatever comes when: in no 60 s do more than the limit pass. */
START_TEST(test_no_sixty_seconds_have_more)
{
	enum { REQUESTS = 4000 };
	struct window *window = window_new();
	int64_t passed[REQUESTS], now_ms = START_MS;
	size_t count = 0;
	uint32_t random = (uint32_t)_i + 1;

	for (int i = 0; i < REQUESTS; i++) {
		random = random * 1664525 + 1013904223;
		now_ms += (random >> 16) % (i % 7 == 0 ? 9000 : 40);
		if (window_take(window, key, LIMIT, now_ms).passed)
			passed[count++] = now_ms;
	}
	ck_assert_uint_gt(count, 100);
	for (size_t i = LIMIT; i < count; i++)
		ck_assert_int_ge(passed[i] - passed[i - LIMIT], WINDOW_S * 1000);
	window_free(window);
}
END_TEST

/* What passed elsewhere counts, also beyond the limit. */
START_TEST(test_noted_ones_count)
{
	struct window *window = window_new();

	for (int i = 0; i < 2 * LIMIT; i++)
		window_note(window, key, START_MS);
	ck_assert(!window_take(window, key, LIMIT, START_MS + 59000).passed);
	ck_assert(window_take(window, key, LIMIT, START_MS + 62000).passed);
	window_free(window);
}
END_TEST

/* As if it had never come; what is old by then is gone already. */
START_TEST(test_one_that_is_taken_back)
{
	struct window *window = window_new();

	for (int i = 0; i < LIMIT; i++)
		ck_assert(window_take(window, key, LIMIT, START_MS + i * 1000).passed);
	window_return(window, key, START_MS + 1000, START_MS + 9000);
	ck_assert(window_take(window, key, LIMIT, START_MS + 9000).passed);
	ck_assert(!window_take(window, key, LIMIT, START_MS + 9000).passed);
	window_return(window, key, START_MS + 1000, START_MS + 9000); /* there is none */
	ck_assert(!window_take(window, key, LIMIT, START_MS + 9000).passed);
	window_return(window, key, START_MS + 1000, START_MS + 62000); /* its slot is another's */
	ck_assert_int_eq(window_take(window, key, LIMIT, START_MS + 62000).left, 0);
	window_free(window);
}
END_TEST

START_TEST(test_keys_are_counted_apart)
{
	struct window *window = window_new();
	uint8_t other[WINDOW_KEY_BYTES];

	memcpy(other, key, sizeof other);
	other[WINDOW_KEY_BYTES - 1] = 1;
	for (int i = 0; i < LIMIT; i++)
		ck_assert(window_take(window, key, LIMIT, START_MS).passed);
	ck_assert(window_take(window, other, LIMIT, START_MS).passed);
	ck_assert(!window_take(window, key, LIMIT, START_MS).passed);
	window_free(window);
}
END_TEST

/* However many come, one that keeps coming is not forgotten. */
START_TEST(test_the_least_recent_makes_room)
{
	struct window *window = window_new();
	uint8_t other[WINDOW_KEY_BYTES] = { 9 };

	for (uint16_t i = 0; i < 20000; i++) {
		memcpy(other + 1, &i, sizeof i);
		window_take(window, key, LIMIT, START_MS + i);
		window_take(window, other, LIMIT, START_MS + i - 1000);
	}
	ck_assert(!window_take(window, key, LIMIT, START_MS + 20000).passed);
	window_free(window);
}
END_TEST

/* A lower limit holds at once and says when it will let one pass. */
START_TEST(test_a_limit_that_sinks)
{
	struct window *window = window_new();
	struct window_verdict v;

	for (int i = 0; i < LIMIT; i++)
		window_take(window, key, LIMIT, START_MS + i * 10000);
	v = window_take(window, key, 2, START_MS + 45000);
	ck_assert(!v.passed);
	ck_assert(!window_take(window, key, 2, START_MS + 45000 + v.wait_ms - 1).passed);
	ck_assert(window_take(window, key, 2, START_MS + 45000 + v.wait_ms).passed);
	window_free(window);
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_the_limit_and_no_more, 0 },
		{ test_no_sixty_seconds_have_more, 20 },
		{ test_noted_ones_count, 0 },
		{ test_one_that_is_taken_back, 0 },
		{ test_keys_are_counted_apart, 0 },
		{ test_the_least_recent_makes_room, 0 },
		{ test_a_limit_that_sinks, 0 },
		{ NULL, 0 },
	};

	return api_suite_main("api/window", cases);
}
