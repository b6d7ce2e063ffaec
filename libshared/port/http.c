#include "port/http.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "port/http_easy.h"
#include "port/http_pump.h"
#include "port/http_queue.h"
#include "port/loop.h"

enum { SWEEP_MS = 1000 };

struct http {
	struct loop *loop;
	CURLM *multi;
	struct http_pump *pump;
	struct loop_timer *sweep;
	struct http_limits limits;
	struct http_call *calls;
	unsigned flagged; /* calls that are hungry or doomed */
};

struct http_call {
	struct http *http;
	struct http_call *next;
	struct http_call **link; /* what points at us */
	struct http_easy easy;
	struct http_callbacks callbacks;
	void *arg;
	struct http_response response;
	struct http_queue queue;
	uint64_t unfed_bytes;
	int64_t moved_ms; /* when a byte moved, or it became the server's turn */
	struct call_codes {
		enum err_code away, unsent, untrusted;
	} codes;
	struct err verdict; /* why we made libcurl fail */
	struct call_state {
		bool streamed, paused, hungry, doomed, in_data;
		bool cut, enough; /* the body may be cut; it was */
		bool headed;	  /* status and headers are there, and not of a 1xx */
	} is;
};

/* after_turn has to look at the call. */
static void flag(struct http_call *call, bool *why)
{
	if (!call->is.hungry && !call->is.doomed)
		call->http->flagged++;
	*why = true;
}

static void call_free(struct http_call *call)
{
	struct http *http = call->http;

	if (call->link != NULL) {
		*call->link = call->next;
		if (call->next != NULL)
			call->next->link = call->link;
	}
	if (call->is.hungry || call->is.doomed)
		http->flagged--;
	if (call->easy.curl != NULL)
		curl_multi_remove_handle(http->multi, call->easy.curl);
	http_easy_done(&call->easy);
	http_queue_done(&call->queue);
	http_response_done(&call->response);
	free(call);
}

/* Ends the call and tells its owner; the call is off every list by then. */
static void call_end(struct http_call *call, struct err result)
{
	struct http_callbacks callbacks = call->callbacks;
	void *arg = call->arg;
	struct http_response response = call->response;
	long status = 0;

	curl_easy_getinfo(call->easy.curl, CURLINFO_RESPONSE_CODE, &status);
	response.status = (int)status;
	call->response = (struct http_response){ 0 };
	call_free(call);
	callbacks.done(arg, result, result.kind == ERR_OK ? &response : NULL);
	http_response_done(&response);
}

/* What the caller wants is there, whatever becomes of the body. */
static bool has_enough(const struct http_call *call)
{
	return call->is.enough || (call->is.cut && call->is.headed);
}

static bool is_tls_failure(CURLcode code)
{
	return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
	       code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CIPHER ||
	       code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_INVALIDCERTSTATUS;
}

static struct err call_result(const struct http_call *call, CURLcode code)
{
	if (code == CURLE_OK || has_enough(call))
		return err_ok();
	if (is_tls_failure(code) && call->codes.untrusted != ERR_CODE_NONE)
		return err_retry(call->codes.untrusted, curl_easy_strerror(code));
	if (code == CURLE_URL_MALFORMAT)
		return err_reject(ERR_CODE_BAD_PARAMETER, curl_easy_strerror(code));
	bool unsent = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
	return err_retry(unsent && call->codes.unsent != ERR_CODE_NONE ? call->codes.unsent
								       : call->codes.away,
		curl_easy_strerror(code));
}

static void collect_done(struct http *http)
{
	CURLMsg *message;
	int left = 0;

	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct http_call *call = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		if (call->is.doomed)
			call_free(call);
		else if (call->verdict.kind != ERR_OK)
			call_end(call, call->verdict);
		else
			call_end(call, call_result(call, code));
	}
}

static struct http_call *find_flagged(struct http *http)
{
	struct http_call *call = http->calls;

	while (call != NULL && !call->is.hungry && !call->is.doomed)
		call = call->next;
	return call;
}

/* After each turn of libcurl, outside of it: callbacks may start, feed and cancel calls. */
static void after_turn(void *arg)
{
	struct http *http = arg;

	collect_done(http);
	while (http->flagged > 0) {
		struct http_call *call = find_flagged(http);

		assert(call != NULL);
		if (call->is.doomed) {
			call_free(call);
			continue;
		}
		call->is.hungry = false;
		http->flagged--;
		call->callbacks.drained(call->arg);
	}
}

/* The server's turn: it has bytes to take or an answer to give. */
static bool is_stalled(const struct http_call *call, int64_t now_ms)
{
	if (call->is.streamed && call->unfed_bytes > 0 && call->queue.pending_bytes == 0)
		return false;
	return now_ms - call->moved_ms > call->http->limits.stall_timeout_ms;
}

static void sweep(void *arg)
{
	struct http *http = arg;
	int64_t now_ms = clock_mono_ms();
	struct http_call *call = http->calls;

	while (call != NULL) {
		if (is_stalled(call, now_ms)) {
			call_end(call, has_enough(call) ? err_ok()
							: err_retry(call->codes.away,
								  "the server stopped answering"));
			call = http->calls; /* the callback may have changed the list */
		} else {
			call = call->next;
		}
	}
	if (http->calls == NULL)
		loop_timer_stop(http->sweep);
}

/* --- libcurl's callbacks --- */

static void fail(struct http_call *call, const char *msg)
{
	call->verdict = err_reject(ERR_CODE_RECORD_TOO_LARGE, msg);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	struct buf *headers = &call->response.headers;
	long status = 0;

	call->moved_ms = clock_mono_ms();
	curl_easy_getinfo(call->easy.curl, CURLINFO_RESPONSE_CODE, &status);
	if (str_starts((struct str){ bytes, size * count }, STR("HTTP/")))
		buf_clear(headers);
	else if (bytes[0] == '\r' || bytes[0] == '\n') /* the line that ends them */
		call->is.headed = status >= 200;
	buf_add(headers, bytes, size * count);
	if (!headers->overflow)
		return size * count;
	fail(call, "the response's headers are larger than their ceiling");
	return 0;
}

static size_t hand_over(struct http_call *call, struct str bytes)
{
	call->is.in_data = true;
	call->callbacks.data(call->arg, bytes);
	call->is.in_data = false;
	return call->is.doomed ? 0 : bytes.len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	struct buf *body = &call->response.body;
	size_t len = size * count;
	long status = 0;

	call->moved_ms = clock_mono_ms();
	curl_easy_getinfo(call->easy.curl, CURLINFO_RESPONSE_CODE, &status);
	if (call->callbacks.data != NULL && status < 300)
		return hand_over(call, (struct str){ bytes, len });
	bool fits = len <= body->max - body->len;
	if (!fits && (status >= 300 || call->is.cut))
		buf_add(body, bytes, body->max - body->len); /* the status says enough */
	else
		buf_add(body, bytes, len);
	call->is.enough = !fits && call->is.cut;
	if (!body->overflow)
		return call->is.enough ? 0 : len;
	fail(call, "the response is larger than its ceiling");
	return 0;
}

static size_t on_upload(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	size_t len = http_queue_take(&call->queue, size * count, bytes);

	call->moved_ms = clock_mono_ms();
	if (call->unfed_bytes > 0 && call->callbacks.drained != NULL &&
		call->queue.pending_bytes <= call->http->limits.queue_low_bytes)
		flag(call, &call->is.hungry);
	if (len > 0 || call->unfed_bytes == 0)
		return len;
	call->is.paused = true;
	return CURL_READFUNC_PAUSE;
}

/* --- the client --- */

static void default_i64(int64_t *value, int64_t fallback)
{
	if (*value == 0)
		*value = fallback;
}

static void default_size(size_t *value, size_t fallback)
{
	if (*value == 0)
		*value = fallback;
}

static struct http_limits complete(const struct http_limits *given)
{
	struct http_limits limits = given == NULL ? (struct http_limits){ 0 } : *given;

	default_i64(&limits.connect_timeout_ms, 3000);
	default_i64(&limits.stall_timeout_ms, 20000);
	default_i64(&limits.idle_max_ms, 15000);
	default_size(&limits.queue_max_bytes, 1024UL * 1024);
	default_size(&limits.queue_low_bytes, 128UL * 1024);
	default_size(&limits.headers_max_bytes, 32UL * 1024);
	default_size(&limits.connections_per_host, 64);
	default_size(&limits.connections_kept, 64);
	return limits;
}

struct err http_open(struct loop *loop, const struct http_limits *limits, struct http **ret_http)
{
	struct http *http = calloc(1, sizeof *http);

	if (http == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the HTTP client");
	http->loop = loop;
	http->limits = complete(limits);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(http);
		return err_fatal(ERR_CODE_INTERNAL, "libcurl cannot be initialised");
	}
	http->multi = curl_multi_init();
	if (http->multi == NULL) {
		http_close(http);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the HTTP client");
	}
	struct err result = http_pump_open(loop, http->multi, after_turn, http, &http->pump);
	if (result.kind == ERR_OK)
		result = loop_timer_new(loop, sweep, http, &http->sweep);
	if (result.kind != ERR_OK) {
		http_close(http);
		return result;
	}
	long connections = (long)http->limits.connections_per_host;
	curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)http->limits.connections_kept);
	*ret_http = http;
	return err_ok();
}

void http_close(struct http *http)
{
	if (http == NULL)
		return;
	while (http->calls != NULL)
		call_end(http->calls,
			err_retry(http->calls->codes.away, "the HTTP client was closed"));
	loop_timer_free(http->sweep);
	curl_multi_cleanup(http->multi);
	http_pump_close(http->pump);
	curl_global_cleanup();
	free(http);
}

/* --- calls --- */

static struct err call_start(struct http_call *call, const struct http_request *request)
{
	struct http *http = call->http;
	struct http_easy_hooks hooks = { on_header, on_body, on_upload, call };

	TRY(http_easy_init(&call->easy, &http->limits, request, &hooks));
	if (curl_multi_add_handle(http->multi, call->easy.curl) != CURLM_OK)
		return err_fatal(ERR_CODE_INTERNAL, "libcurl does not take the call");
	if (http->calls == NULL)
		loop_timer_start(http->sweep, SWEEP_MS, SWEEP_MS);
	call->next = http->calls;
	call->link = &http->calls;
	if (call->next != NULL)
		call->next->link = &call->next;
	http->calls = call;
	return err_ok();
}

struct err http_send(struct http *http, const struct http_request *request,
	const struct http_callbacks *callbacks, void *arg, struct http_call **ret_call)
{
	struct http_call *call = calloc(1, sizeof *call);

	if (call == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for an HTTP call");
	call->http = http;
	call->callbacks = *callbacks;
	call->arg = arg;
	call->codes = (struct call_codes){ request->away, request->unsent, request->untrusted };
	call->verdict = err_ok();
	call->response.headers = BUF(http->limits.headers_max_bytes);
	call->response.body = BUF(request->response_max_bytes);
	call->is.streamed = request->streamed;
	call->is.cut = request->cut;
	call->unfed_bytes = request->streamed ? request->stream_bytes : 0;
	call->moved_ms = clock_mono_ms();
	struct err result = call_start(call, request);
	if (result.kind != ERR_OK) {
		call_free(call);
		return result;
	}
	*ret_call = call;
	return err_ok();
}

void http_cancel(struct http_call *call)
{
	if (!call->is.in_data) {
		call_free(call);
		return;
	}
	/* libcurl is below us: it fails at our return, and after_turn frees the call. */
	flag(call, &call->is.doomed);
}

struct err http_call_feed(struct http_call *call, struct str bytes)
{
	size_t room = call->http->limits.queue_max_bytes - call->queue.pending_bytes;

	if (bytes.len > call->unfed_bytes)
		return err_reject(ERR_CODE_BAD_PARAMETER, "more was fed than declared");
	if (bytes.len > room)
		return err_reject(ERR_CODE_BAD_PARAMETER, "the upload queue is full");
	if (call->queue.pending_bytes == 0)
		call->moved_ms = clock_mono_ms();
	if (!http_queue_add(&call->queue, bytes))
		return err_retry(call->codes.away, "no memory for the upload queue");
	call->unfed_bytes -= bytes.len;
	if (call->is.paused && bytes.len > 0) {
		call->is.paused = false;
		curl_easy_pause(call->easy.curl, CURLPAUSE_CONT);
	}
	return err_ok();
}

size_t http_call_pending(const struct http_call *call)
{
	return call->queue.pending_bytes;
}

struct loop *http_loop(const struct http *http)
{
	return http->loop;
}
