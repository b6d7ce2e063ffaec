#include "port/pg_value.h"

#include <stdio.h>
#include <string.h>

enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_TEXT = 25,
	OID_FLOAT8 = 701,
	OID_TIMESTAMPTZ = 1184,
	OID_UUID = 2950,
};

/* Seconds from 1970-01-01 to 2000-01-01, Postgres's epoch. */
static const int64_t epoch_ms = PG_VALUE_EPOCH_MS;

static const struct {
	unsigned element, array;
} oids[] = {
	[PG_KIND_TEXT] = { OID_TEXT, 1009 },
	[PG_KIND_INT] = { OID_INT8, 1016 },
	[PG_KIND_REAL] = { OID_FLOAT8, 1022 },
	[PG_KIND_BOOL] = { OID_BOOL, 1000 },
	[PG_KIND_ID] = { OID_UUID, 2951 },
	[PG_KIND_BYTES] = { OID_BYTEA, 1001 },
	[PG_KIND_TIME] = { OID_TIMESTAMPTZ, 1185 },
	[PG_KIND_ARRAY] = { 0, 0 },
};

void pg_value_store(char *to, uint64_t number, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (char)(number >> (8 * (bytes - 1 - i)));
}

static void scalar_of(const struct pg_arg *arg, struct pg_value *ret)
{
	uint64_t bits = (uint64_t)arg->number;

	ret->data = ret->scratch;
	ret->binary = 1;
	ret->len = 8;
	if (arg->kind == PG_KIND_TIME)
		bits = (uint64_t)((arg->number - epoch_ms) * 1000);
	if (arg->kind == PG_KIND_REAL)
		memcpy(&bits, &arg->real, sizeof bits);
	if (arg->kind == PG_KIND_BOOL)
		ret->len = 1;
	pg_value_store(ret->scratch, bits, (unsigned)ret->len);
	if (arg->kind == PG_KIND_ID) {
		ret->len = sizeof arg->id.bytes;
		memcpy(ret->scratch, arg->id.bytes, sizeof arg->id.bytes);
	}
}

unsigned pg_value_oid(enum pg_kind kind)
{
	return oids[kind].element;
}

unsigned pg_value_array_oid(enum pg_kind kind)
{
	return oids[kind].array;
}

void pg_value_of(const struct pg_arg *arg, bool exact, struct pg_value *ret_value)
{
	*ret_value = (struct pg_value){ .binary = 1 };
	if (arg->kind == PG_KIND_NULL)
		return;
	ret_value->oid = oids[arg->kind].element;
	if (arg->kind == PG_KIND_TEXT || arg->kind == PG_KIND_BYTES) {
		ret_value->data = arg->bytes.ptr;
		ret_value->len = (int)arg->bytes.len;
	} else {
		scalar_of(arg, ret_value);
	}
	if (exact)
		return;
	/* a bare number may meet int2, int4, int8: as text the server converts it */
	if (arg->kind == PG_KIND_INT) {
		ret_value->oid = 0;
		ret_value->binary = 0;
		ret_value->len = snprintf(ret_value->scratch, sizeof ret_value->scratch, "%lld",
			(long long)arg->number);
	} else if (arg->kind == PG_KIND_TEXT) {
		/* likewise a text may meet jsonb, inet, an enum */
		ret_value->oid = 0;
		ret_value->binary = 0;
	}
}
