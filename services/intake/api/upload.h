/*
 * POST /v1/extract: admission (size, type, load, key), the stream into S3 (deposit.h), and one
 * transaction that makes it a job. What goes wrong on the way leaves no object; where that cannot
 * be known (the database's answer to the commit was lost and it cannot be asked) the purger's sweep
 * decides by the job's row.
 */
#ifndef ESTEIRA_INTAKE_API_UPLOAD_H
#define ESTEIRA_INTAKE_API_UPLOAD_H

#include "api/call.h"

extern const struct call_route upload_route;

/* The route's handler: what the headers alone decide (411, 413, 415), then call_handle. */
void upload_handle(struct web_exchange *exchange, void *arg);

#endif
