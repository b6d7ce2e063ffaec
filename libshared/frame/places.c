#include "frame/places.h"

#include "port/pg.h"

struct err places_args(struct arena *arena, const struct places *places, struct pg_arg *ret_args)
{
	struct pg_array *names = pg_array_new(arena, PG_KIND_TEXT, places->count);
	struct pg_array *numbers = pg_array_new(arena, PG_KIND_INT, places->count);

	if (names == NULL || numbers == NULL)
		return arena_overflow();
	for (size_t i = 0; i < places->count; i++) {
		TRY(pg_array_add(names, pg_text(places->topics[i])));
		TRY(pg_array_add(numbers, pg_int(places->partitions[i])));
	}
	ret_args[0] = pg_list(names);
	ret_args[1] = pg_list(numbers);
	return err_ok();
}
