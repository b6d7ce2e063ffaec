/*
 * A request that needs to know who asks: the front lets it in, the route's own question is asked in
 * a job on a pool thread, then the route answers on the loop. What a route finds wrong with the
 * request is said only to a caller whose key is good, so that an outsider learns nothing but 401.
 */
#ifndef ESTEIRA_INTAKE_API_CALL_H
#define ESTEIRA_INTAKE_API_CALL_H

#include "api/front.h"
#include "base/arena.h"
#include "base/err.h"
#include "frame/pool.h"
#include "frame/trace.h"
#include "job/command.h"
#include "port/address.h"
#include "port/digest.h"

struct api;
struct buf;
struct pg;
struct seal_key;
struct web_exchange;
struct web_field;
struct call;

/* What call_handle does for a row of the route table. All but size, run and reply may be NULL. */
struct call_route {
	size_t size; /* of the route's struct, which begins with a struct call */
	/* On the loop, in the handler. A failure is answered after the key was found good. */
	struct err (*parse)(struct call *call);
	/* On a pool thread. pg is in no transaction. */
	struct err (*run)(struct call *call, struct pg *pg, struct arena *arena);
	/* On the loop; call->exchange is alive and run's arena valid. Answers, or takes over. */
	void (*reply)(struct call *call);
	/* Always, last: what the struct owns. */
	void (*free)(struct call *call);
};

/* Who asks, from where. */
struct call_caller {
	struct auth_who who;
	char traceparent[TRACE_TEXT_BYTES];
	char ip[ADDRESS_TEXT_BYTES];
	char ip_hash[DIGEST_HEX_BYTES]; /* "" until call_hash_ip */
};

struct call {
	struct pool_job job;
	struct api *api;
	const struct call_route *route;
	struct web_exchange *exchange; /* NULL once aborted */
	struct front_ask ask;
	bool asking; /* at the front; later with the pool, or over */
	struct err parsed;
	struct call_caller from;
};

/* The handler of every route with a key; arg is the struct api. */
void call_handle(struct web_exchange *exchange, void *arg);

/* ip_hash = HMAC of the address under a key derived from the tenant's. Any thread. */
void call_hash_ip(struct call_caller *from, const struct seal_key *tenant_key);

/* from as job/command.h wants it; borrows. */
struct command_caller call_command_caller(const struct call_caller *from);

/* What job/command.h runs with. */
struct command_env call_command_env(struct api *api, struct pg *pg, struct arena *arena);

/* The problem of a failure, with Retry-After where waiting helps. Ends the exchange. */
void call_refuse(struct web_exchange *exchange, struct err e);

/* The same with a given Retry-After, seconds. */
void call_refuse_for(struct web_exchange *exchange, struct err e, unsigned seconds);

/* body as application/json, or internal when it overflowed. headers end with name NULL, may be
 * NULL. Ends the exchange. */
void call_reply_json(struct web_exchange *exchange, int status, const struct web_field *headers,
	const struct buf *body);

/* "{id}" of the pattern: ERR_REJECT not-found unless it is a UUID, so that a malformed and an
 * unknown id are the same to the caller. */
struct err call_job_id(struct web_exchange *exchange, struct id *ret_id) ERR_MUST_USE;

#endif
