#include "port/s3_sign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/encode.h"
#include "port/digest.h"

enum { PAIRS_MAX = 16, SCOPE_MAX = 128, CANONICAL_MAX = 64 * 1024 };

#define ALGORITHM "AWS4-HMAC-SHA256"

void s3_sign_date(int64_t wall_ms, char *ret_date)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm = { 0 };

	gmtime_r(&seconds, &tm);
	strftime(ret_date, S3_SIGN_DATE_BYTES, "%Y%m%dT%H%M%SZ", &tm);
}

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void s3_sign_encode(struct str text, bool keep_slash, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (is_unreserved(c) || (keep_slash && c == '/'))
			buf_add(out, &c, 1);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

static int compare(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct s3_sign_pair *left = a;
	const struct s3_sign_pair *right = b;
	int order = compare(left->name, right->name);

	return order != 0 ? order : compare(left->value, right->value);
}

/* The pairs encoded into text, which must not grow any more while they are used. */
static void encode_pairs(struct s3_sign_list list, struct buf *text, struct s3_sign_pair *ret_pairs)
{
	size_t at[2 * PAIRS_MAX + 1] = { 0 };

	for (size_t i = 0; i < list.count; i++) {
		s3_sign_encode(list.pairs[i].name, false, text);
		at[2 * i + 1] = text->len;
		s3_sign_encode(list.pairs[i].value, false, text);
		at[2 * i + 2] = text->len;
	}
	for (size_t i = 0; i < list.count; i++) {
		const size_t *from = at + 2 * i;

		ret_pairs[i].name = (struct str){ text->ptr + from[0], from[1] - from[0] };
		ret_pairs[i].value = (struct str){ text->ptr + from[1], from[2] - from[1] };
	}
}

struct err s3_sign_query(struct s3_sign_list query, struct buf *out)
{
	SCOPED(buf_done) struct buf text = BUF(CANONICAL_MAX);
	struct s3_sign_pair pairs[PAIRS_MAX];

	if (query.count > PAIRS_MAX)
		return err_reject(ERR_CODE_BAD_PARAMETER, "too many query parameters to sign");
	if (query.count == 0)
		return err_ok();
	encode_pairs(query, &text, pairs);
	TRY(buf_check(&text));
	qsort(pairs, query.count, sizeof *pairs, compare_pairs);
	for (size_t i = 0; i < query.count; i++) {
		buf_addf(out, "%s", i == 0 ? "" : "&");
		buf_add_str(out, pairs[i].name);
		buf_add_str(out, STR("="));
		buf_add_str(out, pairs[i].value);
	}
	return buf_check(out);
}

/* Trimmed, runs of spaces as one: "Task 1: Create a canonical request". */
static void add_header_value(struct str value, struct buf *out)
{
	struct str text = str_trim(value);

	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != ' ' || text.ptr[i - 1] != ' ')
			buf_add(out, text.ptr + i, 1);
}

static void add_signed_names(struct s3_sign_list headers, struct buf *out)
{
	for (size_t i = 0; i < headers.count; i++) {
		buf_addf(out, "%s", i == 0 ? "" : ";");
		buf_add_str(out, headers.pairs[i].name);
	}
}

struct err s3_sign_canonical(const struct s3_sign_request *request, struct buf *out)
{
	buf_addf(out, "%s\n", request->method);
	buf_add_str(out, request->path);
	buf_add_str(out, STR("\n"));
	TRY(s3_sign_query(request->query, out));
	buf_add_str(out, STR("\n"));
	for (size_t i = 0; i < request->headers.count; i++) {
		buf_add_str(out, request->headers.pairs[i].name);
		buf_add_str(out, STR(":"));
		add_header_value(request->headers.pairs[i].value, out);
		buf_add_str(out, STR("\n"));
	}
	buf_add_str(out, STR("\n"));
	add_signed_names(request->headers, out);
	buf_addf(out, "\n%s", request->payload_hash);
	return buf_check(out);
}

static void hash_hex(struct str bytes, char *ret_hex)
{
	uint8_t hash[DIGEST_BYTES];

	digest_sha256(bytes, hash);
	encode_hex(hash, sizeof hash, ret_hex);
}

/* "20130524/us-east-1/s3/aws4_request" */
static struct err make_scope(const struct s3_sign_key *key, const char *date, char *ret_scope)
{
	int len = snprintf(
		ret_scope, SCOPE_MAX, "%.8s/%s/%s/aws4_request", date, key->region, key->service);

	if (len < 0 || len >= SCOPE_MAX)
		return err_reject(ERR_CODE_BAD_PARAMETER, "the region's name is too long");
	return err_ok();
}

static void hmac_step(uint8_t *key, struct str text)
{
	uint8_t next[DIGEST_BYTES];

	digest_hmac_sha256((struct str){ (const char *)key, DIGEST_BYTES }, text, next);
	memcpy(key, next, sizeof next);
	digest_wipe(next, sizeof next);
}

/* "Task 3: Calculate signature", the derivation of the signing key. */
static struct err signing_key(const struct s3_sign_key *key, const char *date, uint8_t *ret_key)
{
	struct buf secret = BUF(1024);

	buf_addf(&secret, "AWS4%s", key->secret_key);
	if (!secret.overflow) {
		digest_hmac_sha256(buf_str(&secret), (struct str){ date, 8 }, ret_key);
		digest_wipe(secret.ptr, secret.len);
		hmac_step(ret_key, str_of(key->region));
		hmac_step(ret_key, str_of(key->service));
		hmac_step(ret_key, STR("aws4_request"));
	}
	struct err result = buf_check(&secret);
	buf_done(&secret);
	return result;
}

static struct err make_signature(
	const struct s3_sign_key *key, const struct s3_sign_request *request, char *ret_hex)
{
	SCOPED(buf_done) struct buf canonical = BUF(CANONICAL_MAX);
	SCOPED(buf_done) struct buf text = BUF(512);
	char scope[SCOPE_MAX];
	char hash[DIGEST_HEX_BYTES];
	uint8_t mac[DIGEST_BYTES];

	TRY(make_scope(key, request->date, scope));
	TRY(s3_sign_canonical(request, &canonical));
	hash_hex(buf_str(&canonical), hash);
	buf_addf(&text, ALGORITHM "\n%s\n%s\n%s", request->date, scope, hash);
	TRY(buf_check(&text));
	TRY(signing_key(key, request->date, mac));
	hmac_step(mac, buf_str(&text));
	encode_hex(mac, sizeof mac, ret_hex);
	return err_ok();
}

struct err s3_sign_header(const struct s3_sign_key *key, const struct s3_sign_request *request,
	struct buf *out, char *ret_signature)
{
	char signature[S3_SIGN_HEX_BYTES];
	char scope[SCOPE_MAX];

	TRY(make_scope(key, request->date, scope));
	TRY(make_signature(key, request, signature));
	buf_addf(out, ALGORITHM " Credential=%s/%s,SignedHeaders=", key->access_key, scope);
	add_signed_names(request->headers, out);
	buf_addf(out, ",Signature=%s", signature);
	TRY(buf_check(out));
	if (ret_signature != NULL)
		memcpy(ret_signature, signature, sizeof signature);
	return err_ok();
}

enum { PRESIGN_PAIRS = 5 };

/* The five parameters of a presigned URL, then the request's own. */
static struct err presign_query(const struct s3_sign_key *key,
	const struct s3_sign_request *request, const char *expires, struct buf *text,
	struct s3_sign_pair *ret_pairs)
{
	char scope[SCOPE_MAX];

	if (request->query.count > PAIRS_MAX - PRESIGN_PAIRS)
		return err_reject(ERR_CODE_BAD_PARAMETER, "too many query parameters to sign");
	TRY(make_scope(key, request->date, scope));
	buf_addf(text, "%s/%s", key->access_key, scope);
	size_t names = text->len;
	add_signed_names(request->headers, text);
	TRY(buf_check(text));
	ret_pairs[0] = (struct s3_sign_pair){ STR("X-Amz-Algorithm"), STR(ALGORITHM) };
	ret_pairs[1] = (struct s3_sign_pair){ STR("X-Amz-Credential"), { text->ptr, names } };
	ret_pairs[2] = (struct s3_sign_pair){ STR("X-Amz-Date"), str_of(request->date) };
	ret_pairs[3] = (struct s3_sign_pair){ STR("X-Amz-Expires"), str_of(expires) };
	ret_pairs[4] = (struct s3_sign_pair){ STR("X-Amz-SignedHeaders"),
		{ text->ptr + names, text->len - names } };
	for (size_t i = 0; i < request->query.count; i++)
		ret_pairs[PRESIGN_PAIRS + i] = request->query.pairs[i];
	return err_ok();
}

struct err s3_sign_presign(const struct s3_sign_key *key, const struct s3_sign_request *request,
	int64_t expires_s, struct buf *out)
{
	SCOPED(buf_done) struct buf text = BUF(1024);
	struct s3_sign_pair pairs[PAIRS_MAX];
	struct s3_sign_request whole = *request;
	char expires[24];
	char signature[S3_SIGN_HEX_BYTES];

	snprintf(expires, sizeof expires, "%" PRId64, expires_s);
	TRY(presign_query(key, request, expires, &text, pairs));
	whole.query = (struct s3_sign_list){ pairs, PRESIGN_PAIRS + request->query.count };
	TRY(make_signature(key, &whole, signature));
	TRY(s3_sign_query(whole.query, out));
	buf_addf(out, "&X-Amz-Signature=%s", signature);
	return buf_check(out);
}

struct err s3_sign_chain_init(const struct s3_sign_key *key, const char *date, const char *seed,
	struct s3_sign_chain *ret_chain)
{
	struct s3_sign_chain chain;
	char scope[SCOPE_MAX];

	TRY(make_scope(key, date, scope));
	TRY(signing_key(key, date, chain.key));
	snprintf(chain.scope, sizeof chain.scope, "%s\n%s", date, scope);
	snprintf(chain.previous, sizeof chain.previous, "%s", seed);
	*ret_chain = chain;
	s3_sign_chain_done(&chain);
	return err_ok();
}

void s3_sign_chain_done(struct s3_sign_chain *chain)
{
	digest_wipe(chain, sizeof *chain);
}

size_t s3_sign_chunk(struct s3_sign_chain *chain, struct str bytes, char *ret_head)
{
	char empty[DIGEST_HEX_BYTES];
	char hash[DIGEST_HEX_BYTES];
	char text[512];
	uint8_t mac[DIGEST_BYTES];

	hash_hex((struct str){ "", 0 }, empty);
	hash_hex(bytes, hash);
	int len = snprintf(text, sizeof text, ALGORITHM "-PAYLOAD\n%s\n%s\n%s\n%s", chain->scope,
		chain->previous, empty, hash);
	digest_hmac_sha256((struct str){ (const char *)chain->key, sizeof chain->key },
		(struct str){ text, (size_t)len }, mac);
	encode_hex(mac, sizeof mac, chain->previous);
	len = snprintf(ret_head, S3_SIGN_CHUNK_HEAD_MAX, "%zx;chunk-signature=%s\r\n", bytes.len,
		chain->previous);
	return (size_t)len;
}

static uint64_t framed(uint64_t size_bytes)
{
	uint64_t digits = 1;

	for (uint64_t rest = size_bytes; rest >= 16; rest /= 16)
		digits++;
	return digits + sizeof ";chunk-signature=" - 1 + S3_SIGN_HEX_BYTES - 1 + 2 + size_bytes + 2;
}

uint64_t s3_sign_stream_size(uint64_t size_bytes, uint64_t chunk_bytes)
{
	uint64_t full = size_bytes / chunk_bytes;
	uint64_t last = size_bytes % chunk_bytes;

	return full * framed(chunk_bytes) + (last == 0 ? 0 : framed(last)) + framed(0);
}
