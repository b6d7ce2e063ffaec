/* Array parameters in wire format. Source: PostgreSQL array_recv (arrayfuncs.c). */
#include "port/pg_value.h"

struct pg_array {
	struct buf data; /* header and elements in wire format, in its own memory */
	enum pg_kind element;
	size_t items;
	size_t max_items;
};

enum { ARRAY_HEADER = 20, ARRAY_BYTES_MAX = 64 << 20 };

static void free_array(void *arg)
{
	struct pg_array *array = arg;

	buf_done(&array->data);
}

struct pg_array *pg_array_new(struct arena *arena, enum pg_kind element, size_t max_items)
{
	struct pg_array *array = arena_alloc(arena, sizeof *array);
	char header[ARRAY_HEADER];

	if (array == NULL)
		return NULL;
	*array = (struct pg_array){ BUF(ARRAY_BYTES_MAX), element, 0, max_items };
	if (!arena_defer(arena, free_array, array))
		return NULL;
	pg_value_store(header, 1, 4);	  /* dimensions */
	pg_value_store(header + 4, 1, 4); /* may hold NULL */
	pg_value_store(header + 8, pg_value_oid(element), 4);
	pg_value_store(header + 12, 0, 4); /* items, kept current by pg_array_add */
	pg_value_store(header + 16, 1, 4); /* lower bound */
	buf_add(&array->data, header, sizeof header);
	return array;
}

struct err pg_array_add(struct pg_array *array, struct pg_arg element)
{
	struct pg_value value;
	char len[4];

	if (array->items == array->max_items)
		return arena_overflow();
	pg_value_of(&element, true, &value);
	pg_value_store(len, value.data == NULL ? UINT32_MAX : (uint64_t)value.len, 4);
	buf_add(&array->data, len, sizeof len);
	if (value.data != NULL)
		buf_add(&array->data, value.data, (size_t)value.len);
	TRY(buf_check(&array->data));
	array->items++;
	pg_value_store(array->data.ptr + 12, array->items, 4);
	return err_ok();
}

void pg_array_value(const struct pg_array *array, struct pg_value *ret_value)
{
	*ret_value = (struct pg_value){ .data = array->data.ptr,
		.len = (int)array->data.len,
		.oid = pg_value_array_oid(array->element),
		.binary = 1 };
}
