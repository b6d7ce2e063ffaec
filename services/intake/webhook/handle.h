/*
 * One function per event of outreach.events.
 */
#ifndef ESTEIRA_INTAKE_WEBHOOK_HANDLE_H
#define ESTEIRA_INTAKE_WEBHOOK_HANDLE_H

#include "frame/route.h"

/* The endpoint answered 410: it is disabled, unless somebody has changed it since. */
struct err handle_endpoint_disabled(struct scope *scope, const void *payload);

#endif
