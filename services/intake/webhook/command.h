/*
 * What a request changes about webhooks, each in one transaction: the row, its audit entry, and
 * what outreach is to do. Called on pool threads by api/; the transaction begins and ends here.
 * Failures of all: those of port/pg and frame/outbox; ERR_REJECT not-found for an endpoint or
 * delivery that this tenant does not have.
 */
#ifndef ESTEIRA_INTAKE_WEBHOOK_COMMAND_H
#define ESTEIRA_INTAKE_WEBHOOK_COMMAND_H

#include "job/command.h"
#include "port/webhook_sign.h"
#include "webhook/events.h"
#include "webhook/store.h"
#include "webhook/wish.h"

struct keyring;

enum { WEBHOOK_ENDPOINTS_MAX = 50 };

/* Who asks, with what; borrowed. */
struct webhook_request {
	const struct command_env *env;
	const struct command_caller *caller;
	struct keyring *keyring;
};

/* The only place where a secret is in clear; wiped by the caller. */
struct webhook_made {
	struct webhook_endpoint endpoint;
	char secret[WEBHOOK_SIGN_SECRET_BYTES];
};

/* The wish has a URL. ERR_REJECT bad-parameter: not for this tenant; too-many: it has
 * WEBHOOK_ENDPOINTS_MAX. ERR_REJECT secret-missing: it has no key. */
struct err webhook_create(const struct webhook_request *request, const struct wish *wish,
	struct webhook_made *ret_made) ERR_MUST_USE;

/* ERR_REJECT bad-parameter as above. */
struct err webhook_change(const struct webhook_request *request, struct id id,
	const struct wish *wish, struct webhook_endpoint *ret_endpoint) ERR_MUST_USE;

/* A new secret beside the one before. ERR_REJECT secret-missing. */
struct err webhook_rotate(const struct webhook_request *request, struct id id,
	struct webhook_made *ret_made) ERR_MUST_USE;

struct err webhook_remove(const struct webhook_request *request, struct id id) ERR_MUST_USE;

/* *ret_event_id: of the event that will be delivered. ERR_REJECT endpoint-disabled. */
struct err webhook_ask_test(
	const struct webhook_request *request, struct id id, struct id *ret_event_id) ERR_MUST_USE;

/* what->delivery_id nil: all that what says. ERR_REJECT endpoint-disabled; not-ended: that delivery
 * is still under way. */
struct err webhook_ask_resend(
	const struct webhook_request *request, const struct webhook_resend *what) ERR_MUST_USE;

#endif
