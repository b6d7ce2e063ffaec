#include "port/s3.h"

#include <check.h>
#include <openssl/evp.h>

#include "base/clock.h"

#include "s3_rig.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void store(struct s3_rig *rig, const char *target, size_t len)
{
	rig->stub.stored = (struct str){ calloc(1, len), len };
	snprintf(rig->stub.stored_target, sizeof rig->stub.stored_target, "%s", target);
}

/* --- presigned --- */

static struct err fetch(struct s3_rig *rig, const char *method, const char *path,
	struct http_response *ret_response)
{
	const char *url = NULL;

	ck_assert_int_eq(s3_url(rig->endpoint, str_of(path), rig->arena, &url).kind, ERR_OK);
	struct s3_fetch what = { method, url, 100000, 5000, s3_rig_ear(rig) };
	return s3_fetch(rig->client.http, &what, ret_response);
}

static const char *presign(struct s3_rig *rig, const char *method)
{
	struct s3_presign what = { method, "t/ob ject", clock_wall_ms(), 600 };
	const char *path = NULL;

	ck_assert_int_eq(s3_presign(rig->s3, &what, rig->arena, &path).kind, ERR_OK);
	return path;
}

START_TEST(fetches_presigned)
{
	struct s3_rig rig;
	struct http_response response = { 0 };

	s3_rig_up(&rig, "secret");
	store(&rig, "/bucket/t/ob%20ject", 5000);
	const char *path = presign(&rig, "GET");
	ck_assert_int_eq(fetch(&rig, "GET", path, &response).kind, ERR_OK);
	ck_assert_uint_eq(response.body.len, 5000);
	http_response_done(&response);
	ck_assert_int_eq(fetch(&rig, "HEAD", path, &response).code, ERR_CODE_STORAGE_REFUSED);
	ck_assert_int_eq(fetch(&rig, "DELETE", path, &response).code, ERR_CODE_STORAGE_REFUSED);
	ck_assert_int_eq(fetch(&rig, "HEAD", presign(&rig, "HEAD"), &response).kind, ERR_OK);
	ck_assert(str_eq(http_response_header(&response, "content-length"), STR("5000")));
	http_response_done(&response);
	ck_assert_int_eq(fetch(&rig, "DELETE", presign(&rig, "DELETE"), &response).kind, ERR_OK);
	http_response_done(&response);
	struct err gone = fetch(&rig, "HEAD", presign(&rig, "HEAD"), &response);
	ck_assert(gone.kind == ERR_REJECT && gone.code == ERR_CODE_NOT_FOUND);
	s3_rig_down(&rig);
}
END_TEST

START_TEST(presign_refuses)
{
	static const struct s3_presign rows[] = {
		{ "GET", NULL, 0, 60 },
		{ "GET", "", 0, 60 },
		{ "GET", "/k", 0, 60 },
		{ "GET", "k", 0, 0 },
		{ "GET", "k", 0, 604801 },
	};
	struct s3_rig rig;
	const char *path = "untouched";

	s3_rig_up(&rig, "secret");
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_int_eq(s3_presign(rig.s3, &rows[i], rig.arena, &path).kind, ERR_REJECT);
	ck_assert_str_eq(path, "untouched");
	s3_rig_down(&rig);
}
END_TEST

START_TEST(builds_urls)
{
	static const struct {
		const char *endpoint, *path, *url; /* url NULL: refused */
	} rows[] = {
		{ "http://s3:9000", "/b/k?X=1", "http://s3:9000/b/k?X=1" },
		{ "https://s3.example/", "/b", "https://s3.example/b" },
		{ "https://s3.example:443", "/b", "https://s3.example/b" },
		{ "http://s3:80", "/b", "http://s3/b" },
		{ "http://[::1]:9000", "/b", "http://[::1]:9000/b" },
		{ "http://s3", "", NULL },
		{ "http://s3", "/", NULL },
		{ "http://s3", "b/k", NULL },
		{ "http://s3", "//evil/k", NULL },
		{ "http://s3", "http://evil/k", NULL },
		{ "http://s3", "@evil/k", NULL },
		{ "http://s3", ".evil/k", NULL },
		{ "http://s3", "/b\\k", NULL },
		{ "http://s3", "/b k", NULL },
		{ "http://s3", "/b\r\nX: y", NULL },
		{ "http://s3", "/b#k", NULL },
		{ "http://s3", "/b\xc3\xa7", NULL },
		{ "s3", "/b", NULL },
		{ "ftp://s3", "/b", NULL },
		{ "http://", "/b", NULL },
		{ "http://user@s3", "/b", NULL },
		{ "http://s3/path", "/b", NULL },
	};
	struct arena *arena = arena_new(10000);

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *url = NULL;
		struct err result = s3_url(rows[i].endpoint, str_of(rows[i].path), arena, &url);

		ck_assert_msg((result.kind == ERR_OK) == (rows[i].url != NULL), "row %zu", i);
		if (rows[i].url != NULL)
			ck_assert_str_eq(url, rows[i].url);
	}
	arena_free(arena);
}
END_TEST

START_TEST(checks_configuration)
{
	static const struct s3_conf rows[] = {
		{ NULL, "bucket", NULL, "a", "s", 0 },
		{ "http://s3", NULL, NULL, "a", "s", 0 },
		{ "http://s3", "ab", NULL, "a", "s", 0 },
		{ "http://s3", "a/b", NULL, "a", "s", 0 },
		{ "http://s3", "Bucket", NULL, "a", "s", 0 },
		{ "http://s3", "..bucket", NULL, "a", "s", 0 },
		{ "http://s3", "bucket", NULL, NULL, "s", 0 },
		{ "http://s3", "bucket", NULL, "a\n", "s", 0 },
		{ "http://s3", "bucket", NULL, "a", NULL, 0 },
		{ "s3:9000", "bucket", NULL, "a", "s", 0 },
	};
	struct s3 *s3 = NULL;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err result = s3_open(NULL, &rows[i], &s3);

		ck_assert(result.kind == ERR_REJECT && result.code == ERR_CODE_BAD_CONFIG);
	}
	ck_assert(s3 == NULL);
	s3_close(NULL);
}
END_TEST

/* --- blocking operations --- */

START_TEST(heads_and_deletes)
{
	struct s3_rig rig;
	uint64_t size = 0;
	int64_t latency_us = -1;

	s3_rig_up(&rig, "secret");
	rig.stub.list = "";
	store(&rig, "/bucket/k", 1234);
	ck_assert_int_eq(s3_head(rig.s3, "k", &size).kind, ERR_OK);
	ck_assert_uint_eq(size, 1234);
	ck_assert_int_eq(s3_delete(rig.s3, "k").kind, ERR_OK);
	ck_assert_int_eq(s3_delete(rig.s3, "k").kind, ERR_OK);
	ck_assert_int_eq(s3_head(rig.s3, "k", &size).code, ERR_CODE_NOT_FOUND);
	ck_assert_int_eq(s3_delete(rig.s3, NULL).kind, ERR_REJECT);
	ck_assert_int_eq(s3_delete(rig.s3, "").kind, ERR_REJECT);
	ck_assert_int_eq(s3_health(rig.s3, &latency_us).kind, ERR_OK);
	ck_assert_int_ge(latency_us, 0);
	rig.stub.list = "404 NoSuchBucket";
	ck_assert_int_eq(s3_health(rig.s3, &latency_us).code, ERR_CODE_STORAGE_REFUSED);
	rig.stub.outage = 503;
	struct err away = s3_delete(rig.s3, "k");
	ck_assert(away.kind == ERR_RETRY && away.code == ERR_CODE_STORAGE_AWAY);
	s3_rig_down(&rig);
	ck_assert_int_eq(rig.stub.refused, 0);
}
END_TEST

#define OBJECT(key, size, time)                                                                    \
	"<Contents><Key>" key "</Key><LastModified>" time "</LastModified><ETag>&quot;e&quot;"     \
	"</ETag><Size>" size "</Size><StorageClass>STANDARD</StorageClass></Contents>"
#define LIST(inner)                                                                                \
	"<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"x\">" inner "</ListBucketResult>"

START_TEST(every_call_is_told)
{
	static const char *const methods[] = { "GET", "HEAD", "DELETE" };
	struct s3_list list = { "t/", NULL, 10 };
	struct s3_page page;
	enum s3_known known;
	struct s3_rig rig;
	uint64_t size;

	s3_rig_up(&rig, "secret");
	store(&rig, "/bucket/t/ob%20ject", 10);
	for (size_t i = 0; i < 3; i++) {
		struct http_response response = { 0 };
		const char *path = presign(&rig, methods[i]);

		ck_assert_int_eq(fetch(&rig, methods[i], path, &response).kind, ERR_OK);
		http_response_done(&response);
	}
	ck_assert_int_eq(fetch(&rig, "GET", presign(&rig, "GET"), NULL).code, ERR_CODE_NOT_FOUND);
	ck_assert_int_eq(s3_head(rig.s3, "k", &size).code, ERR_CODE_NOT_FOUND);
	ck_assert_int_eq(s3_delete(rig.s3, "k").kind, ERR_OK);
	rig.stub.versioning = "";
	rig.stub.lock = "";
	rig.stub.list = LIST("<IsTruncated>false</IsTruncated>");
	ck_assert_int_eq(s3_list(rig.s3, &list, rig.arena, &page).kind, ERR_OK);
	ck_assert_int_eq(s3_bucket_check(rig.s3, &known).kind, ERR_OK);
	rig.stub.outage = 503;
	ck_assert_int_eq(s3_delete(rig.s3, "k").code, ERR_CODE_STORAGE_AWAY);
	rig.stub.outage = 403;
	ck_assert_int_eq(s3_delete(rig.s3, "k").code, ERR_CODE_STORAGE_REFUSED);
	static const int expected[S3_OPERATIONS][S3_OUTCOMES] = { [S3_GET] = { 1, 1, 0, 0 },
		[S3_HEAD] = { 1, 1, 0, 0 },
		[S3_DELETE] = { 1, 1, 1, 1 },
		[S3_LIST] = { 1, 0, 0, 0 },
		[S3_BUCKET] = { 3, 0, 0, 0 } };
	for (size_t i = 0; i < S3_OPERATIONS; i++)
		for (size_t k = 0; k < S3_OUTCOMES; k++)
			ck_assert_msg(rig.heard[i][k] == expected[i][k], "%zu %zu: %d", i, k,
				(int)rig.heard[i][k]);
	ck_assert(!rig.took_wrong);
	s3_rig_down(&rig);
}
END_TEST

START_TEST(nobody_who_answers_is_told_as_well)
{
	struct s3_rig rig;
	uint64_t size;

	s3_rig_up(&rig, "secret");
	http_stub_stop(&rig.stub.http);
	ck_assert_int_eq(s3_head(rig.s3, "k", &size).code, ERR_CODE_STORAGE_AWAY);
	ck_assert_int_eq(rig.heard[S3_HEAD][S3_FAILED], 1);
	http_stub_start(&rig.stub.http);
	s3_rig_down(&rig);
}
END_TEST

START_TEST(lists)
{
	struct s3_rig rig;
	struct s3_page page = { 0 };
	struct s3_list what = { "t/", NULL, 10 };

	s3_rig_up(&rig, "secret");
	rig.stub.list = LIST("<IsTruncated>true</IsTruncated><NextContinuationToken>a+/=&amp;"
			     "</NextContinuationToken>" OBJECT(
				     "t/a &lt;&amp;&gt;", "5", "2013-05-24T00:00:00.000Z")
				     OBJECT("t/b&#xe7;", "0", "2013-05-24T00:00:01.000Z"));
	ck_assert_int_eq(s3_list(rig.s3, &what, rig.arena, &page).kind, ERR_OK);
	ck_assert_uint_eq(page.count, 2);
	ck_assert_str_eq(page.objects[0].key, "t/a <&>");
	ck_assert_uint_eq(page.objects[0].size_bytes, 5);
	ck_assert_int_eq(page.objects[0].modified_ms, 1369353600000);
	ck_assert_str_eq(page.objects[1].key, "t/b\xc3\xa7");
	ck_assert_str_eq(page.next, "a+/=&");
	what.token = page.next;
	rig.stub.list = LIST("<IsTruncated>false</IsTruncated>");
	ck_assert_int_eq(s3_list(rig.s3, &what, rig.arena, &page).kind, ERR_OK);
	ck_assert(page.count == 0 && page.next == NULL);
	ck_assert_str_eq(rig.stub.last_query,
		"continuation-token=a%2B%2F%3D%26&list-type=2&max-keys=10&prefix=t%2F");
	s3_rig_down(&rig);
	ck_assert_int_eq(rig.stub.refused, 0);
}
END_TEST

START_TEST(list_refuses_what_it_cannot_read)
{
	static const char *const bodies[] = {
		"",
		"not xml",
		"<ListBucketResult>",
		LIST("<Contents></Contents>"),
		LIST("<IsTruncated>true</IsTruncated>"),
		LIST(OBJECT("k", "-5", "2013-05-24T00:00:00Z")),
		LIST(OBJECT("k", "5", "yesterday")),
		LIST(OBJECT("&evil;", "5", "2013-05-24T00:00:00Z")),
		LIST(OBJECT("k", "5", "2013-05-24T00:00:00Z")
				OBJECT("k", "5", "2013-05-24T00:00:00Z")),
	};
	struct s3_rig rig;
	struct s3_page page = { 0 };
	struct s3_list what = { NULL, NULL, 1 };

	s3_rig_up(&rig, "secret");
	for (size_t i = 0; i < COUNT(bodies); i++) {
		rig.stub.list = bodies[i];
		struct err result = s3_list(rig.s3, &what, rig.arena, &page);
		ck_assert_msg(result.kind == ERR_RETRY && result.code == ERR_CODE_STORAGE_AWAY,
			"row %zu", i);
	}
	what.max = 1001;
	ck_assert_int_eq(s3_list(rig.s3, &what, rig.arena, &page).kind, ERR_REJECT);
	s3_rig_down(&rig);
}
END_TEST

START_TEST(checks_the_bucket)
{
#define VERSIONING(inner) "<VersioningConfiguration>" inner "</VersioningConfiguration>"
#define LOCK(inner)	  "<ObjectLockConfiguration>" inner "</ObjectLockConfiguration>"
	static const char off[] = "404 ObjectLockConfigurationNotFoundError";
	static const struct {
		const char *versioning, *lock;
		enum err_code code;
		enum s3_known known;
	} rows[] = {
		{ VERSIONING(""), off, ERR_CODE_NONE, S3_KNOWN },
		{ "<VersioningConfiguration xmlns=\"x\"/>", LOCK(""), ERR_CODE_NONE, S3_KNOWN },
		{ NULL, NULL, ERR_CODE_NONE, S3_UNKNOWN },
		{ NULL, off, ERR_CODE_NONE, S3_UNKNOWN },
		{ VERSIONING(""), NULL, ERR_CODE_NONE, S3_UNKNOWN },
		{ VERSIONING("<Status>Suspended</Status>"), off, ERR_CODE_NONE, S3_KNOWN },
		{ VERSIONING("<Status>Enabled</Status>"), off, ERR_CODE_UNSAFE_STORE, S3_UNKNOWN },
		{ VERSIONING(""), LOCK("<ObjectLockEnabled>Enabled</ObjectLockEnabled>"),
			ERR_CODE_UNSAFE_STORE, S3_UNKNOWN },
		{ "404 NoSuchBucket", off, ERR_CODE_STORAGE_REFUSED, S3_UNKNOWN },
	};
	struct s3_rig rig;

	s3_rig_up(&rig, "secret");
	rig.stub.list = ""; /* HEAD of the bucket as well */
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum s3_known known = S3_UNKNOWN;

		rig.stub.versioning = rows[i].versioning;
		rig.stub.lock = rows[i].lock;
		struct err result = s3_bucket_check(rig.s3, &known);
		ck_assert_msg(result.code == rows[i].code && known == rows[i].known, "row %zu", i);
	}
	s3_rig_down(&rig);
}
END_TEST

/* At start: what the server says is a mistake that lasts, what it does not say may pass. */
START_TEST(bucket_refused_is_fatal)
{
	static const struct {
		int status;
		enum err_kind kind;
		enum err_code code;
	} rows[] = {
		{ 401, ERR_FATAL, ERR_CODE_STORAGE_REFUSED },
		{ 403, ERR_FATAL, ERR_CODE_STORAGE_REFUSED },
		{ 404, ERR_FATAL, ERR_CODE_STORAGE_REFUSED },
		{ 429, ERR_RETRY, ERR_CODE_STORAGE_AWAY },
		{ 500, ERR_RETRY, ERR_CODE_STORAGE_AWAY },
		{ 503, ERR_RETRY, ERR_CODE_STORAGE_AWAY },
	};
	enum s3_known known = S3_UNKNOWN;
	struct s3_rig rig;

	s3_rig_up(&rig, "secret");
	for (size_t i = 0; i < COUNT(rows); i++) {
		rig.stub.outage = rows[i].status;
		struct err result = s3_bucket_check(rig.s3, &known);
		ck_assert_int_eq(result.kind, rows[i].kind);
		ck_assert_int_eq(result.code, rows[i].code);
	}
	/* servers that answer the questions about a bucket which does not exist */
	rig.stub.outage = 0;
	rig.stub.list = "404 NoSuchBucket";
	ck_assert_int_eq(s3_bucket_check(rig.s3, &known).kind, ERR_FATAL);
	s3_rig_down(&rig);
	s3_rig_up(&rig, "wrong");
	ck_assert_int_eq(s3_bucket_check(rig.s3, &known).kind, ERR_FATAL);
	s3_rig_down(&rig);
}
END_TEST

/* The MD5 in s3_bucket.c is a constant: it has to be that of the body beside it. */
static bool answer_lifecycle(struct http_stub *http, const struct http_stub_request *request)
{
	unsigned char md5[16], text[25];

	EVP_Digest(request->body.ptr, request->body.len, md5, NULL, EVP_md5(), NULL);
	EVP_EncodeBlock(text, md5, sizeof md5);
	if (!str_eq(http_stub_field(request, "content-md5"), str_of((const char *)text)))
		return s3_stub_fail(request, 400, "BadDigest");
	return s3_stub_serve(http, request);
}

START_TEST(installs_the_lifecycle)
{
	struct s3_rig rig;
	enum s3_known known = S3_KNOWN;

	s3_rig_up(&rig, "secret");
	rig.stub.http.handler = answer_lifecycle;
	ck_assert_int_eq(s3_bucket_lifecycle(rig.s3, &known).kind, ERR_OK);
	ck_assert_int_eq(known, S3_UNKNOWN);
	rig.stub.versioning = "";
	ck_assert_int_eq(s3_bucket_lifecycle(rig.s3, &known).kind, ERR_OK);
	ck_assert_int_eq(known, S3_KNOWN);
	s3_rig_down(&rig);
	ck_assert_int_eq(rig.stub.refused, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { fetches_presigned, presign_refuses, builds_urls,
		checks_configuration, heads_and_deletes, every_call_is_told,
		nobody_who_answers_is_told_as_well, lists, list_refuses_what_it_cannot_read,
		checks_the_bucket, bucket_refused_is_fatal, installs_the_lifecycle };

	return http_rig_main("s3", tests, COUNT(tests));
}
