/*
 * The public REST API of intake: one web server, its route table, and the parts that answer.
 * Handlers are short: parse, a job on a pool thread for what blocks, the answer on the loop. An
 * exchange that was aborted meanwhile is never touched again.
 */
#ifndef ESTEIRA_INTAKE_API_API_H
#define ESTEIRA_INTAKE_API_API_H

#include "api/cursor.h"
#include "base/err.h"
#include "base/str.h"
#include "frame/span.h"

#include <stddef.h>
#include <stdint.h>

struct events;
struct front;
struct intake;
struct loop;
struct metric;
struct pool;
struct pool_job;
struct pressure;
struct secure;
struct sse_hub;
struct status;
struct web;
struct web_exchange;

struct api_metrics {
	struct metric *requests, *seconds;
	struct metric *uploads, *upload_bytes;
	struct metric *streams;
	struct metric *events;
	struct metric *results_lost;
};

/* How the API ends: no new jobs once stopping; drained is called when nothing is under way. */
struct api_end {
	bool closing;	/* the port */
	bool stopping;	/* everything */
	size_t jobs;	/* pool jobs under way */
	size_t uploads; /* likewise */
	void (*drained)(void *arg);
	void *arg;
};

/* What a request passes before its route. */
struct api_guards {
	struct secure *secure; /* TLS of the port */
	struct front *front;   /* key, scope, rate limit */
};

/* Shared by the files of this folder; on the loop's thread but for what is constant after api_open.
 */
struct api {
	struct intake *intake;
	struct loop *loop;
	struct web *web;
	struct api_guards guards;
	struct pool *watch; /* one thread as esteira_frame_intake: rows of all tenants */
	struct pool *probe; /* one thread for what may hang: the storage */
	struct pressure *pressure;
	struct status *status;
	struct sse_hub *streams;
	struct events *events;
	struct api_metrics metrics;
	struct api_end end;
	struct buf scratch;		      /* ciphertext on its way to S3, within one call */
	uint8_t cursor_key[CURSOR_KEY_BYTES]; /* one for every replica */
};

/* What is kept with an exchange for its log line and its span; web_user, in the exchange's arena.
 */
struct api_note {
	char tenant[64];
	struct span span;
};

/* Opens the public port, on the loop's thread. After a failure *ret_api may be set: api_stop and
 * api_close end what was opened. ERR_FATAL bad-config, out-of-memory; failures of web_open. */
struct err api_open(struct intake *intake, struct api **ret_api) ERR_MUST_USE;

/* SIGTERM: stops listening, ends the event streams, lets the rest end (50 s); then done(arg). Loop
 * thread. */
void api_drain(struct api *api, void (*done)(void *arg), void *arg);

/* Ends its timers and threads; before pool_close of intake->pool. Any thread but the loop's, which
 * runs. NULL is fine. */
void api_stop(struct api *api);

/* Frees. After api_stop, before redis_close and the end of the loop. Loop thread. NULL is fine. */
void api_close(struct api *api);

/* --- for the files of this folder --- */

/* Submits to intake->pool and counts it; api_job_done is called first thing in the job's done.
 * ERR_RETRY overloaded, shutting-down: done will not be called. Loop thread. */
struct err api_submit(struct api *api, struct pool_job *job) ERR_MUST_USE;
void api_job_done(struct api *api);

/* A request with a key begins: its note, and its span, a child of the request's traceparent or a
 * new trace. ret_traceparent (TRACE_TEXT_BYTES) is what follows from the request carries. Loop
 * thread. */
void api_note_request(struct api *api, struct web_exchange *exchange, char *ret_traceparent);

#endif
