/*
 * The loop and its mailbox. libuv merges wake-ups, so the mailbox is our own list under a mutex and
 * one uv_async only says "look". "Stopped" is decided under that mutex, at a moment when the list
 * is empty: that is what makes an accepted post never lost.
 */
#include "port/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <uv.h>

#include "base/clock.h"

enum { TICK_MS = 1000 };

struct post {
	struct post *next;
	loop_fn *fn;
	void *arg;
};

struct loop_timer {
	uv_timer_t uv;
	struct loop *loop;
	loop_fn *fn;
	void *arg;
	struct loop_timer *prev;
	struct loop_timer *next;
};

struct signal {
	uv_signal_t uv;
	loop_fn *fn;
	void *arg;
	struct signal *next;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t tick;
	pthread_mutex_t lock; /* guards first, last, stopping, stopped */
	struct post *first;
	struct post **last;
	bool stopping;
	bool stopped;
	_Atomic(int64_t) tick_us;
	_Atomic(pthread_t) thread;
	struct loop_timer *timers;
	struct signal *signals;
	char *scratch;
};

/* The posts so far, in order; NULL and the loop is marked stopped when there are none and it
 * should. */
static struct post *take_posts(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	struct post *posts = loop->first;
	loop->first = NULL;
	loop->last = &loop->first;
	if (posts == NULL && loop->stopping)
		loop->stopped = true;
	pthread_mutex_unlock(&loop->lock);
	return posts;
}

static void run_posts(struct post *posts)
{
	while (posts != NULL) {
		struct post *post = posts;

		posts = post->next;
		post->fn(post->arg);
		free(post);
	}
}

static void on_wake(uv_async_t *wake)
{
	struct loop *loop = wake->data;

	run_posts(take_posts(loop));
	/* While stopping, what those posted belongs to this run too. Otherwise it wakes the loop
	 * again, so that posts which post themselves do not starve the sockets. */
	for (;;) {
		pthread_mutex_lock(&loop->lock);
		bool go_on = loop->stopping && !loop->stopped;
		bool stopped = loop->stopped;
		pthread_mutex_unlock(&loop->lock);
		if (stopped)
			uv_stop(&loop->uv);
		if (!go_on)
			return;
		run_posts(take_posts(loop));
	}
}

static void on_tick(uv_timer_t *tick)
{
	struct loop *loop = tick->data;

	atomic_store(&loop->tick_us, clock_mono_us());
}

static bool init_handles(struct loop *loop)
{
	if (uv_loop_init(&loop->uv) != 0)
		return false;
	if (uv_async_init(&loop->uv, &loop->wake, on_wake) != 0) {
		uv_loop_close(&loop->uv);
		return false;
	}
	loop->wake.data = loop;
	uv_timer_init(&loop->uv, &loop->tick);
	loop->tick.data = loop;
	uv_timer_start(&loop->tick, on_tick, TICK_MS, TICK_MS);
	uv_unref((uv_handle_t *)&loop->tick);
	return true;
}

struct err loop_open(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof *loop);
	char *scratch = malloc(LOOP_SCRATCH_BYTES);

	if (loop == NULL || scratch == NULL) {
		free(loop);
		free(scratch);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the event loop");
	}
	if (!init_handles(loop)) {
		free(loop);
		free(scratch);
		return err_fatal(ERR_CODE_INTERNAL, "the event loop cannot be made");
	}
	signal(SIGPIPE, SIG_IGN); /* libuv writes with write(2) */
	pthread_mutex_init(&loop->lock, NULL);
	loop->last = &loop->first;
	loop->scratch = scratch;
	atomic_store(&loop->thread, pthread_self());
	atomic_store(&loop->tick_us, clock_mono_us());
	*ret_loop = loop;
	return err_ok();
}

static void on_guard(uv_timer_t *tick)
{
	uv_stop(tick->loop);
}

/* Lets close callbacks run; a handle that somebody forgot to close costs a second and its memory.
 */
static bool finish_handles(struct loop *loop)
{
	uv_timer_start(&loop->tick, on_guard, TICK_MS, 0);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&loop->tick, NULL);
	uv_run(&loop->uv, UV_RUN_NOWAIT);
	return uv_loop_close(&loop->uv) == 0;
}

static void on_signal_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void loop_close(struct loop *loop)
{
	if (loop == NULL)
		return;
	pthread_mutex_lock(&loop->lock);
	loop->stopped = true;
	pthread_mutex_unlock(&loop->lock);
	while (loop->timers != NULL)
		loop_timer_free(loop->timers);
	while (loop->signals != NULL) {
		struct signal *entry = loop->signals;
		loop->signals = entry->next;
		uv_close((uv_handle_t *)&entry->uv, on_signal_closed);
	}
	run_posts(take_posts(loop));
	uv_close((uv_handle_t *)&loop->wake, NULL);
	if (!finish_handles(loop))
		return; /* memory that libuv still looks at is not ours to free */
	pthread_mutex_destroy(&loop->lock);
	free(loop->scratch);
	free(loop);
}

void loop_run(struct loop *loop)
{
	atomic_store(&loop->thread, pthread_self());
	atomic_store(&loop->tick_us, clock_mono_us());
	pthread_mutex_lock(&loop->lock);
	loop->stopped = false;
	pthread_mutex_unlock(&loop->lock);
	uv_async_send(&loop->wake);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	pthread_mutex_lock(&loop->lock);
	loop->stopping = false;
	pthread_mutex_unlock(&loop->lock);
}

void loop_stop(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	if (!loop->stopped) {
		loop->stopping = true;
		uv_async_send(&loop->wake);
	}
	pthread_mutex_unlock(&loop->lock);
}

bool loop_post(struct loop *loop, loop_fn *fn, void *arg)
{
	struct post *post = malloc(sizeof *post);

	if (post == NULL)
		return false;
	*post = (struct post){ NULL, fn, arg };
	pthread_mutex_lock(&loop->lock);
	bool open = !loop->stopped;
	if (open) {
		*loop->last = post;
		loop->last = &post->next;
		uv_async_send(&loop->wake);
	}
	pthread_mutex_unlock(&loop->lock);
	if (!open)
		free(post);
	return open;
}

bool loop_is_here(const struct loop *loop)
{
	return pthread_equal(atomic_load(&loop->thread), pthread_self()) != 0;
}

static void on_timer(uv_timer_t *uv)
{
	struct loop_timer *timer = uv->data;

	timer->fn(timer->arg);
}

struct err loop_timer_new(struct loop *loop, loop_fn *fn, void *arg, struct loop_timer **ret_timer)
{
	struct loop_timer *timer = calloc(1, sizeof *timer);

	if (timer == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a timer");
	uv_timer_init(&loop->uv, &timer->uv);
	timer->uv.data = timer;
	timer->loop = loop;
	timer->fn = fn;
	timer->arg = arg;
	timer->next = loop->timers;
	if (timer->next != NULL)
		timer->next->prev = timer;
	loop->timers = timer;
	*ret_timer = timer;
	return err_ok();
}

void loop_timer_start(struct loop_timer *timer, uint64_t first_ms, uint64_t repeat_ms)
{
	/* libuv counts from the start of this turn of the loop, which may have been a while ago */
	uv_update_time(&timer->loop->uv);
	uv_timer_start(&timer->uv, on_timer, first_ms, repeat_ms);
}

void loop_timer_stop(struct loop_timer *timer)
{
	uv_timer_stop(&timer->uv);
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	if (timer->prev != NULL)
		timer->prev->next = timer->next;
	else
		timer->loop->timers = timer->next;
	if (timer->next != NULL)
		timer->next->prev = timer->prev;
	uv_close((uv_handle_t *)&timer->uv, on_timer_closed);
}

static void on_signal(uv_signal_t *uv, int signum)
{
	struct signal *entry = uv->data;

	(void)signum;
	entry->fn(entry->arg);
}

struct err loop_signal(struct loop *loop, int signum, loop_fn *fn, void *arg)
{
	struct signal *entry = calloc(1, sizeof *entry);

	if (entry == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a signal handler");
	uv_signal_init(&loop->uv, &entry->uv);
	entry->uv.data = entry;
	entry->fn = fn;
	entry->arg = arg;
	if (uv_signal_start(&entry->uv, on_signal, signum) != 0) {
		uv_close((uv_handle_t *)&entry->uv, on_signal_closed);
		return err_fatal(ERR_CODE_INTERNAL, "the signal cannot be caught");
	}
	entry->next = loop->signals;
	loop->signals = entry;
	return err_ok();
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
	return &loop->uv;
}

int64_t loop_tick_us(const struct loop *loop)
{
	return atomic_load(&loop->tick_us);
}

char *loop_scratch(struct loop *loop)
{
	return loop->scratch;
}
