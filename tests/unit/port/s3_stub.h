/*
 * An S3 server that believes nothing, for the tests of the client: no length is 411, a signature
 * that it does not compute itself is 403, a chunk out of its chain is 403, a body that ends early
 * makes no object. That the signatures are Amazon's is shown by the published vectors in
 * s3_sign_test.
 */
#ifndef ESTEIRA_TESTS_UNIT_PORT_S3_STUB_H
#define ESTEIRA_TESTS_UNIT_PORT_S3_STUB_H

#include "base/encode.h"
#include "port/digest.h"
#include "port/s3_sign.h"

#include "http_stub.h"

enum { S3_STUB_PAIRS = 16 };

struct s3_stub {
	struct http_stub http;
	struct s3_sign_key key;
	struct str stored; /* the one object, heap */
	char stored_target[256];
	int refused;		       /* wrong signatures */
	int unsized;		       /* without a length */
	const char *versioning, *lock; /* bodies of answers; NULL: 501 */
	const char *list;
	char last_query[512];
	int outage; /* a status that everything answers; 0: none */
};

static inline bool s3_stub_fail(
	const struct http_stub_request *request, int status, const char *code)
{
	char body[200];
	int len = snprintf(body, sizeof body, "<Error><Code>%s</Code></Error>", code);

	return http_stub_answer(request, status, "", (struct str){ body, (size_t)len });
}

static inline char *s3_stub_decode(struct str text)
{
	char *out = calloc(1, text.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '%' && i + 2 < text.len) {
			(void)!encode_hex_back((struct str){ text.ptr + i + 1, 2 }, out + len++, 1);
			i += 2;
		} else {
			out[len++] = text.ptr[i];
		}
	}
	return out;
}

static inline size_t s3_stub_query(struct str query, struct s3_sign_pair *pairs)
{
	size_t count = 0;

	while (query.len > 0 && count < S3_STUB_PAIRS) {
		struct str value;
		struct str name = str_cut(str_cut(query, '&', &query), '=', &value);

		pairs[count++] = (struct s3_sign_pair){ str_of(s3_stub_decode(name)),
			str_of(s3_stub_decode(value)) };
	}
	return count;
}

static inline void s3_stub_free_pairs(struct s3_sign_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free((void *)(uintptr_t)pairs[i].name.ptr);
		free((void *)(uintptr_t)pairs[i].value.ptr);
	}
}

static inline struct str s3_stub_path(struct str target)
{
	struct str rest;

	return str_cut(target, '?', &rest);
}

/* The text between before and after in text, copied; "" when there is none. */
static inline void s3_stub_between(
	struct str text, const char *before, const char *after, char *out, size_t max)
{
	char *copy = strndup(text.ptr == NULL ? "" : text.ptr, text.len);
	char *start = strstr(copy, before);
	size_t len = 0;

	if (start != NULL) {
		start += strlen(before);
		len = strcspn(start, after);
	}
	snprintf(out, max, "%.*s", (int)len, start == NULL ? "" : start);
	free(copy);
}

/* The request signed again from what arrived; the seed of its chunks too. */
static inline bool s3_stub_check_header(struct s3_stub *stub,
	const struct http_stub_request *request, struct s3_sign_request *plan, char *ret_signature)
{
	struct str given = http_stub_field(request, "authorization");
	struct s3_sign_pair headers[S3_STUB_PAIRS];
	struct buf expected = BUF(4096);
	char names[512], hash[80], date[40];
	char *save = NULL;

	s3_stub_between(given, "SignedHeaders=", ",", names, sizeof names);
	char *all = strdup(names);
	plan->headers = (struct s3_sign_list){ headers, 0 };
	for (char *name = strtok_r(names, ";", &save); name != NULL;
		name = strtok_r(NULL, ";", &save))
		headers[plan->headers.count++] =
			(struct s3_sign_pair){ str_of(name), http_stub_field(request, name) };
	struct str sent_hash = http_stub_field(request, "x-amz-content-sha256");
	struct str sent_date = http_stub_field(request, "x-amz-date");
	snprintf(hash, sizeof hash, "%.*s", (int)sent_hash.len, sent_hash.ptr);
	snprintf(date, sizeof date, "%.*s", (int)sent_date.len, sent_date.ptr);
	plan->payload_hash = hash;
	plan->date = date;
	bool good = strstr(all, "host") != NULL && strstr(all, "x-amz-date") != NULL &&
		    s3_sign_header(&stub->key, plan, &expected, ret_signature).kind == ERR_OK &&
		    str_eq(buf_str(&expected), given);
	free(all);
	buf_done(&expected);
	return good;
}

static inline bool s3_stub_check_query(struct s3_stub *stub,
	const struct http_stub_request *request, struct s3_sign_request *plan, struct str query)
{
	struct s3_sign_pair host = { STR("host"), http_stub_field(request, "host") };
	struct buf expected = BUF(4096);
	char date[40], expires[20];

	s3_stub_between(query, "X-Amz-Date=", "&", date, sizeof date);
	s3_stub_between(query, "X-Amz-Expires=", "&", expires, sizeof expires);
	plan->query = (struct s3_sign_list){ NULL, 0 };
	plan->headers = (struct s3_sign_list){ &host, 1 };
	plan->payload_hash = S3_SIGN_UNSIGNED;
	plan->date = date;
	bool good = s3_sign_presign(&stub->key, plan, strtol(expires, NULL, 10), &expected).kind ==
			    ERR_OK &&
		    str_eq(buf_str(&expected), query);
	buf_done(&expected);
	return good;
}

static inline bool s3_stub_check_hash(const struct http_stub_request *request)
{
	uint8_t hash[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES];

	digest_sha256(request->body, hash);
	encode_hex(hash, sizeof hash, hex);
	return str_eq(http_stub_field(request, "x-amz-content-sha256"), str_of(hex));
}

/* The payload of signed chunks, heap; NULL when a link of the chain is wrong. */
static inline char *s3_stub_dechunk(struct s3_stub *stub, const struct http_stub_request *request,
	const char *seed, size_t *ret_len)
{
	struct str date = http_stub_field(request, "x-amz-date");
	struct str rest = request->body;
	struct s3_sign_chain chain;
	char *out = malloc(rest.len + 1);
	char stamp[40];
	size_t len = 0;

	snprintf(stamp, sizeof stamp, "%.*s", (int)date.len, date.ptr);
	if (s3_sign_chain_init(&stub->key, stamp, seed, &chain).kind != ERR_OK)
		abort();
	for (;;) {
		char head[S3_SIGN_CHUNK_HEAD_MAX];
		size_t size = strtoul(rest.len == 0 ? "" : rest.ptr, NULL, 16);
		struct str after;
		struct str line = str_cut(rest, '\n', &after);

		if (after.len < size + 2)
			break;
		s3_sign_chunk(&chain, (struct str){ after.ptr, size }, head);
		if (!str_eq((struct str){ line.ptr, line.len + 1 }, str_of(head)))
			break;
		memcpy(out + len, after.ptr, size);
		len += size;
		rest = (struct str){ after.ptr + size + 2, after.len - size - 2 };
		if (size == 0 && rest.len == 0) {
			*ret_len = len;
			return out;
		}
	}
	free(out);
	return NULL;
}

static inline bool s3_stub_put(
	struct s3_stub *stub, const struct http_stub_request *request, const char *seed)
{
	struct str declared = http_stub_field(request, "x-amz-decoded-content-length");
	uint64_t want = 0;
	size_t len = request->body.len;
	char *bytes;

	if (!request->is_complete)
		return false; /* the client hung up: nothing is stored */
	if (str_eq(http_stub_field(request, "x-amz-content-sha256"), STR(S3_SIGN_STREAMING))) {
		bytes = s3_stub_dechunk(stub, request, seed, &len);
	} else {
		bytes = malloc(len + 1);
		memcpy(bytes, request->body.ptr, len);
		want = len;
	}
	if (bytes == NULL || (declared.ptr != NULL && !str_to_u64(declared, &want)) ||
		want != len) {
		free(bytes);
		stub->refused++;
		return s3_stub_fail(request, 403, "SignatureDoesNotMatch");
	}
	free((void *)(uintptr_t)stub->stored.ptr);
	stub->stored = (struct str){ bytes, len };
	struct str path = s3_stub_path(request->target);
	snprintf(stub->stored_target, sizeof stub->stored_target, "%.*s", (int)path.len, path.ptr);
	return http_stub_answer(request, 200, "ETag: \"x\"\r\n", (struct str){ NULL, 0 });
}

static inline bool s3_stub_bucket(
	struct s3_stub *stub, const struct http_stub_request *request, struct str query)
{
	const char *body = NULL;

	if (str_eq(query, STR("versioning=")))
		body = stub->versioning;
	else if (str_eq(query, STR("object-lock=")))
		body = stub->lock;
	else if (str_starts(query, STR("lifecycle=")))
		body = stub->versioning;
	else
		body = stub->list;
	if (body == NULL)
		return s3_stub_fail(request, 501, "NotImplemented");
	if (strncmp(body, "404", 3) == 0)
		return s3_stub_fail(request, 404, body + 4);
	return http_stub_answer(request, 200, "", str_of(body));
}

static inline bool s3_stub_object(struct s3_stub *stub, const struct http_stub_request *request)
{
	if (!str_eq(s3_stub_path(request->target), str_of(stub->stored_target)))
		return s3_stub_fail(request, 404, "NoSuchKey");
	if (!str_eq(request->method, STR("DELETE")))
		return http_stub_answer(request, 200, "", stub->stored);
	free((void *)(uintptr_t)stub->stored.ptr);
	stub->stored = (struct str){ NULL, 0 };
	stub->stored_target[0] = '\0';
	return http_stub_answer(request, 204, "", (struct str){ NULL, 0 });
}

static inline bool s3_stub_serve(struct http_stub *http, const struct http_stub_request *request)
{
	struct s3_stub *stub = http->state;
	struct s3_sign_pair pairs[S3_STUB_PAIRS];
	char method[16], seed[S3_SIGN_HEX_BYTES];
	struct str query;
	struct str path = str_cut(request->target, '?', &query);
	bool is_put = str_eq(request->method, STR("PUT"));

	snprintf(stub->last_query, sizeof stub->last_query, "%.*s", (int)query.len, query.ptr);
	if (stub->outage != 0)
		return s3_stub_fail(request, stub->outage, "Outage");
	if (is_put && !request->has_length) {
		stub->unsized++;
		return s3_stub_fail(request, 411, "MissingContentLength");
	}
	snprintf(method, sizeof method, "%.*s", (int)request->method.len, request->method.ptr);
	struct s3_sign_request plan = { .method = method, .path = path };
	bool is_presigned = str_starts(query, STR("X-Amz-Algorithm="));
	plan.query = (struct s3_sign_list){ pairs, s3_stub_query(query, pairs) };
	size_t count = plan.query.count;
	bool good = is_presigned ? s3_stub_check_query(stub, request, &plan, query)
				 : s3_stub_check_header(stub, request, &plan, seed);
	s3_stub_free_pairs(pairs, count);
	bool is_object = str_starts(path, STR("/bucket/"));
	if (good && !is_presigned && !(is_put && is_object))
		good = s3_stub_check_hash(request);
	if (!good) {
		stub->refused++;
		return s3_stub_fail(request, 403, "SignatureDoesNotMatch");
	}
	if (!is_object)
		return s3_stub_bucket(stub, request, query);
	return is_put ? s3_stub_put(stub, request, seed) : s3_stub_object(stub, request);
}

#endif
