/*
 * A tenant's internal identity. A type of its own, so that it cannot be swapped with a job's id or
 * a key; outside the suite a tenant is its slug and this id never appears.
 */
#ifndef ESTEIRA_MODEL_TENANT_H
#define ESTEIRA_MODEL_TENANT_H

#include "base/id.h"

struct tenant {
	struct id id;
};

static inline bool tenant_eq(struct tenant a, struct tenant b)
{
	return id_eq(a.id, b.id);
}

#endif
