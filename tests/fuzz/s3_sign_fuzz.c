/*
 * Names and values as the query of a request to be signed, split at '&' and '=': the canonical form
 * does not depend on their order, is sorted, has no byte that a server would read otherwise, and
 * decodes to what went in. Then any text as the signed path of a topic: what s3_url takes stays at
 * its endpoint, as libcurl, which dials it, reads it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/arena.h"
#include "port/s3.h"
#include "port/s3_sign.h"

enum { PAIRS_MAX = 16, OUT_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void check_encoded(struct str text)
{
	SCOPED(buf_done) struct buf out = BUF(OUT_BYTES);

	s3_sign_encode(text, false, &out);
	int len = 0;
	char *back = curl_easy_unescape(NULL, out.len == 0 ? "" : out.ptr, (int)out.len, &len);
	must(back != NULL && str_eq((struct str){ back, (size_t)len }, text));
	curl_free(back);
	for (size_t i = 0; i < out.len; i++)
		must(out.ptr[i] > ' ' && out.ptr[i] < 0x7f &&
			memchr("/?#&=+", out.ptr[i], 6) == NULL);
}

static void check_order(struct s3_sign_pair *pairs, size_t count)
{
	SCOPED(buf_done) struct buf forward = BUF(OUT_BYTES);
	SCOPED(buf_done) struct buf backward = BUF(OUT_BYTES);
	struct s3_sign_pair turned[PAIRS_MAX];

	for (size_t i = 0; i < count; i++)
		turned[i] = pairs[count - 1 - i];
	must(s3_sign_query((struct s3_sign_list){ pairs, count }, &forward).kind == ERR_OK);
	must(s3_sign_query((struct s3_sign_list){ turned, count }, &backward).kind == ERR_OK);
	must(str_eq(buf_str(&forward), buf_str(&backward)));
}

static void check_presigned(const struct s3_sign_pair *pairs, size_t count)
{
	const struct s3_sign_key key = { "us-east-1", "s3", "AKIA", "a secret" };
	const struct s3_sign_pair host = { STR("host"), STR("s3.example") };
	const struct s3_sign_request request = {
		.method = "GET",
		.path = STR("/bucket/key"),
		.query = { pairs, count },
		.headers = { &host, 1 },
		.payload_hash = S3_SIGN_UNSIGNED,
		.date = "20130524T000000Z",
	};
	SCOPED(buf_done) struct buf out = BUF(OUT_BYTES);

	if (s3_sign_presign(&key, &request, 60, &out).kind == ERR_OK)
		must(strstr(out.ptr, "X-Amz-Signature=") != NULL && strchr(out.ptr, ' ') == NULL);
}

static void check_path(struct str path)
{
	struct arena *arena = arena_new(OUT_BYTES);
	CURLU *handle = curl_url();
	const char *url;
	char *host;

	must(arena != NULL && handle != NULL);
	if (s3_url("http://s3.example:9000", path, arena, &url).kind == ERR_OK &&
		curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK) {
		must(curl_url_get(handle, CURLUPART_HOST, &host, 0) == CURLUE_OK);
		must(strcmp(host, "s3.example") == 0);
		curl_free(host);
	}
	curl_url_cleanup(handle);
	arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct s3_sign_pair pairs[PAIRS_MAX];
	size_t count = 0;

	if (size > 8192)
		return 0;
	check_path(rest);
	while (rest.len > 0 && count < PAIRS_MAX / 2) {
		struct str value, name = str_cut(str_cut(rest, '&', &rest), '=', &value);
		check_encoded(name);
		check_encoded(value);
		pairs[count++] = (struct s3_sign_pair){ name, value };
	}
	check_order(pairs, count);
	check_presigned(pairs, count);
	return 0;
}
