#include "frame/reason.h"

struct err reason_add(const struct reason *reason, struct arena *arena, struct headers *headers)
{
	const char *code = err_code_name(reason->why.code);
	const char *class = err_class_name(err_code_class(reason->why.code));
	const char *partition = arena_printf(arena, "%d", (int)reason->partition);
	const char *offset = arena_printf(arena, "%lld", (long long)reason->offset);
	const char *attempts = arena_printf(arena, "%d", reason->attempts);
	const char *message = arena_printf(arena, "%.*s", (int)REASON_MESSAGE_MAX, reason->why.msg);
	const struct header all[] = {
		{ "x-value-left-out", reason->value_left_out ? STR("1") : STR("0") },
		{ "x-key-left-out", reason->key_left_out ? STR("1") : STR("0") },
		{ "__connect.errors.topic", str_of(reason->topic) },
		{ "__connect.errors.partition", str_of(partition) },
		{ "__connect.errors.offset", str_of(offset) },
		{ "__connect.errors.exception.class.name", str_of(code) },
		{ "__connect.errors.exception.message", str_of(message) },
		{ "x-error-class", str_of(class) },
		{ "x-error-code", str_of(code) },
		{ "x-group", str_of(reason->group) },
		{ "x-attempts", str_of(attempts) },
		{ "x-handler-version", str_of(reason->version) },
	};

	if (partition == NULL || offset == NULL || attempts == NULL || message == NULL)
		return arena_overflow();
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		(void)envelope_add(headers, all[i].name, all[i].value);
	return err_ok();
}
