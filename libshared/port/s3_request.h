/*
 * A request to our bucket, ready to be sent: URL, signed headers, payload hash. Shared by the files
 * of port/s3; nobody else includes it.
 */
#ifndef ESTEIRA_PORT_S3_REQUEST_H
#define ESTEIRA_PORT_S3_REQUEST_H

#include "base/err.h"
#include "base/str.h"
#include "port/http.h"
#include "port/s3_ear.h"
#include "port/s3_sign.h"

struct s3;

enum { S3_REQUEST_EXTRA_MAX = 3 };

struct s3_request {
	const char *method;
	enum s3_operation operation; /* what it is counted as; 0: about the bucket */
	const char *key;	     /* NULL: the bucket itself */
	struct s3_sign_list query;   /* plain; may be empty */
	struct s3_sign_list extra;   /* further signed headers, NUL-terminated; may be empty */
	struct str body;	     /* ends at done, as of http_request */
	const char *payload_hash;    /* NULL: of body */
	size_t response_max_bytes;
};

/* Points into itself, so it must stay where it is. Zero it to begin. */
struct s3_request_ready {
	struct buf url;
	struct buf authorization;
	const struct s3_sign_key *key; /* by which it is signed */
	char date[S3_SIGN_DATE_BYTES];
	char hash[S3_SIGN_HEX_BYTES];
	char signature[S3_SIGN_HEX_BYTES];
	struct http_header headers[S3_REQUEST_EXTRA_MAX + 4];
};

/* Pure but for the wall clock. Any thread. s3_request_done is due in any case. */
struct err s3_request_prepare(const struct s3 *s3, const struct s3_request *request,
	struct s3_request_ready *ret_ready) ERR_MUST_USE;
void s3_request_done(struct s3_request_ready *ready);

/* Blocking, any thread but the loop's. Asks once more when the keys were refused and there are
 * others now. Any status is ERR_OK; ERR_RETRY storage-away. */
struct err s3_request_call(const struct s3 *s3, const struct s3_request *request,
	struct http_response *ret_response) ERR_MUST_USE;

#endif
