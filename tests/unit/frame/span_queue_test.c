#include "frame/span_queue.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct span_queue *queue;

static void setup(void)
{
	const struct span_queue_conf conf = { .spans_max = 5,
		.bytes_max = 40,
		.batch_spans = 2,
		.batch_ms = 100,
		.head = STR("<"),
		.tail = STR(">") };

	queue = span_queue_new(&conf);
	ck_assert_ptr_nonnull(queue);
}

static void teardown(void)
{
	span_queue_free(queue);
}

static void expect_batch(struct span_batch *batch, size_t spans, const char *body)
{
	ck_assert_ptr_nonnull(batch);
	ck_assert_uint_eq(batch->spans, spans);
	ck_assert_str_eq(batch->body.ptr, body);
}

START_TEST(batches_are_whole_requests)
{
	ck_assert_int_eq(span_queue_put(queue, STR("a"), 0), SPAN_QUEUE_TAKEN);
	ck_assert_ptr_null(span_queue_take(queue, 99, false));
	ck_assert_int_eq(span_queue_put(queue, STR("b"), 99), SPAN_QUEUE_COMPLETE);
	ck_assert_int_eq(span_queue_put(queue, STR("c"), 99), SPAN_QUEUE_TAKEN);
	struct span_batch *batch = span_queue_take(queue, 99, false);
	expect_batch(batch, 2, "<a,b>");
	span_queue_release(queue, batch);
	ck_assert_ptr_null(span_queue_take(queue, 198, false));
	batch = span_queue_take(queue, 199, false); /* old enough */
	expect_batch(batch, 1, "<c>");
	span_queue_release(queue, batch);
	ck_assert_ptr_null(span_queue_take(queue, 1000, true));
}
END_TEST

START_TEST(what_does_not_fit_is_dropped)
{
	for (int i = 0; i < 5; i++)
		ck_assert_int_ne(span_queue_put(queue, STR("x"), 0), SPAN_QUEUE_FULL);
	ck_assert_int_eq(span_queue_put(queue, STR("x"), 0), SPAN_QUEUE_FULL);
	ck_assert_uint_eq(span_queue_count(queue), 5);
	struct span_batch *batch = span_queue_take(queue, 0, true);
	/* taken is not sent yet */
	ck_assert_int_eq(span_queue_put(queue, STR("x"), 0), SPAN_QUEUE_FULL);
	span_queue_release(queue, batch);
	ck_assert_int_eq(span_queue_put(queue, STR("x"), 0), SPAN_QUEUE_COMPLETE);
}
END_TEST

START_TEST(bytes_count_too)
{
	ck_assert_int_eq(span_queue_put(queue, STR("0123456789012345678901234567890"), 0),
		SPAN_QUEUE_TAKEN); /* 31 and a comma */
	ck_assert_int_eq(span_queue_put(queue, STR("01234567"), 0), SPAN_QUEUE_FULL);
	ck_assert_int_eq(span_queue_put(queue, STR("0123456"), 0), SPAN_QUEUE_COMPLETE);
	ck_assert_int_eq(span_queue_put(queue, STR(""), 0), SPAN_QUEUE_FULL);
	span_queue_release(queue, span_queue_take(queue, 0, true));
	ck_assert_int_eq(span_queue_put(queue, STR("01234567890123456789"), 0), SPAN_QUEUE_TAKEN);
}
END_TEST

static _Atomic size_t taken, full, sent;
static _Atomic bool over;

static void *put_many(void *arg)
{
	for (int i = 0; i < 20000; i++)
		if (span_queue_put(arg, STR("span"), 0) == SPAN_QUEUE_FULL)
			full++;
		else
			taken++;
	return NULL;
}

static void *take_many(void *arg)
{
	for (;;) {
		const bool last = over;
		struct span_batch *batch = span_queue_take(arg, 0, true);
		if (batch != NULL) {
			sent += batch->spans;
			span_queue_release(arg, batch);
		} else if (last) {
			return NULL;
		}
	}
}

START_TEST(nothing_is_lost_or_counted_twice_among_threads)
{
	pthread_t writers[3], reader;

	pthread_create(&reader, NULL, take_many, queue);
	for (int i = 0; i < 3; i++)
		pthread_create(&writers[i], NULL, put_many, queue);
	for (int i = 0; i < 3; i++)
		pthread_join(writers[i], NULL);
	over = true;
	pthread_join(reader, NULL);
	ck_assert_uint_eq(taken + full, 60000);
	ck_assert_uint_eq(sent, taken);
	ck_assert_uint_gt(sent, 0);
	ck_assert_uint_eq(span_queue_count(queue), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("span_queue");
	TCase *tcase = tcase_create("span_queue");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, batches_are_whole_requests);
	tcase_add_test(tcase, what_does_not_fit_is_dropped);
	tcase_add_test(tcase, bytes_count_too);
	tcase_add_test(tcase, nothing_is_lost_or_counted_twice_among_threads);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
