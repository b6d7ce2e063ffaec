/*
 * What intake says about a tenant: struct and field table, contract-tested against schemas/.
 */
#ifndef ESTEIRA_INTAKE_TENANT_EVENTS_H
#define ESTEIRA_INTAKE_TENANT_EVENTS_H

#include <stdint.h>

#include "model/codec.h"

/* Out, on intake.events: nothing of the tenant is left but the trail. */
struct tenant_end {
	int64_t rows;	   /* deleted, by all services */
	const char *proof; /* hex SHA-256 of what each service counted */
	int64_t occurred_at;
};
extern const struct codec_type tenant_erased;

#endif
