/*
 * AWS Signature Version 4 as pure functions: same input, same bytes, no clock, no traffic, so that
 * the published vectors are its tests. Canonical paths are percent-encoded once and never
 * normalised, as S3 wants it. Source: S3 API Reference, "Authenticating Requests (AWS Signature
 * Version 4)". Any thread.
 */
#ifndef ESTEIRA_PORT_S3_SIGN_H
#define ESTEIRA_PORT_S3_SIGN_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

#define S3_SIGN_UNSIGNED  "UNSIGNED-PAYLOAD"
#define S3_SIGN_STREAMING "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

enum {
	S3_SIGN_DATE_BYTES = 17, /* 20130524T000000Z and NUL */
	S3_SIGN_HEX_BYTES = 65,
	S3_SIGN_CHUNK_HEAD_MAX = 128,
};

struct s3_sign_key {
	const char *region;
	const char *service; /* "s3" */
	const char *access_key;
	const char *secret_key;
};

struct s3_sign_pair {
	struct str name;
	struct str value;
};

struct s3_sign_list {
	const struct s3_sign_pair *pairs;
	size_t count;
};

struct s3_sign_request {
	const char *method;
	struct str path;	     /* encoded by s3_sign_encode, starts with '/' */
	struct s3_sign_list query;   /* plain names and values, any order */
	struct s3_sign_list headers; /* what is signed: lower-case names in ascending order */
	const char *payload_hash;    /* hex SHA-256, or one of the words above */
	const char *date;	     /* from s3_sign_date */
};

/* ISO 8601 basic in UTC, seconds: ret_date takes S3_SIGN_DATE_BYTES. */
void s3_sign_date(int64_t wall_ms, char *ret_date);

/* Appends text, percent-encoded but for A-Z a-z 0-9 - . _ ~ and, if keep_slash, '/'. */
void s3_sign_encode(struct str text, bool keep_slash, struct buf *out);

/* Appends the canonical query: encoded, sorted by name, then by value. ERR_REJECT bad-parameter for
 * more than 16 pairs. */
struct err s3_sign_query(struct s3_sign_list query, struct buf *out) ERR_MUST_USE;

/* Appends the canonical request (also the tests' window). */
struct err s3_sign_canonical(const struct s3_sign_request *request, struct buf *out) ERR_MUST_USE;

/* Appends the value of the Authorization header; ret_signature (or NULL) takes S3_SIGN_HEX_BYTES:
 * the seed of the chunks. */
struct err s3_sign_header(const struct s3_sign_key *key, const struct s3_sign_request *request,
	struct buf *out, char *ret_signature) ERR_MUST_USE;

/* Appends the complete query of a presigned URL. request's query may hold further pairs; its
 * payload_hash is UNSIGNED-PAYLOAD. */
struct err s3_sign_presign(const struct s3_sign_key *key, const struct s3_sign_request *request,
	int64_t expires_s, struct buf *out) ERR_MUST_USE;

/* The chain of chunk signatures; wiped by s3_sign_chain_done. */
struct s3_sign_chain {
	unsigned char key[32];
	char scope[160]; /* date, newline, credential scope */
	char previous[S3_SIGN_HEX_BYTES];
};

/* Starts after the request whose signature was seed. ERR_REJECT bad-parameter for a region that is
 * too long. */
struct err s3_sign_chain_init(const struct s3_sign_key *key, const char *date, const char *seed,
	struct s3_sign_chain *ret_chain) ERR_MUST_USE;
void s3_sign_chain_done(struct s3_sign_chain *chain);

/* The head of the next chunk, "<hex size>;chunk-signature=<64 hex>\r\n", into ret_head
 * (S3_SIGN_CHUNK_HEAD_MAX); returns its length. An empty chunk is the last. The chunk's bytes and
 * "\r\n" follow it on the wire. */
size_t s3_sign_chunk(struct s3_sign_chain *chain, struct str bytes, char *ret_head);

/* Bytes on the wire of size_bytes payload in chunks of chunk_bytes, with the last empty one. */
uint64_t s3_sign_stream_size(uint64_t size_bytes, uint64_t chunk_bytes);

#endif
