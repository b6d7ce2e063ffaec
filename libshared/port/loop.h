/*
 * The event loop of a process: a thin layer over libuv. Everything on the loop (timers, streams,
 * HTTP) is touched by the loop's thread only; the two doors for other threads are loop_post and
 * loop_stop. A function whose post was accepted always runs, before loop_run returns.
 */
#ifndef ESTEIRA_PORT_LOOP_H
#define ESTEIRA_PORT_LOOP_H

#include "base/err.h"
#include "base/str.h"

struct loop;
struct loop_timer;
struct uv_loop_s;

typedef void loop_fn(void *arg);

/* A new loop (and SIGPIPE is ignored from now on); the thread that calls loop_run (or, before it,
 * loop_open) is the loop's thread. ERR_FATAL out-of-memory or internal (no descriptors left). */
struct err loop_open(struct loop **ret_loop) ERR_MUST_USE;

/* After loop_run has returned, on the loop's thread: lets handles that are being closed finish,
 * closes timers and signals that are left, frees the loop. NULL is fine. No thread may call
 * loop_post any more.
 */
void loop_close(struct loop *loop);

/* Runs until loop_stop; may be called again afterwards. */
void loop_run(struct loop *loop);

/* Makes loop_run return after the functions posted so far (and those they post) have run. Any
 * thread, and from a signal callback of loop_signal. */
void loop_stop(struct loop *loop);

/* fn(arg) runs on the loop's thread, in the order of the posts, not nested in this call. False when
 * the loop has stopped or memory is out: fn will then not run. Any thread. */
bool loop_post(struct loop *loop, loop_fn *fn, void *arg) ERR_MUST_USE;

/* Whether the caller is on the loop's thread. Any thread. */
bool loop_is_here(const struct loop *loop);

/* A timer that runs fn(arg); not started yet. ERR_FATAL out-of-memory. Loop thread. */
struct err loop_timer_new(struct loop *loop, loop_fn *fn, void *arg, struct loop_timer **ret_timer)
	ERR_MUST_USE;

/* Runs after first_ms and then each repeat_ms (0: once). Also sets a running timer again. Loop
 * thread. */
void loop_timer_start(struct loop_timer *timer, uint64_t first_ms, uint64_t repeat_ms);

/* fn will not run until the timer is started again. Loop thread. */
void loop_timer_stop(struct loop_timer *timer);

/* fn will not run any more. NULL is fine; allowed inside fn. Loop thread. */
void loop_timer_free(struct loop_timer *timer);

/* fn(arg) on the loop's thread whenever the process gets signum, until loop_close. Loop thread. */
struct err loop_signal(struct loop *loop, int signum, loop_fn *fn, void *arg) ERR_MUST_USE;

/* The libuv loop, for ports that bring their own handles (libcurl). Loop thread. */
struct uv_loop_s *loop_uv(struct loop *loop);

/* When the loop last came round, in clock_mono_us() time; it comes round at least once a second
 * while it is healthy. Any thread. */
int64_t loop_tick_us(const struct loop *loop);

enum { LOOP_SCRATCH_BYTES = 64 * 1024 };

/* One buffer of LOOP_SCRATCH_BYTES that all streams of the loop read into; its content is valid
 * inside one read callback. Loop thread. */
char *loop_scratch(struct loop *loop);

#endif
