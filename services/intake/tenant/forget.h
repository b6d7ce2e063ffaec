/*
 * The erasure of a tenant, as intake does it: the keys first, so that every copy of what was sealed
 * is worthless at once; then jobs end as their owner would have ended them, so that the trail says
 * so; their documents, whatever else is in the bucket and in Redis; then the rows (frame/erase).
 * And once every service has confirmed, the end for all of them.
 */
#ifndef ESTEIRA_INTAKE_TENANT_FORGET_H
#define ESTEIRA_INTAKE_TENANT_FORGET_H

#include "frame/erase.h"

/* state is a struct intake. */
extern const struct erase_plan tenant_forget;

#endif
