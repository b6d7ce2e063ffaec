#include "port/s3.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "port/http.h"
#include "port/s3_login.h"
#include "port/s3_request.h"
#include "port/s3_sign.h"

enum { KEY_MAX = 1024, PATH_MAX_BYTES = 8 * 1024, ERROR_MAX = 16 * 1024 };
enum { EXPIRES_MAX_S = 7 * 24 * 3600, DEFAULT_TIMEOUT_MS = 10000 };

struct s3 {
	struct http *http;
	char *host; /* as the Host header names it: without a default port */
	char *bucket;
	char *region;
	struct s3_login *login;
	int64_t timeout_ms;
	bool is_tls;
	struct s3_ear ear;
};

/* --- the endpoint --- */

static bool is_host(struct str host)
{
	static const char others[] = ".-_:[]";

	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];
		bool is_plain =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!is_plain && (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return host.len > 0;
}

static struct str without(struct str text, struct str suffix)
{
	if (text.len >= suffix.len &&
		str_eq((struct str){ text.ptr + text.len - suffix.len, suffix.len }, suffix))
		text.len -= suffix.len;
	return text;
}

/* http://host[:port][/] -> whether TLS, and host[:port] without the default port. */
static bool split_endpoint(const char *endpoint, bool *ret_is_tls, struct str *ret_host)
{
	struct str text = without(str_of(endpoint), STR("/"));
	bool is_tls = str_starts(text, STR("https://"));
	struct str scheme = is_tls ? STR("https://") : STR("http://");

	if (!str_starts(text, scheme))
		return false;
	struct str host = { text.ptr + scheme.len, text.len - scheme.len };
	host = without(host, is_tls ? STR(":443") : STR(":80"));
	if (!is_host(host))
		return false;
	*ret_is_tls = is_tls;
	*ret_host = host;
	return true;
}

/* Bucket names as in "Bucket naming rules": no byte that would need encoding or look like a path.
 */
static bool is_bucket(const char *bucket)
{
	size_t len = strlen(bucket);

	return len >= 3 && len <= 63 &&
	       strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len && bucket[0] != '.';
}

static bool copy_conf(struct s3 *s3, const struct s3_conf *conf, struct str host)
{
	s3->host = strndup(host.ptr, host.len);
	s3->bucket = strdup(conf->bucket);
	s3->region = strdup(conf->region == NULL ? "us-east-1" : conf->region);
	s3->timeout_ms = conf->timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : conf->timeout_ms;
	return s3->host != NULL && s3->bucket != NULL && s3->region != NULL;
}

struct err s3_open(struct http *http, const struct s3_conf *conf, struct s3 **ret_s3)
{
	struct str host;
	bool is_tls;

	if (conf->endpoint == NULL || !split_endpoint(conf->endpoint, &is_tls, &host))
		return err_reject(
			ERR_CODE_BAD_CONFIG, "the S3 endpoint is not http[s]://host[:port]");
	if (conf->bucket == NULL || !is_bucket(conf->bucket))
		return err_reject(ERR_CODE_BAD_CONFIG, "the S3 bucket's name is not valid");
	struct s3 *s3 = calloc(1, sizeof *s3);
	if (s3 == NULL || !copy_conf(s3, conf, host)) {
		s3_close(s3);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the S3 client");
	}
	struct err e = s3_login_open(conf, s3->region, &s3->login);
	if (e.kind != ERR_OK) {
		s3_close(s3);
		return e;
	}
	s3->http = http;
	s3->is_tls = is_tls;
	s3->ear = conf->ear;
	*ret_s3 = s3;
	return err_ok();
}

void s3_close(struct s3 *s3)
{
	if (s3 == NULL)
		return;
	s3_login_free(s3->login);
	free(s3->region);
	free(s3->bucket);
	free(s3->host);
	free(s3);
}

struct http *s3_http(const struct s3 *s3)
{
	return s3->http;
}

const struct s3_sign_key *s3_key(const struct s3 *s3)
{
	return s3_login_key(s3->login);
}

bool s3_refused(const struct s3 *s3, const struct s3_sign_key *key, int status)
{
	return (status == 401 || status == 403) && s3_login_renew(s3->login, key);
}

bool s3_is_tls(const struct s3 *s3)
{
	return s3->is_tls;
}

struct str s3_host(const struct s3 *s3)
{
	return str_of(s3->host);
}

int64_t s3_timeout_ms(const struct s3 *s3)
{
	return s3->timeout_ms;
}

const struct s3_ear *s3_ear(const struct s3 *s3)
{
	return &s3->ear;
}

/* "/bucket/key", encoded. */
static struct err add_path(const struct s3 *s3, const char *key, struct buf *out)
{
	struct str text = str_of(key);

	buf_addf(out, "/%s", s3->bucket);
	if (key == NULL)
		return buf_check(out);
	if (text.len == 0 || text.len > KEY_MAX || text.ptr[0] == '/')
		return err_reject(ERR_CODE_BAD_PARAMETER, "not the key of an object");
	buf_add_str(out, STR("/"));
	s3_sign_encode(text, true, out);
	return buf_check(out);
}

struct err s3_object_url(
	const struct s3 *s3, const char *key, struct buf *url, struct str *ret_path)
{
	buf_addf(url, "http%s://%s", s3->is_tls ? "s" : "", s3->host);
	size_t start = url->len;
	TRY(add_path(s3, key, url));
	*ret_path = (struct str){ url->ptr + start, url->len - start };
	return err_ok();
}

/* --- presigned paths --- */

struct err s3_presign(const struct s3 *s3, const struct s3_presign *what, struct arena *arena,
	const char **ret_path)
{
	SCOPED(buf_done) struct buf path = BUF(PATH_MAX_BYTES);
	SCOPED(buf_done) struct buf query = BUF(PATH_MAX_BYTES);
	struct s3_sign_pair host = { STR("host"), s3_host(s3) };
	char date[S3_SIGN_DATE_BYTES];

	if (what->key == NULL || what->expires_s < 1 || what->expires_s > EXPIRES_MAX_S)
		return err_reject(ERR_CODE_BAD_PARAMETER, "not something to presign");
	TRY(add_path(s3, what->key, &path));
	s3_sign_date(what->now_ms, date);
	struct s3_sign_request plan = {
		.method = what->method,
		.path = buf_str(&path),
		.headers = { &host, 1 },
		.payload_hash = S3_SIGN_UNSIGNED,
		.date = date,
	};
	TRY(s3_sign_presign(s3_key(s3), &plan, what->expires_s, &query));
	const char *text = arena_printf(arena, "%s?%s", path.ptr, query.ptr);
	if (text == NULL)
		return arena_overflow();
	*ret_path = text;
	return err_ok();
}

struct err s3_url(const char *endpoint, struct str path, struct arena *arena, const char **ret_url)
{
	struct str host;
	bool is_tls;

	if (!split_endpoint(endpoint, &is_tls, &host))
		return err_reject(
			ERR_CODE_BAD_CONFIG, "the S3 endpoint is not http[s]://host[:port]");
	if (path.len < 2 || path.len > PATH_MAX_BYTES || path.ptr[0] != '/' || path.ptr[1] == '/')
		return err_reject(ERR_CODE_BAD_PARAMETER, "not an absolute path");
	for (size_t i = 0; i < path.len; i++)
		if (path.ptr[i] <= ' ' || path.ptr[i] >= 0x7f || strchr("\\#", path.ptr[i]) != NULL)
			return err_reject(ERR_CODE_BAD_PARAMETER, "not an absolute path");
	const char *url = arena_printf(arena, "http%s://%.*s%.*s", is_tls ? "s" : "", (int)host.len,
		host.ptr, (int)path.len, path.ptr);
	if (url == NULL)
		return arena_overflow();
	*ret_url = url;
	return err_ok();
}

/* --- blocking operations --- */

struct err s3_status(int status)
{
	if (status >= 200 && status < 300)
		return err_ok();
	if (status == 404)
		return err_reject(ERR_CODE_NOT_FOUND, "the object does not exist");
	if (status >= 400 && status < 500 && status != 408 && status != 429)
		return err_retry(ERR_CODE_STORAGE_REFUSED, "the storage refuses the request");
	return err_retry(ERR_CODE_STORAGE_AWAY, "the storage answers with an error");
}

static enum s3_operation operation_of(const char *method)
{
	if (strcmp(method, "DELETE") == 0)
		return S3_DELETE;
	return strcmp(method, "HEAD") == 0 ? S3_HEAD : S3_GET;
}

struct err s3_fetch(
	struct http *http, const struct s3_fetch *what, struct http_response *ret_response)
{
	struct http_response response = { 0 };
	struct http_request request = {
		.method = what->method,
		.url = what->url,
		.response_max_bytes = what->max_bytes,
		.timeout_ms = what->timeout_ms,
		.away = ERR_CODE_STORAGE_AWAY,
	};

	int64_t since_us = clock_mono_us();
	struct err called = http_call(http, &request, &response);
	s3_ear_tell(&what->ear, operation_of(what->method),
		called.kind == ERR_OK ? response.status : 0, since_us);
	TRY(called);
	struct err result = s3_status(response.status);
	if (result.kind == ERR_OK)
		*ret_response = response;
	else
		http_response_done(&response);
	return result;
}

struct err s3_delete(struct s3 *s3, const char *key)
{
	SCOPED(http_response_done) struct http_response response = { 0 };
	struct s3_request request = {
		.method = "DELETE",
		.operation = S3_DELETE,
		.key = key,
		.response_max_bytes = ERROR_MAX,
	};

	if (key == NULL)
		return err_reject(ERR_CODE_BAD_PARAMETER, "not the key of an object");
	TRY(s3_request_call(s3, &request, &response));
	if (response.status == 404)
		return err_ok();
	return s3_status(response.status);
}

struct err s3_head(struct s3 *s3, const char *key, uint64_t *ret_size_bytes)
{
	SCOPED(http_response_done) struct http_response response = { 0 };
	struct s3_request request = {
		.method = "HEAD",
		.operation = S3_HEAD,
		.key = key,
		.response_max_bytes = ERROR_MAX,
	};

	if (key == NULL)
		return err_reject(ERR_CODE_BAD_PARAMETER, "not the key of an object");
	TRY(s3_request_call(s3, &request, &response));
	TRY(s3_status(response.status));
	if (!str_to_u64(http_response_header(&response, "content-length"), ret_size_bytes))
		return err_retry(ERR_CODE_STORAGE_AWAY, "the storage does not tell a size");
	return err_ok();
}

struct err s3_health(struct s3 *s3, int64_t *ret_latency_us)
{
	SCOPED(http_response_done) struct http_response response = { 0 };
	struct s3_request request = { .method = "HEAD", .response_max_bytes = ERROR_MAX };
	int64_t start_us = clock_mono_us();

	TRY(s3_request_call(s3, &request, &response));
	if (response.status == 404)
		return err_retry(ERR_CODE_STORAGE_REFUSED, "the bucket does not exist");
	TRY(s3_status(response.status));
	*ret_latency_us = clock_mono_us() - start_us;
	return err_ok();
}
