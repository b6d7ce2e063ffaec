#include "port/http_pump.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <uv.h>

struct http_pump {
	CURLM *multi;
	uv_loop_t *uv;
	loop_fn *after;
	void *arg;
	uv_timer_t timer;
	bool in_timer;
};

struct watch {
	uv_poll_t poll;
	curl_socket_t socket;
	struct http_pump *pump;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	int flags = 0;
	int running = 0;

	if (status < 0)
		flags |= CURL_CSELECT_ERR;
	if ((events & UV_READABLE) != 0)
		flags |= CURL_CSELECT_IN;
	if ((events & UV_WRITABLE) != 0)
		flags |= CURL_CSELECT_OUT;
	struct http_pump *pump = watch->pump; /* the watch may go */
	curl_multi_socket_action(pump->multi, watch->socket, flags, &running);
	pump->after(pump->arg);
}

static void on_timer(uv_timer_t *timer)
{
	struct http_pump *pump = timer->data;
	int running = 0;

	pump->in_timer = true;
	curl_multi_socket_action(pump->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	pump->in_timer = false;
	pump->after(pump->arg);
}

static int timer_wanted(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_pump *pump = arg;

	(void)multi;
	if (timeout_ms < 0) {
		uv_timer_stop(&pump->timer);
		return 0;
	}
	/* libuv 1.44 runs a timer of 0 set by a timer in the same pass, before any socket. */
	uint64_t wait_ms = timeout_ms == 0 && pump->in_timer ? 1 : (uint64_t)timeout_ms;
	return uv_timer_start(&pump->timer, on_timer, wait_ms, 0) == 0 ? 0 : -1;
}

static void free_watch(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watch *new_watch(struct http_pump *pump, curl_socket_t socket)
{
	struct watch *watch = calloc(1, sizeof *watch);

	if (watch == NULL)
		return NULL;
	if (uv_poll_init_socket(pump->uv, &watch->poll, socket) != 0) {
		free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	watch->socket = socket;
	watch->pump = pump;
	curl_multi_assign(pump->multi, socket, watch);
	return watch;
}

static int socket_wanted(CURL *easy, curl_socket_t socket, int what, void *arg, void *socket_arg)
{
	struct http_pump *pump = arg;
	struct watch *watch = socket_arg;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch != NULL) {
			curl_multi_assign(pump->multi, socket, NULL);
			uv_poll_stop(&watch->poll);
			uv_close((uv_handle_t *)&watch->poll, free_watch);
		}
		return 0;
	}
	if (watch == NULL)
		watch = new_watch(pump, socket);
	if (watch == NULL)
		return -1;
	if ((what & CURL_POLL_IN) != 0)
		events |= UV_READABLE;
	if ((what & CURL_POLL_OUT) != 0)
		events |= UV_WRITABLE;
	return uv_poll_start(&watch->poll, events, on_poll) == 0 ? 0 : -1;
}

struct err http_pump_open(
	struct loop *loop, void *multi, loop_fn *after, void *arg, struct http_pump **ret_pump)
{
	struct http_pump *pump = calloc(1, sizeof *pump);

	if (pump == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the HTTP client");
	pump->multi = multi;
	pump->uv = loop_uv(loop);
	pump->after = after;
	pump->arg = arg;
	uv_timer_init(pump->uv, &pump->timer);
	pump->timer.data = pump;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, pump);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, pump);
	*ret_pump = pump;
	return err_ok();
}

static void free_pump(uv_handle_t *handle)
{
	free(handle->data);
}

void http_pump_close(struct http_pump *pump)
{
	if (pump == NULL)
		return;
	uv_timer_stop(&pump->timer);
	uv_close((uv_handle_t *)&pump->timer, free_pump);
}
