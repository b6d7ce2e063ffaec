/*
 * A loop on a thread of its own with an HTTP client on it, as a service has it.
 */
#ifndef ESTEIRA_TESTS_UNIT_PORT_HTTP_RIG_H
#define ESTEIRA_TESTS_UNIT_PORT_HTTP_RIG_H

#include "port/http.h"
#include "port/loop.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>

struct http_rig {
	struct loop *loop;
	struct http *http;
	pthread_t thread;
	sem_t sem; /* for the test: something has ended */
};

static inline void *http_rig_run(void *arg)
{
	struct http_rig *rig = arg;

	loop_run(rig->loop);
	http_close(rig->http);
	loop_close(rig->loop);
	return NULL;
}

static inline void http_rig_post(void *arg)
{
	sem_post(arg);
}

/* Returns when the loop runs. */
static inline void http_rig_up(struct http_rig *rig, const struct http_limits *limits)
{
	ck_assert_int_eq(loop_open(&rig->loop).kind, ERR_OK);
	ck_assert_int_eq(http_open(rig->loop, limits, &rig->http).kind, ERR_OK);
	sem_init(&rig->sem, 0, 0);
	pthread_create(&rig->thread, NULL, http_rig_run, rig);
	ck_assert(loop_post(rig->loop, http_rig_post, &rig->sem));
	sem_wait(&rig->sem);
}

static inline void http_rig_down(struct http_rig *rig)
{
	loop_stop(rig->loop);
	pthread_join(rig->thread, NULL);
	sem_destroy(&rig->sem);
}

/* A main for a file of tests. */
static inline int http_rig_main(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *cases = tcase_create("all");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, cases);
	tcase_set_timeout(cases, 30);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(cases, tests[i]);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

#endif
