/*
 * Postgres's binary formats: parameters to the wire, result columns back. Split from pg.c, which
 * owns the connection. Source: PostgreSQL src/backend/utils/adt, the send and recv functions;
 * arrays: array_recv.
 */
#ifndef ESTEIRA_PORT_PG_VALUE_H
#define ESTEIRA_PORT_PG_VALUE_H

#include "port/pg.h"

/* One parameter as libpq wants it. scratch holds small values. */
struct pg_value {
	const char *data; /* NULL = SQL NULL */
	int len;
	unsigned oid; /* 0 = the server infers it */
	int binary;
	char scratch[40];
};

/* Milliseconds from 1970-01-01 to 2000-01-01, Postgres's epoch. */
#define PG_VALUE_EPOCH_MS INT64_C(946684800000)

/*
 * arg (no array) as a parameter; borrows from both. exact: in its own binary type; otherwise
 * numbers and texts go as text of unknown type, so that the server fits them to int4, jsonb, inet,
 * ...
 */
void pg_value_of(const struct pg_arg *arg, bool exact, struct pg_value *ret_value);

/* The type of a value and of an array of it (pg_type.dat). */
unsigned pg_value_oid(enum pg_kind kind);
unsigned pg_value_array_oid(enum pg_kind kind);

/* number as that many big-endian bytes. */
void pg_value_store(char *to, uint64_t number, unsigned bytes);

/* The wire form of an array parameter (pg_array.c). */
void pg_array_value(const struct pg_array *array, struct pg_value *ret_value);

#endif
