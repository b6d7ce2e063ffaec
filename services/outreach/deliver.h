/*
 * One webhook, from its claim to what its answer means: a ROUTE_WORK with the endpoint as the
 * target of its brake. It goes through the effect ledger by endpoint, event and round; repeating it
 * is harmless by its nature, because webhook-id stays the same, so a call whose answer got lost is
 * made again. A failure is an attempt with a pause of the schedule; behind the last pause the
 * delivery ends as failed, which is an outcome and no dead letter. payload: struct events_delivery.
 */
#ifndef ESTEIRA_OUTREACH_DELIVER_H
#define ESTEIRA_OUTREACH_DELIVER_H

#include "frame/route.h"

enum { DELIVER_PER_ENDPOINT = 8 };

struct err deliver_claimed(struct scope *scope, const void *payload) ERR_MUST_USE;
struct err deliver_work(struct scope *scope, const void *payload) ERR_MUST_USE;
struct err deliver_failed(struct scope *scope, const void *payload) ERR_MUST_USE;
struct err deliver_handle(struct scope *scope, const void *payload) ERR_MUST_USE;

/* The endpoint. */
struct id deliver_target(const void *payload);

#endif
