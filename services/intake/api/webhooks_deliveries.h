/*
 * What became of what was to be told: /v1/webhooks/{id}/deliveries, sending again, and how the
 * endpoints do. Outreach writes all of it; here it is read by its views.
 */
#ifndef ESTEIRA_INTAKE_API_WEBHOOKS_DELIVERIES_H
#define ESTEIRA_INTAKE_API_WEBHOOKS_DELIVERIES_H

#include "api/call.h"

extern const struct call_route webhooks_deliveries_list;
extern const struct call_route webhooks_deliveries_get;
extern const struct call_route webhooks_deliveries_resend;     /* one */
extern const struct call_route webhooks_deliveries_resend_all; /* of a state and a time */
extern const struct call_route webhooks_deliveries_health;

#endif
