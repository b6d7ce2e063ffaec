/*
 * S3 as the suite needs it: one bucket, path-style URLs, Signature Version 4. Operations here block
 * and belong to workers; the streaming PUT of the loop is port/s3_put. Keys of tenants start with
 * "<tenant id>/"; this file does not know that. An answer that says "not yours" or "not now" is
 * ERR_RETRY, because our own storage is a dependency to wait for, never an attempt; but for the two
 * questions about the bucket that are asked at start.
 * Source: Amazon S3 API Reference 2006-03-01.
 */
#ifndef ESTEIRA_PORT_S3_H
#define ESTEIRA_PORT_S3_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "port/s3_ear.h"

#include <stdint.h>

struct http;
struct http_response;
struct s3;
struct s3_sign_key;
struct secret;

struct s3_conf {
	const char *endpoint; /* http://host[:port] or https://..., without a path */
	const char *bucket;
	const char *region;	/* NULL: us-east-1 */
	const char *access_key; /* NULL: the two live ones, as they are when a request is made */
	const char *secret_key;
	struct secret *live_access_key, *live_secret_key; /* used, not owned */
	int64_t timeout_ms;				  /* of one blocking operation; 0: 10,000 */
	struct s3_ear ear;				  /* hears of every call; may be zero */
};

/* Any thread. Copies conf, no traffic; http is used, not owned. ERR_REJECT bad-config for an
 * endpoint, bucket or key that cannot be. */
struct err s3_open(struct http *http, const struct s3_conf *conf, struct s3 **ret_s3) ERR_MUST_USE;

/* Wipes the secret. NULL is fine. */
void s3_close(struct s3 *s3);

/* --- pure; any thread --- */

struct s3_presign {
	const char *method; /* GET, HEAD or DELETE; each needs its own signature */
	const char *key;
	int64_t now_ms;	   /* wall clock; the validity starts here */
	int64_t expires_s; /* 1 to 604,800 */
};

/* "/bucket/key?X-Amz-..." in the arena: a capability, never to be logged. Only host is signed, as
 * the endpoint of this s3 names it. ERR_REJECT bad-parameter, record-too-large. */
struct err s3_presign(const struct s3 *s3, const struct s3_presign *what, struct arena *arena,
	const char **ret_path) ERR_MUST_USE;

/* The URL of a presigned path for a worker without credentials: its own endpoint (as in s3_conf)
 * before it. ERR_REJECT bad-parameter unless path is an absolute path of printable ASCII, so no
 * event can send a worker to another host. */
struct err s3_url(const char *endpoint, struct str path, struct arena *arena, const char **ret_url)
	ERR_MUST_USE;

/* What a status means: 2xx ok; 404 ERR_REJECT not-found; 401, 403 and other 4xx ERR_RETRY
 * storage-refused; 408, 429, 5xx and the rest ERR_RETRY storage-away. */
struct err s3_status(int status) ERR_MUST_USE;

/* --- blocking; any thread but the loop's. ERR_RETRY storage-away or storage-refused --- */

/* A GET, HEAD or DELETE of a URL made by s3_url. ret_response is ended by http_response_done, also
 * after a failing status (ret_response is untouched then). ERR_REJECT not-found for a missing
 * object (of DELETE as well: the caller may take it as done), record-too-large past max_bytes. */
struct s3_fetch {
	const char *method;
	const char *url;
	size_t max_bytes;
	int64_t timeout_ms;
	struct s3_ear ear; /* hears of it; may be zero */
};
struct err s3_fetch(struct http *http, const struct s3_fetch *what,
	struct http_response *ret_response) ERR_MUST_USE;

/* Gone afterwards; a missing object is fine. */
struct err s3_delete(struct s3 *s3, const char *key) ERR_MUST_USE;

/* ERR_REJECT not-found when there is no such object. */
struct err s3_head(struct s3 *s3, const char *key, uint64_t *ret_size_bytes) ERR_MUST_USE;

/* HEAD of the bucket; how long it took. A bucket that does not exist is storage-refused. */
struct err s3_health(struct s3 *s3, int64_t *ret_latency_us) ERR_MUST_USE;

struct s3_object {
	const char *key;
	uint64_t size_bytes;
	int64_t modified_ms; /* the bucket's clock */
};

struct s3_page {
	struct s3_object *objects;
	size_t count;
	const char *next; /* token of the next page; NULL: this was the last */
};

struct s3_list {
	const char *prefix; /* NULL: everything */
	const char *token;  /* NULL: the first page */
	unsigned max;	    /* 1 to 1,000 keys */
};

/* One page, in key order, all in the arena (up to 1.2 KB a key). ERR_REJECT record-too-large when
 * the arena or 2 MiB of answer do not do; ERR_RETRY storage-away for an answer we cannot read. */
struct err s3_list(struct s3 *s3, const struct s3_list *what, struct arena *arena,
	struct s3_page *ret_page) ERR_MUST_USE;

/* What a server said about keeping things. */
enum s3_known { S3_UNKNOWN, S3_KNOWN };

/* ERR_FATAL unsafe-store when versioning or object lock is on, because a deleted document would
 * live on; storage-refused when the server answers that there is no such bucket (404) or that the
 * keys are not good for it (401, 403). S3_UNKNOWN when the server does not implement both
 * questions. */
struct err s3_bucket_check(struct s3 *s3, enum s3_known *ret_known) ERR_MUST_USE;

/* Installs: objects expire after 1 day, incomplete uploads are aborted after 1 day. ERR_FATAL
 * storage-refused as above. S3_UNKNOWN when the server does not implement it. Replaces the
 * lifecycle of the bucket. */
struct err s3_bucket_lifecycle(struct s3 *s3, enum s3_known *ret_known) ERR_MUST_USE;

/* --- for the other files of port/s3 --- */

struct http *s3_http(const struct s3 *s3);
/* The keys of this moment, valid until s3_close; s3_refused: the storage did not take those; true
 * when there are others now. */
const struct s3_sign_key *s3_key(const struct s3 *s3);
bool s3_refused(const struct s3 *s3, const struct s3_sign_key *key, int status);
bool s3_is_tls(const struct s3 *s3);
struct str s3_host(const struct s3 *s3); /* as the Host header names it */
int64_t s3_timeout_ms(const struct s3 *s3);
const struct s3_ear *s3_ear(const struct s3 *s3);

/* "http://host/bucket/key" percent-encoded into url; *ret_path is its path. key NULL: the bucket.
 */
struct err s3_object_url(
	const struct s3 *s3, const char *key, struct buf *url, struct str *ret_path) ERR_MUST_USE;

#endif
