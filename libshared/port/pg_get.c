/*
 * Columns of a result. Split from pg.c, which owns the connection; the formats are pg_value.h's.
 */
#include "port/pg.h"

#include <string.h>

#include <libpq-fe.h>

#include "port/pg_value.h"

static uint64_t load_big_endian(const char *from, unsigned bytes)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < bytes; i++)
		number = number << 8 | (unsigned char)from[i];
	return number;
}

struct str pg_get_bytes(const struct pg_rows *rows, size_t row, int column)
{
	if (pg_is_null(rows, row, column))
		return (struct str){ NULL, 0 };
	return (struct str){ PQgetvalue((const PGresult *)rows, (int)row, column),
		(size_t)PQgetlength((const PGresult *)rows, (int)row, column) };
}

const char *pg_get_text(const struct pg_rows *rows, size_t row, int column)
{
	return pg_get_bytes(rows, row, column).ptr; /* libpq adds a NUL */
}

int64_t pg_get_int(const struct pg_rows *rows, size_t row, int column)
{
	struct str bytes = pg_get_bytes(rows, row, column);
	uint64_t bits = load_big_endian(bytes.ptr, (unsigned)bytes.len);

	if (bytes.len == 2)
		return (int16_t)bits;
	if (bytes.len == 4)
		return (int32_t)bits;
	return (int64_t)bits;
}

double pg_get_real(const struct pg_rows *rows, size_t row, int column)
{
	struct str bytes = pg_get_bytes(rows, row, column);
	uint64_t bits = load_big_endian(bytes.ptr, (unsigned)bytes.len);
	double real = 0;
	float small = 0;
	uint32_t small_bits = (uint32_t)bits;

	if (bytes.len == sizeof small) {
		memcpy(&small, &small_bits, sizeof small);
		return (double)small;
	}
	memcpy(&real, &bits, sizeof real);
	return real;
}

int64_t pg_get_time(const struct pg_rows *rows, size_t row, int column)
{
	int64_t us = pg_get_int(rows, row, column);

	return (us >= 0 ? us / 1000 : (us - 999) / 1000) + PG_VALUE_EPOCH_MS;
}

struct id pg_get_id(const struct pg_rows *rows, size_t row, int column)
{
	struct str bytes = pg_get_bytes(rows, row, column);
	struct id id = { { 0 } };

	if (bytes.len == sizeof id.bytes)
		memcpy(id.bytes, bytes.ptr, sizeof id.bytes);
	return id;
}
