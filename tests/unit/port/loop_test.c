#include "port/loop.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

enum { THREADS = 4, POSTS = 20000 };

struct posts {
	struct loop *loop;
	_Atomic int accepted;
	int run; /* loop thread */
	int last[THREADS];
};

struct one {
	struct posts *posts;
	int thread;
	int number;
};

static void on_post(void *arg)
{
	struct one *one = arg;

	ck_assert(loop_is_here(one->posts->loop));
	ck_assert_int_gt(one->number, one->posts->last[one->thread]); /* in order */
	one->posts->last[one->thread] = one->number;
	one->posts->run++;
	free(one);
}

struct poster {
	struct posts *posts;
	int thread;
};

static void *post_many(void *arg)
{
	struct poster *poster = arg;

	for (int i = 1; i <= POSTS; i++) {
		struct one *one = malloc(sizeof *one);
		*one = (struct one){ poster->posts, poster->thread, i };
		if (loop_post(poster->posts->loop, on_post, one))
			atomic_fetch_add(&poster->posts->accepted, 1);
		else
			free(one);
		if (i == POSTS / 2 && poster->thread == 0)
			loop_stop(poster->posts->loop);
	}
	return NULL;
}

/* A thread stops the loop while all are posting: what was accepted has run, nothing else has. */
START_TEST(accepted_posts_are_never_lost)
{
	struct posts posts = { 0 };
	pthread_t threads[THREADS];
	struct poster posters[THREADS];

	ck_assert_int_eq(loop_open(&posts.loop).kind, ERR_OK);
	for (int i = 0; i < THREADS; i++) {
		posters[i] = (struct poster){ &posts, i };
		pthread_create(&threads[i], NULL, post_many, &posters[i]);
	}
	loop_run(posts.loop);
	int run = posts.run;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(run, atomic_load(&posts.accepted));
	ck_assert_int_ge(run, POSTS / 2);
	ck_assert(!loop_post(posts.loop, on_post, NULL));
	loop_close(posts.loop);
}
END_TEST

struct chain {
	struct loop *loop;
	int left;
};

static void on_chain(void *arg)
{
	struct chain *chain = arg;

	if (chain->left-- == 10)
		loop_stop(chain->loop);
	if (chain->left > 0)
		ck_assert(loop_post(chain->loop, on_chain, chain));
}

START_TEST(posts_of_posts_run_before_the_stop)
{
	struct chain chain = { .left = 20 };

	ck_assert_int_eq(loop_open(&chain.loop).kind, ERR_OK);
	ck_assert(loop_post(chain.loop, on_chain, &chain)); /* before loop_run */
	loop_run(chain.loop);
	ck_assert_int_eq(chain.left, 0);
	chain.left = 15;
	loop_stop(chain.loop); /* has stopped already: no effect on the next run */
	ck_assert(!loop_post(chain.loop, on_chain, &chain));
	loop_close(chain.loop);
}
END_TEST

struct ticks {
	struct loop *loop;
	struct loop_timer *repeated, *once, *never;
	int repeats, onces;
};

static void on_never(void *arg)
{
	(void)arg;
	ck_abort_msg("a stopped timer ran");
}

static void on_once(void *arg)
{
	struct ticks *ticks = arg;

	ticks->onces++;
	if (ticks->onces == 1)
		loop_timer_start(ticks->once, 1, 0);
}

static void on_repeat(void *arg)
{
	struct ticks *ticks = arg;

	loop_timer_stop(ticks->never);
	if (++ticks->repeats < 5)
		return;
	loop_timer_free(ticks->repeated); /* inside itself */
	loop_stop(ticks->loop);
}

START_TEST(timers_run_once_or_repeat)
{
	struct ticks ticks = { 0 };
	int64_t begin_ms = clock_mono_ms();

	ck_assert_int_eq(loop_open(&ticks.loop).kind, ERR_OK);
	ck_assert_int_eq(
		loop_timer_new(ticks.loop, on_repeat, &ticks, &ticks.repeated).kind, ERR_OK);
	ck_assert_int_eq(loop_timer_new(ticks.loop, on_once, &ticks, &ticks.once).kind, ERR_OK);
	ck_assert_int_eq(loop_timer_new(ticks.loop, on_never, &ticks, &ticks.never).kind, ERR_OK);
	loop_timer_start(ticks.repeated, 5, 5);
	loop_timer_start(ticks.once, 1, 0);
	loop_timer_start(ticks.never, 60000, 0);
	loop_timer_free(NULL);
	loop_run(ticks.loop);
	ck_assert_int_eq(ticks.repeats, 5);
	ck_assert_int_eq(ticks.onces, 2);
	ck_assert_int_ge(clock_mono_ms() - begin_ms, 24);
	loop_close(ticks.loop); /* frees the two that are left */
}
END_TEST

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void raise_it(void *arg)
{
	(void)arg;
	raise(SIGUSR1);
}

START_TEST(signals_come_on_the_loop)
{
	struct loop *loop = NULL;

	ck_assert_int_eq(loop_open(&loop).kind, ERR_OK);
	ck_assert_int_eq(loop_signal(loop, SIGUSR1, stop_loop, loop).kind, ERR_OK);
	ck_assert_int_eq(loop_signal(loop, 9999, stop_loop, loop).kind, ERR_FATAL);
	ck_assert(loop_post(loop, raise_it, NULL));
	loop_run(loop);
	loop_close(loop);
}
END_TEST

START_TEST(idle_loop_ticks)
{
	struct ticks ticks = { 0 };

	ck_assert_int_eq(loop_open(&ticks.loop).kind, ERR_OK);
	ck_assert_int_le(loop_tick_us(ticks.loop), clock_mono_us());
	ck_assert_int_eq(
		loop_timer_new(ticks.loop, stop_loop, ticks.loop, &ticks.repeated).kind, ERR_OK);
	loop_timer_start(ticks.repeated, 1100, 0);
	int64_t begin_us = clock_mono_us();
	loop_run(ticks.loop);
	ck_assert_int_gt(loop_tick_us(ticks.loop), begin_us + 500000);
	loop_close(ticks.loop);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("loop");
	TCase *tc = tcase_create("loop");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, accepted_posts_are_never_lost);
	tcase_add_test(tc, posts_of_posts_run_before_the_stop);
	tcase_add_test(tc, timers_run_once_or_repeat);
	tcase_add_test(tc, signals_come_on_the_loop);
	tcase_add_test(tc, idle_loop_ticks);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());

	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
