#include "api/key_cache.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "api_suite.h"

enum { NOW = 1000000 };

static struct key_cache *make(void)
{
	struct key_cache *cache;

	ck_assert_int_eq(key_cache_open(NULL, &cache).kind, ERR_OK);
	return cache;
}

/* All of one set but for what number says. */
static struct key_cache_entry entry(uint16_t number, struct err e)
{
	struct key_cache_entry made = { .e = e, .who = { .deadline_s = number } };

	memcpy(made.hash + 2, &number, sizeof number);
	return made;
}

static const struct {
	enum err_kind kind;
	int64_t kept_ms; /* 0 = not at all */
} rows[] = {
	{ ERR_OK, KEY_CACHE_GOOD_MS },
	{ ERR_REJECT, KEY_CACHE_BAD_MS },
	{ ERR_RETRY, 0 },
	{ ERR_FATAL, 0 },
};

START_TEST(test_how_long)
{
	struct key_cache *cache = make();
	const struct key_cache_entry one =
		entry(1, (struct err){ rows[_i].kind, ERR_CODE_UNAUTHENTICATED, "" });
	const struct key_cache_entry *found;

	key_cache_put(cache, &one, NOW);
	found = key_cache_get(cache, one.hash, NOW + rows[_i].kept_ms - 1);
	ck_assert_int_eq(found != NULL, rows[_i].kept_ms > 0);
	if (found != NULL) {
		ck_assert_int_eq(found->e.kind, rows[_i].kind);
		ck_assert_int_eq(found->who.deadline_s, 1);
	}
	ck_assert_ptr_null(key_cache_get(cache, one.hash, NOW + rows[_i].kept_ms));
	key_cache_close(cache);
}
END_TEST

START_TEST(test_newer_answer_replaces)
{
	struct key_cache *cache = make();
	struct key_cache_entry one = entry(1, err_ok());

	key_cache_put(cache, &one, NOW);
	one.e = err_reject(ERR_CODE_UNAUTHENTICATED, "");
	key_cache_put(cache, &one, NOW + 10);
	ck_assert_int_eq(key_cache_get(cache, one.hash, NOW + 20)->e.kind, ERR_REJECT);
	ck_assert_ptr_null(key_cache_get(cache, one.hash, NOW + 10 + KEY_CACHE_BAD_MS));
	key_cache_close(cache);
}
END_TEST

/* However many wrong keys come, a good one stays for as long as it is worth more than they are. */
START_TEST(test_wrong_keys_push_out_wrong_keys)
{
	struct key_cache *cache = make();
	const struct key_cache_entry good = entry(1, err_ok());

	key_cache_put(cache, &good, NOW);
	for (uint16_t i = 2; i < 1000; i++) {
		const struct key_cache_entry wrong =
			entry(i, err_reject(ERR_CODE_UNAUTHENTICATED, ""));
		key_cache_put(cache, &wrong, NOW + i);
	}
	ck_assert_ptr_nonnull(key_cache_get(cache, good.hash, NOW + KEY_CACHE_GOOD_MS - 1));
	key_cache_close(cache);
}
END_TEST

START_TEST(test_as_many_as_promised)
{
	struct key_cache *cache = make();
	size_t found = 0;

	for (int pass = 0; pass < 2; pass++)
		for (uint16_t i = 0; i < KEY_CACHE_KEYS; i++) {
			struct key_cache_entry one = entry(i, err_ok());
			one.hash[0] = (uint8_t)(i % (KEY_CACHE_KEYS / 4) >> 8);
			one.hash[1] = (uint8_t)(i % (KEY_CACHE_KEYS / 4));
			if (pass == 0)
				key_cache_put(cache, &one, NOW);
			else
				found += key_cache_get(cache, one.hash, NOW) != NULL;
		}
	ck_assert_uint_eq(found, KEY_CACHE_KEYS);
	key_cache_close(cache);
}
END_TEST

/* Of that key and no other, whatever was said of it. */
START_TEST(test_forgotten)
{
	struct key_cache *cache = make();
	struct key_cache_entry one = entry(1, err_ok()), other = entry(2, err_ok());

	one.who.tenant = other.who.tenant = (struct tenant){ id_v7() };
	snprintf(one.who.key_id, sizeof one.who.key_id, "00000001");
	snprintf(other.who.key_id, sizeof other.who.key_id, "00000002");
	key_cache_put(cache, &one, NOW);
	key_cache_put(cache, &other, NOW);
	key_cache_forget(cache, (struct tenant){ id_v7() }, "00000001");
	ck_assert_ptr_nonnull(key_cache_get(cache, one.hash, NOW));
	key_cache_forget(cache, one.who.tenant, "00000001");
	ck_assert_ptr_null(key_cache_get(cache, one.hash, NOW));
	ck_assert_ptr_nonnull(key_cache_get(cache, other.hash, NOW));
	key_cache_close(cache);
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_how_long, sizeof rows / sizeof *rows },
		{ test_newer_answer_replaces, 0 },
		{ test_wrong_keys_push_out_wrong_keys, 0 },
		{ test_as_many_as_promised, 0 },
		{ test_forgotten, 0 },
		{ NULL, 0 },
	};

	return api_suite_main("api/key_cache", cases);
}
