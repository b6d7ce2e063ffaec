/*
 * GET /v1/jobs/{id}/events: server-sent events (WHATWG HTML, 9.2) with the ids of the job's stream
 * in Redis, so any replica goes on where another stopped. The end state is always the committed
 * row: seen in the stream it is re-read at once, and every open connection's row is looked at once
 * a second, so without Redis the stream still ends with the truth. A stream whose key has ended
 * ends, as any other request of that key (key_watch.h).
 */
#ifndef ESTEIRA_INTAKE_API_SSE_H
#define ESTEIRA_INTAKE_API_SSE_H

#include "api/call.h"

struct sse_hub;

enum { SSE_STREAMS_MAX = 512 }; /* of a process; a tenant has its share of them */

extern const struct call_route sse_get;

/* What all open streams share. Loop thread. ERR_FATAL out-of-memory. */
struct err sse_open(struct api *api, struct sse_hub **ret_hub) ERR_MUST_USE;

/* Ends the open streams, which their clients resume elsewhere, and takes no new ones. Loop thread;
 * NULL is fine. */
void sse_stop(struct sse_hub *hub);

/* After sse_stop and the end of api->watch. Memory goes when Redis has answered the last command.
 */
void sse_close(struct sse_hub *hub);

#endif
