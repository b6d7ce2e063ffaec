/*
 * Any bytes as the payload of every event type of a service; the first byte chooses the type out of
 * the service's own list, so a new type is fuzzed without an edit here. Built once per service
 * (fuzz-schema-SERVICE), as tests/contract/tables.c is. What is read can be written for a sealed
 * place, and reading that again gives the same bytes; a topic gets it only if all of it is plain.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/codec.h"

enum { ARENA_BYTES = 4 << 20, OUT_BYTES = 2 << 20, INPUT_BYTES = 64 << 10 };

const struct codec_type *const *events_all(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static bool is_all_plain(const struct codec_type *type)
{
	for (const struct codec_field *field = type->fields; field->name != NULL; field++)
		if (field->class != CODEC_PLAIN ||
			(field->item != NULL && !is_all_plain(field->item)))
			return false;
	return true;
}

static void check(const struct codec_type *type, struct str json, struct arena *arena)
{
	struct buf first = BUF(OUT_BYTES), second = BUF(OUT_BYTES), topic = BUF(OUT_BYTES);
	void *value = arena_alloc(arena, type->size), *again = arena_alloc(arena, type->size);

	if (codec_read(type, json, arena, value).kind == ERR_OK) {
		must(codec_write(type, value, CODEC_TO_SEALED, &first).kind == ERR_OK);
		must(codec_read(type, buf_str(&first), arena, again).kind == ERR_OK);
		must(codec_write(type, again, CODEC_TO_SEALED, &second).kind == ERR_OK);
		must(str_eq(buf_str(&first), buf_str(&second)));
		struct err e = codec_write(type, value, CODEC_TO_TOPIC, &topic);
		must(e.kind == ERR_OK ? str_eq(buf_str(&topic), buf_str(&first))
				      : !is_all_plain(type));
	}
	buf_done(&first);
	buf_done(&second);
	buf_done(&topic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct codec_type *const *types = events_all();
	size_t count = 0;

	if (size < 1 || size > INPUT_BYTES)
		return 0;
	while (types[count] != NULL)
		count++;
	struct arena *arena = arena_new(ARENA_BYTES);
	must(arena != NULL);
	check(types[data[0] % count], (struct str){ (const char *)data + 1, size - 1 }, arena);
	arena_free(arena);
	return 0;
}
