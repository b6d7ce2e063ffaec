#include "port/s3_put.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "port/http.h"
#include "port/s3.h"
#include "port/s3_request.h"
#include "port/s3_sign.h"

enum {
	CHUNK_BYTES = 64 * 1024,
	HEAD_BYTES = S3_SIGN_CHUNK_HEAD_MAX,
	ERROR_MAX = 16 * 1024,
};

struct s3_put {
	struct s3 *s3;
	const struct s3_sign_key *key;
	struct http_call *call;
	struct s3_put_callbacks callbacks;
	void *arg;
	uint64_t left_bytes;
	int64_t since_us; /* of the beginning, then of the last byte */
	bool is_ended;
	bool is_chunked;
	char last; /* when not chunked: held back until s3_put_end, so that abort stays possible */
	struct s3_sign_chain chain;
	size_t chunk_len;
	char chunk[]; /* when chunked: HEAD_BYTES, CHUNK_BYTES, CR LF */
};

static void put_free(struct s3_put *put)
{
	s3_sign_chain_done(&put->chain);
	free(put);
}

static struct err put_result(const struct s3_put *put, int status)
{
	struct err result = s3_status(status);

	if (err_is(result, ERR_CODE_NOT_FOUND))
		return err_retry(ERR_CODE_STORAGE_REFUSED, "the bucket does not exist");
	if (result.kind == ERR_OK && !put->is_ended)
		return err_retry(ERR_CODE_STORAGE_AWAY, "the storage answered before the end");
	return result;
}

static void on_done(void *arg, struct err result, struct http_response *response)
{
	struct s3_put *put = arg;
	void (*done)(void *arg, struct err result) = put->callbacks.done;
	void *done_arg = put->arg;

	s3_ear_tell(s3_ear(put->s3), S3_PUT, result.kind == ERR_OK ? response->status : 0,
		put->since_us);
	/* the body is gone, so nothing is sent again; but the next request has the new keys */
	if (result.kind == ERR_OK)
		s3_refused(put->s3, put->key, response->status);
	if (result.kind == ERR_OK)
		result = put_result(put, response->status);
	put_free(put);
	done(done_arg, result);
}

static void on_drained(void *arg)
{
	struct s3_put *put = arg;

	if (put->callbacks.drained != NULL && !put->is_ended)
		put->callbacks.drained(put->arg);
}

static struct err send_head(struct s3 *s3, const struct s3_put_request *request, struct s3_put *put)
{
	static const struct http_callbacks callbacks = { .done = on_done, .drained = on_drained };
	SCOPED(s3_request_done) struct s3_request_ready ready = { 0 };
	char size[24];

	snprintf(size, sizeof size, "%" PRIu64, request->size_bytes);
	struct s3_sign_pair extra[] = {
		{ STR("content-encoding"), STR("aws-chunked") },
		{ STR("x-amz-decoded-content-length"), str_of(size) },
	};
	struct s3_request plan = {
		.method = "PUT",
		.key = request->key,
		.extra = { extra, put->is_chunked ? 2 : 0 },
		.payload_hash = put->is_chunked ? S3_SIGN_STREAMING : S3_SIGN_UNSIGNED,
	};
	TRY(s3_request_prepare(s3, &plan, &ready));
	put->key = ready.key;
	TRY(s3_sign_chain_init(ready.key, ready.date, ready.signature, &put->chain));
	struct http_request http = {
		.method = "PUT",
		.url = ready.url.ptr,
		.headers = ready.headers,
		.streamed = true,
		.stream_bytes = put->is_chunked
					? s3_sign_stream_size(request->size_bytes, CHUNK_BYTES)
					: request->size_bytes,
		.response_max_bytes = ERROR_MAX,
		.timeout_ms = request->timeout_ms,
		.away = ERR_CODE_STORAGE_AWAY,
	};
	return http_send(s3_http(s3), &http, &callbacks, put, &put->call);
}

struct err s3_put_open(struct s3 *s3, const struct s3_put_request *request,
	const struct s3_put_callbacks *callbacks, void *arg, struct s3_put **ret_put)
{
	bool is_chunked = !s3_is_tls(s3);
	size_t room = is_chunked ? HEAD_BYTES + CHUNK_BYTES + 2 : 0;

	if (request->key == NULL || request->size_bytes == 0 || request->size_bytes > INT64_MAX / 2)
		return err_reject(ERR_CODE_BAD_PARAMETER, "not an object to put");
	struct s3_put *put = calloc(1, sizeof *put + room);
	if (put == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for an upload");
	put->s3 = s3;
	put->callbacks = *callbacks;
	put->arg = arg;
	put->left_bytes = request->size_bytes;
	put->since_us = clock_mono_us();
	put->is_chunked = is_chunked;
	struct err result = send_head(s3, request, put);
	if (result.kind != ERR_OK) {
		put_free(put);
		return result;
	}
	*ret_put = put;
	return err_ok();
}

/* The chunk as it stands, framed and signed, in one piece: head, bytes, CR LF. */
static struct err flush(struct s3_put *put)
{
	char head[HEAD_BYTES];
	char *bytes = put->chunk + HEAD_BYTES;
	size_t head_len = s3_sign_chunk(&put->chain, (struct str){ bytes, put->chunk_len }, head);

	memcpy(bytes - head_len, head, head_len);
	memcpy(bytes + put->chunk_len, "\r\n", 2);
	struct str framed = { bytes - head_len, head_len + put->chunk_len + 2 };
	put->chunk_len = 0;
	return http_call_feed(put->call, framed);
}

static struct err feed_chunks(struct s3_put *put, struct str bytes)
{
	while (bytes.len > 0) {
		size_t len = CHUNK_BYTES - put->chunk_len;

		if (len > bytes.len)
			len = bytes.len;
		memcpy(put->chunk + HEAD_BYTES + put->chunk_len, bytes.ptr, len);
		put->chunk_len += len;
		bytes = (struct str){ bytes.ptr + len, bytes.len - len };
		if (put->chunk_len == CHUNK_BYTES)
			TRY(flush(put));
	}
	return err_ok();
}

struct err s3_put_feed(struct s3_put *put, struct str bytes)
{
	if (put->is_ended || bytes.len > put->left_bytes)
		return err_reject(ERR_CODE_BAD_PARAMETER, "more was fed than declared");
	put->left_bytes -= bytes.len;
	if (put->is_chunked)
		return feed_chunks(put, bytes);
	if (bytes.len > 0 && put->left_bytes == 0)
		put->last = bytes.ptr[--bytes.len];
	return http_call_feed(put->call, bytes);
}

size_t s3_put_pending(const struct s3_put *put)
{
	return http_call_pending(put->call);
}

struct err s3_put_end(struct s3_put *put)
{
	if (put->is_ended || put->left_bytes > 0)
		return err_reject(ERR_CODE_BAD_PARAMETER, "less was fed than declared");
	put->is_ended = true;
	put->since_us = clock_mono_us(); /* the sender's pace is not the storage's */
	if (!put->is_chunked)
		return http_call_feed(put->call, (struct str){ &put->last, 1 });
	if (put->chunk_len > 0)
		TRY(flush(put));
	return flush(put); /* the empty chunk seals the chain */
}

void s3_put_abort(struct s3_put *put)
{
	http_cancel(put->call);
	put_free(put);
}
