#include "port/http.h"

#include <assert.h>
#include <pthread.h>

#include "port/loop.h"

struct wait {
	struct http *http;
	const struct http_request *request;
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	bool is_over;
	struct err result;
	struct http_response response;
};

static void wait_over(void *arg, struct err result, struct http_response *response)
{
	struct wait *wait = arg;

	pthread_mutex_lock(&wait->mutex);
	wait->result = result;
	if (response != NULL) {
		wait->response = *response;
		*response = (struct http_response){ 0 };
	}
	wait->is_over = true;
	pthread_cond_signal(&wait->ended);
	pthread_mutex_unlock(&wait->mutex);
}

static void wait_start(void *arg)
{
	static const struct http_callbacks callbacks = { .done = wait_over };
	struct wait *wait = arg;
	struct http_call *call;
	struct err result = http_send(wait->http, wait->request, &callbacks, wait, &call);

	if (result.kind != ERR_OK)
		wait_over(wait, result, NULL);
}

struct err http_call(
	struct http *http, const struct http_request *request, struct http_response *ret_response)
{
	struct wait wait = { .http = http, .request = request, .result = err_ok() };

	assert(!loop_is_here(http_loop(http)) && !request->streamed);
	pthread_mutex_init(&wait.mutex, NULL);
	pthread_cond_init(&wait.ended, NULL);
	if (loop_post(http_loop(http), wait_start, &wait)) {
		pthread_mutex_lock(&wait.mutex);
		while (!wait.is_over)
			pthread_cond_wait(&wait.ended, &wait.mutex);
		pthread_mutex_unlock(&wait.mutex);
	} else {
		wait.result = err_retry(request->away, "the loop has stopped");
	}
	pthread_cond_destroy(&wait.ended);
	pthread_mutex_destroy(&wait.mutex);
	if (wait.result.kind == ERR_OK)
		*ret_response = wait.response;
	return wait.result;
}
