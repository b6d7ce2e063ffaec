#include "port/s3_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "port/digest.h"
#include "port/s3.h"

enum { URL_MAX = 8 * 1024, AUTHORIZATION_MAX = 2 * 1024, SIGNED_MAX = S3_REQUEST_EXTRA_MAX + 3 };

static int by_name(const void *a, const void *b)
{
	const struct s3_sign_pair *left = a;
	const struct s3_sign_pair *right = b;

	/* Names are literals of this library, so they end in NUL. */
	return strcmp(left->name.ptr, right->name.ptr);
}

/* What is signed, in order: host, hash, date and the extra headers. */
static struct s3_sign_list collect(const struct s3 *s3, const struct s3_request *request,
	const struct s3_request_ready *ready, struct s3_sign_pair *pairs)
{
	size_t count = 0;

	pairs[count++] = (struct s3_sign_pair){ STR("host"), s3_host(s3) };
	pairs[count++] = (struct s3_sign_pair){ STR("x-amz-content-sha256"), str_of(ready->hash) };
	pairs[count++] = (struct s3_sign_pair){ STR("x-amz-date"), str_of(ready->date) };
	for (size_t i = 0; i < request->extra.count; i++)
		pairs[count++] = request->extra.pairs[i];
	qsort(pairs, count, sizeof *pairs, by_name);
	return (struct s3_sign_list){ pairs, count };
}

/* libcurl makes Host and Content-Length itself, from the same URL. */
static void fill_headers(struct s3_sign_list signed_headers, struct s3_request_ready *ready)
{
	size_t count = 0;

	for (size_t i = 0; i < signed_headers.count; i++) {
		const struct s3_sign_pair *pair = signed_headers.pairs + i;

		if (!str_eq(pair->name, STR("host")))
			ready->headers[count++] =
				(struct http_header){ pair->name.ptr, pair->value.ptr };
	}
	ready->headers[count++] = (struct http_header){ "authorization", ready->authorization.ptr };
	ready->headers[count] = (struct http_header){ NULL, NULL };
}

static void set_hash(const struct s3_request *request, struct s3_request_ready *ready)
{
	uint8_t hash[DIGEST_BYTES];

	if (request->payload_hash != NULL) {
		memcpy(ready->hash, request->payload_hash, strlen(request->payload_hash) + 1);
		return;
	}
	digest_sha256(request->body, hash);
	encode_hex(hash, sizeof hash, ready->hash);
}

struct err s3_request_prepare(
	const struct s3 *s3, const struct s3_request *request, struct s3_request_ready *ret_ready)
{
	struct s3_sign_pair pairs[SIGNED_MAX];
	struct str path;

	ret_ready->url = BUF(URL_MAX);
	ret_ready->authorization = BUF(AUTHORIZATION_MAX);
	TRY(s3_object_url(s3, request->key, &ret_ready->url, &path));
	ret_ready->key = s3_key(s3);
	s3_sign_date(clock_wall_ms(), ret_ready->date);
	set_hash(request, ret_ready);
	struct s3_sign_request plan = {
		.method = request->method,
		.path = path,
		.query = request->query,
		.headers = collect(s3, request, ret_ready, pairs),
		.payload_hash = ret_ready->hash,
		.date = ret_ready->date,
	};
	TRY(s3_sign_header(ret_ready->key, &plan, &ret_ready->authorization, ret_ready->signature));
	fill_headers(plan.headers, ret_ready);
	if (request->query.count > 0)
		buf_add_str(&ret_ready->url, STR("?"));
	return s3_sign_query(request->query, &ret_ready->url);
}

void s3_request_done(struct s3_request_ready *ready)
{
	buf_done(&ready->url);
	buf_done(&ready->authorization);
}

/* *ret_key: by which keys it was signed. */
static struct err call_once(const struct s3 *s3, const struct s3_request *request,
	struct http_response *ret_response, const struct s3_sign_key **ret_key)
{
	SCOPED(s3_request_done) struct s3_request_ready ready = { 0 };

	TRY(s3_request_prepare(s3, request, &ready));
	*ret_key = ready.key;
	struct http_request http = {
		.method = request->method,
		.url = ready.url.ptr,
		.headers = ready.headers,
		.body = request->body,
		.response_max_bytes = request->response_max_bytes,
		.timeout_ms = s3_timeout_ms(s3),
		.away = ERR_CODE_STORAGE_AWAY,
	};
	int64_t since_us = clock_mono_us();
	struct err e = http_call(s3_http(s3), &http, ret_response);
	s3_ear_tell(s3_ear(s3), request->operation, e.kind == ERR_OK ? ret_response->status : 0,
		since_us);
	return e;
}

struct err s3_request_call(
	const struct s3 *s3, const struct s3_request *request, struct http_response *ret_response)
{
	struct http_response response = { 0 };
	const struct s3_sign_key *key;

	TRY(call_once(s3, request, &response, &key));
	if (s3_refused(s3, key, response.status)) {
		http_response_done(&response);
		response = (struct http_response){ 0 };
		TRY(call_once(s3, request, &response, &key));
	}
	*ret_response = response;
	return err_ok();
}
