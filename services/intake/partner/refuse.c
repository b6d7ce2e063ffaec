#include "partner/refuse.h"

#include <string.h>

#include "base/version.h"
#include "frame/reason.h"

size_t refuse_headers_bytes(const struct headers *headers)
{
	size_t bytes = 0;

	for (size_t i = 0; i < headers->count; i++)
		bytes += strlen(headers->items[i].name) + headers->items[i].value.len;
	return bytes;
}

struct err refuse_record(
	const struct refuse *what, struct arena *arena, struct kafka_record *ret_record)
{
	const struct kafka_record *record = what->record;
	struct kafka_record made = *record;
	const struct reason reason = {
		.topic = record->topic,
		.partition = record->partition,
		.offset = record->offset,
		.group = what->group,
		.version = ESTEIRA_VERSION,
		.attempts = 1,
		.why = what->why,
		.key_left_out = record->key.len > REASON_KEY_MAX,
		.value_left_out = record->value.len > REASON_VALUE_MAX,
	};

	made.topic = arena_printf(arena, "%spartner.%s.dlq", what->prefix, what->partner);
	if (made.topic == NULL)
		return arena_overflow();
	made.partition = KAFKA_BY_KEY;
	if (reason.key_left_out)
		made.key = STR("");
	if (reason.value_left_out)
		made.value = STR("");
	if (refuse_headers_bytes(&made.headers) > REFUSE_HEADERS_MAX)
		made.headers.count = 0;
	TRY(reason_add(&reason, arena, &made.headers));
	*ret_record = made;
	return err_ok();
}
