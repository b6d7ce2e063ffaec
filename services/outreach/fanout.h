/*
 * One event, as many deliveries as endpoints want it: a row with the body that every attempt sends,
 * and a command for each, in one transaction. frame/route.h says what a step is.
 */
#ifndef ESTEIRA_OUTREACH_FANOUT_H
#define ESTEIRA_OUTREACH_FANOUT_H

#include "frame/route.h"

/* payload: struct events_document, deadletter_created. */
struct err fanout_document(struct scope *scope, const void *payload) ERR_MUST_USE;
struct err fanout_deadletter(struct scope *scope, const void *payload) ERR_MUST_USE;

/* payload: struct events_test, events_resend. */
struct err fanout_test(struct scope *scope, const void *payload) ERR_MUST_USE;
struct err fanout_resend(struct scope *scope, const void *payload) ERR_MUST_USE;

#endif
