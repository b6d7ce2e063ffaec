/*
 * GET /v1/jobs/{id}/result: the text, out of Redis and out of its envelope, checked against the
 * hash in the job's row. DELIVERED is committed before the first byte leaves.
 */
#ifndef ESTEIRA_INTAKE_API_RESULT_H
#define ESTEIRA_INTAKE_API_RESULT_H

#include "api/call.h"

extern const struct call_route result_get;

#endif
