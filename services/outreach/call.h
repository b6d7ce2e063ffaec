/*
 * The call itself: a URL that a tenant gave us is read strictly, its host resolved once, every
 * address judged, and the address that was judged is the one that is dialled (CWE-918). What the
 * endpoint answers is read up to 64 KB and thrown away; its status and Retry-After are all that is
 * kept.
 */
#ifndef ESTEIRA_OUTREACH_CALL_H
#define ESTEIRA_OUTREACH_CALL_H

#include "base/arena.h"
#include "base/err.h"
#include "model/tenant.h"

struct outreach;
struct webhook_sign_key;

struct call_request {
	const char *url;
	bool is_test;
	struct id delivery_id; /* webhook-id */
	struct str body;
	const struct webhook_sign_key *keys; /* 1 or 2 */
	size_t key_count;
	const char *traceparent; /* what the call follows from; NULL = none. Not sent. */
};

struct call_answer {
	int status;		/* 0: there was none */
	const char *error_code; /* why, static; NULL when there was one */
	struct str retry_after; /* in the arena; ptr NULL = none */
	int64_t took_ms;
};

/* Blocking, a worker's thread. Whatever is wrong with the endpoint is an answer (status 0 and an
 * error_code: bad-url, refused-address, unresolved, unreachable, tls-failed, no-answer). ERR_FATAL,
 * and ERR_REJECT record-too-large when the arena is full. */
struct err call_send(const struct outreach *outreach, struct arena *arena,
	const struct call_request *request, struct call_answer *ret_answer) ERR_MUST_USE;

#endif
