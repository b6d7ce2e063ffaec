#include "frame/unwrapped.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { THREADS = 12 };

/* Opens a wrapping into a key of its first byte; counts, and can be told to wait or to fail. */
struct opener {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int calls, inside;
	bool closed; /* openings wait until it is not */
	struct err answer;
};

static struct err open_key(
	void *arg, const struct seal_key_row *row, struct str wrapped, struct seal_key *ret_key)
{
	struct opener *opener = arg;

	(void)row;
	pthread_mutex_lock(&opener->mutex);
	opener->calls++;
	opener->inside++;
	pthread_cond_broadcast(&opener->changed);
	while (opener->closed)
		pthread_cond_wait(&opener->changed, &opener->mutex);
	opener->inside--;
	struct err e = opener->answer;
	pthread_mutex_unlock(&opener->mutex);
	if (e.kind == ERR_OK)
		memset(ret_key->bytes, wrapped.ptr[0], sizeof ret_key->bytes);
	return e;
}

static void opener_init(struct opener *opener)
{
	*opener = (struct opener){ .answer = err_ok() };
	pthread_mutex_init(&opener->mutex, NULL);
	pthread_cond_init(&opener->changed, NULL);
}

static void close_door(struct opener *opener, bool closed)
{
	pthread_mutex_lock(&opener->mutex);
	opener->closed = closed;
	pthread_cond_broadcast(&opener->changed);
	pthread_mutex_unlock(&opener->mutex);
}

static void await_inside(struct opener *opener, int count)
{
	pthread_mutex_lock(&opener->mutex);
	while (opener->inside < count)
		pthread_cond_wait(&opener->changed, &opener->mutex);
	pthread_mutex_unlock(&opener->mutex);
}

static struct unwrapped *make(
	struct opener *opener, size_t keys_max, int64_t ttl_ms, int64_t idle_ms)
{
	const struct unwrapped_conf conf = { keys_max, ttl_ms, idle_ms, open_key, opener };
	struct unwrapped *unwrapped = unwrapped_new(&conf);

	ck_assert_ptr_nonnull(unwrapped);
	return unwrapped;
}

static struct seal_key_row row_of(uint8_t tenant, uint32_t version)
{
	struct seal_key_row row = { .version = version };

	memset(row.tenant.id.bytes, tenant, sizeof row.tenant.id.bytes);
	return row;
}

/* The key is what the wrapping says; answers whether it was known. */
static bool get(struct unwrapped *unwrapped, uint8_t tenant, uint32_t version, const char *wrapped)
{
	const struct seal_key_row row = row_of(tenant, version);
	struct seal_key key = { { 0 } };
	bool known = false;

	ck_assert_int_eq(
		unwrapped_get(unwrapped, &row, str_of(wrapped), &key, &known).kind, ERR_OK);
	for (size_t i = 0; i < sizeof key.bytes; i++)
		ck_assert_int_eq(key.bytes[i], wrapped[0]);
	return known;
}

START_TEST(test_known_by_row_and_wrapping)
{
	struct opener opener;

	opener_init(&opener);
	struct unwrapped *unwrapped = make(&opener, 8, 60000, 60000);
	ck_assert(!get(unwrapped, 1, 1, "a"));
	ck_assert(get(unwrapped, 1, 1, "a"));
	ck_assert(!get(unwrapped, 2, 1, "a"));
	ck_assert(!get(unwrapped, 1, 2, "a"));
	ck_assert(!get(unwrapped, 1, 1, "b"));
	ck_assert(get(unwrapped, 1, 1, "a"));
	ck_assert_int_eq(opener.calls, 4);
	unwrapped_free(unwrapped);
}
END_TEST

START_TEST(test_bounded_the_longest_unused_goes)
{
	struct opener opener;

	opener_init(&opener);
	struct unwrapped *unwrapped = make(&opener, 2, 60000, 60000);
	ck_assert(!get(unwrapped, 1, 1, "a"));
	ck_assert(!get(unwrapped, 2, 1, "b"));
	ck_assert(get(unwrapped, 1, 1, "a"));
	ck_assert(!get(unwrapped, 3, 1, "c"));
	ck_assert(get(unwrapped, 1, 1, "a"));
	ck_assert(!get(unwrapped, 2, 1, "b"));
	unwrapped_free(unwrapped);
}
END_TEST

static void await_ms(int64_t until_ms)
{
	while (clock_mono_ms() < until_ms)
		usleep(1000);
}

START_TEST(test_over_after_its_time)
{
	struct opener opener;

	opener_init(&opener);
	struct unwrapped *unwrapped = make(&opener, 4, 200, 60000);
	int64_t from_ms = clock_mono_ms();
	ck_assert(!get(unwrapped, 1, 1, "a"));
	/* used all the time, and over nevertheless */
	while (get(unwrapped, 1, 1, "a"))
		ck_assert_int_lt(clock_mono_ms(), from_ms + 10000);
	ck_assert_int_ge(clock_mono_ms(), from_ms + 200);
	unwrapped_free(unwrapped);
}
END_TEST

START_TEST(test_over_without_use)
{
	struct opener opener;

	opener_init(&opener);
	struct unwrapped *unwrapped = make(&opener, 4, 60000, 50);
	ck_assert(!get(unwrapped, 1, 1, "a"));
	await_ms(clock_mono_ms() + 60);
	unwrapped_sweep(unwrapped);
	ck_assert(!get(unwrapped, 1, 1, "a"));
	unwrapped_free(unwrapped);
}
END_TEST

START_TEST(test_forgotten)
{
	struct opener opener;

	opener_init(&opener);
	struct unwrapped *unwrapped = make(&opener, 8, 60000, 60000);
	get(unwrapped, 1, 1, "a");
	get(unwrapped, 1, 2, "b");
	get(unwrapped, 2, 1, "c");
	unwrapped_forget(unwrapped, row_of(1, 0).tenant);
	ck_assert(!get(unwrapped, 1, 1, "a"));
	ck_assert(!get(unwrapped, 1, 2, "b"));
	ck_assert(get(unwrapped, 2, 1, "c"));
	unwrapped_free(unwrapped);
}
END_TEST

/* --- many at once --- */

struct asker {
	struct unwrapped *unwrapped;
	struct err e;
	struct seal_key key;
	bool known;
};

static void *ask(void *arg)
{
	struct asker *asker = arg;
	const struct seal_key_row row = row_of(1, 1);

	asker->e = unwrapped_get(asker->unwrapped, &row, STR("a"), &asker->key, &asker->known);
	return NULL;
}

/* All ask while the first is inside; *ret_known counts who did not open. */
static void ask_at_once(struct opener *opener, struct unwrapped *unwrapped, struct asker *askers,
	void (*meanwhile)(struct unwrapped *unwrapped))
{
	pthread_t threads[THREADS];

	close_door(opener, true);
	for (size_t i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){ .unwrapped = unwrapped };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
		await_inside(opener, 1);
	}
	if (meanwhile != NULL)
		meanwhile(unwrapped);
	close_door(opener, false);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

START_TEST(test_a_stampede_opens_once)
{
	struct opener opener;
	struct asker askers[THREADS];
	int opened = 0;

	opener_init(&opener);
	struct unwrapped *unwrapped = make(&opener, 4, 60000, 60000);
	ask_at_once(&opener, unwrapped, askers, NULL);
	ck_assert_int_eq(opener.calls, 1);
	for (size_t i = 0; i < THREADS; i++) {
		ck_assert_int_eq(askers[i].e.kind, ERR_OK);
		ck_assert_int_eq(askers[i].key.bytes[31], 'a');
		opened += !askers[i].known;
	}
	ck_assert_int_eq(opened, 1);
	unwrapped_free(unwrapped);
}
END_TEST

START_TEST(test_a_failure_is_shared_and_not_kept)
{
	struct opener opener;
	struct asker askers[THREADS];

	opener_init(&opener);
	struct unwrapped *unwrapped = make(&opener, 4, 60000, 60000);
	opener.answer = err_retry(ERR_CODE_KEYS_AWAY, "away");
	ask_at_once(&opener, unwrapped, askers, NULL);
	/* a thread that came so late that the failure was over has asked anew */
	ck_assert_int_ge(opener.calls, 1);
	for (size_t i = 0; i < THREADS; i++)
		ck_assert(err_is(askers[i].e, ERR_CODE_KEYS_AWAY));
	opener.answer = err_ok();
	ck_assert(!get(unwrapped, 1, 1, "a"));
	ck_assert(get(unwrapped, 1, 1, "a"));
	unwrapped_free(unwrapped);
}
END_TEST

static void forget_it(struct unwrapped *unwrapped)
{
	unwrapped_forget(unwrapped, row_of(1, 0).tenant);
}

START_TEST(test_forgotten_while_opened_is_not_kept)
{
	struct opener opener;
	struct asker askers[THREADS];

	opener_init(&opener);
	struct unwrapped *unwrapped = make(&opener, 4, 60000, 60000);
	ask_at_once(&opener, unwrapped, askers, forget_it);
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(askers[i].e.kind, ERR_OK);
	int calls = opener.calls;
	ck_assert_int_ge(calls, 1);
	unwrapped_forget(unwrapped, row_of(1, 0).tenant);
	ck_assert(!get(unwrapped, 1, 1, "a"));
	ck_assert_int_eq(opener.calls, calls + 1);
	unwrapped_free(unwrapped);
}
END_TEST

/* More tenants at once than there is room: they wait for each other and all get theirs. */
static void *ask_for_own(void *arg)
{
	struct asker *asker = arg;
	const uint8_t number = (uint8_t)(asker->key.bytes[0] + 1);
	const struct seal_key_row row = row_of(number, 1);
	const char text[2] = { (char)('a' + number), '\0' };

	for (int i = 0; i < 200; i++) {
		asker->e = unwrapped_get(
			asker->unwrapped, &row, str_of(text), &asker->key, &asker->known);
		if (asker->e.kind != ERR_OK || asker->key.bytes[7] != text[0])
			return arg;
	}
	return NULL;
}

START_TEST(test_more_than_fit)
{
	struct opener opener;
	struct asker askers[THREADS];
	pthread_t threads[THREADS];

	opener_init(&opener);
	struct unwrapped *unwrapped = make(&opener, 2, 60000, 60000);
	for (size_t i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){ .unwrapped = unwrapped };
		askers[i].key.bytes[0] = (uint8_t)i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_for_own, &askers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		void *wrong = NULL;
		pthread_join(threads[i], &wrong);
		ck_assert_ptr_null(wrong);
	}
	unwrapped_free(unwrapped);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unwrapped");
	TCase *tc = tcase_create("unwrapped");

	tcase_add_test(tc, test_known_by_row_and_wrapping);
	tcase_add_test(tc, test_bounded_the_longest_unused_goes);
	tcase_add_test(tc, test_over_after_its_time);
	tcase_add_test(tc, test_over_without_use);
	tcase_add_test(tc, test_forgotten);
	tcase_add_test(tc, test_a_stampede_opens_once);
	tcase_add_test(tc, test_a_failure_is_shared_and_not_kept);
	tcase_add_test(tc, test_forgotten_while_opened_is_not_kept);
	tcase_add_test(tc, test_more_than_fit);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
