/*
 * Where a tenant wants to be told what: /v1/webhooks. What is said in the answers stands in
 * webhook/view.h, what is changed in webhook/command.h. A secret is shown by the two answers that
 * made it, and by nothing else.
 */
#ifndef ESTEIRA_INTAKE_API_WEBHOOKS_H
#define ESTEIRA_INTAKE_API_WEBHOOKS_H

#include "api/call.h"
#include "webhook/command.h"

extern const struct call_route webhooks_create;
extern const struct call_route webhooks_list;
extern const struct call_route webhooks_get;
extern const struct call_route webhooks_change;
extern const struct call_route webhooks_delete;
extern const struct call_route webhooks_rotate;
extern const struct call_route webhooks_test;

/* --- for webhooks_deliveries.c --- */

/* The {id} of the path, or the one of that name. ERR_REJECT not-found, also for the nil id, which
 * nothing has. */
struct err webhooks_id(struct web_exchange *exchange, const char *name, struct id *ret_id)
	ERR_MUST_USE;

/* Of a route that needs no body: many clients send {} all the same. ERR_REJECT bad-parameter for
 * anything more. */
enum { WEBHOOKS_BARE_MAX_BYTES = 1024 };
struct err webhooks_check_bare(const struct web_exchange *exchange) ERR_MUST_USE;

/* Room for the message of a failure that lives in the exchange's arena, which may be gone when the
 * pool thread looks. */
struct webhooks_why {
	char text[160];
};
struct err webhooks_keep(struct err e, struct webhooks_why *why) ERR_MUST_USE;

/* What webhook/command.h runs with. *ret_env and *ret_caller are lent to it. */
struct webhook_request webhooks_request(const struct call *call, const struct command_env *env,
	const struct command_caller *caller);

#endif
