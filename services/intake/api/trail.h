/* GET /v1/audit?job_id=: what happened to a document, from the view audit.v1_entries. */
#ifndef ESTEIRA_INTAKE_API_TRAIL_H
#define ESTEIRA_INTAKE_API_TRAIL_H

#include "api/call.h"

extern const struct call_route trail_get;

#endif
