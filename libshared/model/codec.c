#include "model/codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/id.h"

enum { DEPTH_MAX = 16, NAME_MAX_BYTES = 64 };

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

static void *member(const struct codec_field *field, void *value)
{
	return (char *)value + field->offset;
}

static const void *const_member(const struct codec_field *field, const void *value)
{
	return (const char *)value + field->offset;
}

void codec_clear(const struct codec_type *type, void *value)
{
	memset(value, 0, type->size);
	for (const struct codec_field *field = type->fields; field->name != NULL; field++) {
		int64_t none = CODEC_NO_INT;
		double nan_value = NAN;

		if (field->kind == CODEC_INT || field->kind == CODEC_TIME)
			memcpy(member(field, value), &none, sizeof none);
		else if (field->kind == CODEC_REAL)
			memcpy(member(field, value), &nan_value, sizeof nan_value);
		else if (field->kind == CODEC_OBJECT)
			codec_clear(field->item, member(field, value));
	}
}

/* --- writing --- */

static bool class_may_go(enum codec_class class, enum codec_sink sink)
{
	static const bool allowed[][4] = {
		[CODEC_TO_TOPIC] = { [CODEC_PLAIN] = true },
		[CODEC_TO_JOBS] = { [CODEC_PLAIN] = true, [CODEC_CAPABILITY] = true },
		[CODEC_TO_CLIENT] = { [CODEC_PLAIN] = true, [CODEC_PERSONAL] = true },
		[CODEC_TO_SEALED] = { true, true, true, true },
	};
	return allowed[sink][class];
}

static bool is_absent(const struct codec_field *field, const void *at)
{
	switch (field->kind) {
	case CODEC_TEXT:
		return *(const char *const *)at == NULL;
	case CODEC_INT:
	case CODEC_TIME:
		return *(const int64_t *)at == CODEC_NO_INT;
	case CODEC_REAL:
		return isnan(*(const double *)at);
	case CODEC_ID:
		return id_is_nil(*(const struct id *)at);
	default:
		return false;
	}
}

void codec_quote(struct str text, struct buf *out)
{
	size_t from = 0;

	buf_add(out, "\"", 1);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		buf_add(out, text.ptr + from, i - from);
		from = i + 1;
		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c == '\n')
			buf_add(out, "\\n", 2);
		else
			buf_addf(out, "\\u%04x", c);
	}
	if (text.len > from)
		buf_add(out, text.ptr + from, text.len - from);
	buf_add(out, "\"", 1);
}

void codec_add_text(const char *name, const char *text, struct buf *out)
{
	if (text == NULL)
		return;
	buf_addf(out, ",\"%s\":", name);
	codec_quote(str_of(text), out);
}

void codec_add_time(const char *name, int64_t wall_ms, struct buf *out)
{
	char text[CLOCK_TEXT_BYTES];

	if (wall_ms == CODEC_NO_INT)
		return;
	clock_format(wall_ms, text);
	buf_addf(out, ",\"%s\":\"%s\"", name, text);
}

static struct err write_text(const struct codec_field *field, const void *at, struct buf *out)
{
	struct str text = str_of(*(const char *const *)at);

	if ((field->max != 0 && text.len > field->max) || !str_is_utf8(text))
		return err_fatal(
			ERR_CODE_INTERNAL, "a text to be written is too long or not UTF-8");
	codec_quote(text, out);
	return err_ok();
}

static void write_scalar(const struct codec_field *field, const void *at, struct buf *out)
{
	char text[ID_TEXT_BYTES]; /* the longer of the two */

	if (field->kind == CODEC_INT) {
		buf_addf(out, "%lld", (long long)*(const int64_t *)at);
	} else if (field->kind == CODEC_REAL) {
		buf_addf(out, "%.6g", *(const double *)at + 0.0); /* -0 would be read as 0 */
	} else if (field->kind == CODEC_BOOL) {
		buf_addf(out, "%s", *(const bool *)at ? "true" : "false");
	} else if (field->kind == CODEC_ID) {
		id_format(*(const struct id *)at, text);
		buf_addf(out, "\"%s\"", text);
	} else {
		clock_format(*(const int64_t *)at, text);
		buf_addf(out, "\"%s\"", text);
	}
}

static struct err write_list(const struct codec_field *field, const struct codec_list *list,
	enum codec_sink sink, struct buf *out)
{
	if (field->max != 0 && list->count > field->max)
		return err_fatal(ERR_CODE_INTERNAL, "a list to be written is too long");
	buf_add(out, "[", 1);
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			buf_add(out, ",", 1);
		TRY(codec_write(
			field->item, (char *)list->items + i * field->item->size, sink, out));
	}
	buf_add(out, "]", 1);
	return err_ok();
}

static struct err write_value(
	const struct codec_field *field, const void *at, enum codec_sink sink, struct buf *out)
{
	if (!class_may_go(field->class, sink))
		return err_fatal(ERR_CODE_INTERNAL, "a field's data class may not go to this sink");
	if (field->kind == CODEC_TEXT)
		return write_text(field, at, out);
	if (field->kind == CODEC_REAL && isinf(*(const double *)at))
		return err_fatal(ERR_CODE_INTERNAL, "a number to be written is infinite");
	if (field->kind == CODEC_OBJECT)
		return codec_write(field->item, at, sink, out);
	if (field->kind == CODEC_LIST)
		return write_list(field, at, sink, out);
	write_scalar(field, at, out);
	return err_ok();
}

struct err codec_write(
	const struct codec_type *type, const void *value, enum codec_sink sink, struct buf *out)
{
	bool first = true;

	buf_add(out, "{", 1);
	for (const struct codec_field *field = type->fields; field->name != NULL; field++) {
		const void *at = const_member(field, value);
		if (is_absent(field, at)) {
			if (field->required)
				return err_fatal(ERR_CODE_INTERNAL, "a required field is absent");
			continue;
		}
		buf_addf(out, "%s\"%s\":", first ? "" : ",", field->name);
		first = false;
		TRY(write_value(field, at, sink, out));
	}
	buf_add(out, "}", 1);
	return buf_check(out);
}

/* --- reading --- */

static struct err bad_field(const char *name, const char *why, struct arena *arena)
{
	const char *msg = arena_printf(arena, "field %s: %s", name, why);

	return err_reject(ERR_CODE_BAD_RECORD, msg == NULL ? why : msg);
}

static struct err read_text(
	const struct codec_field *field, const json_t *json, struct arena *arena, void *ret)
{
	if (!json_is_string(json))
		return bad_field(field->name, "not a string", arena);
	struct str text = { json_string_value(json), json_string_length(json) };
	if (field->max != 0 && text.len > field->max)
		return bad_field(field->name, "too long", arena);
	const char *copy = arena_strdup(arena, text);
	if (copy == NULL)
		return arena_overflow();
	memcpy(ret, &copy, sizeof copy);
	return err_ok();
}

static struct err read_id(
	const struct codec_field *field, const json_t *json, struct arena *arena, void *ret)
{
	if (!json_is_string(json) || !id_parse(str_of(json_string_value(json)), ret))
		return bad_field(field->name, "not a UUID", arena);
	return err_ok();
}

static struct err read_time(
	const struct codec_field *field, const json_t *json, struct arena *arena, void *ret)
{
	if (!json_is_string(json) || !clock_parse(str_of(json_string_value(json)), ret))
		return bad_field(field->name, "not an RFC 3339 time with a zone", arena);
	return err_ok();
}

static struct err read_number(
	const struct codec_field *field, const json_t *json, struct arena *arena, void *ret)
{
	int64_t integer = json_integer_value(json);
	double real = json_number_value(json);
	bool truth = json_is_true(json);

	if (field->kind == CODEC_INT && json_is_integer(json))
		memcpy(ret, &integer, sizeof integer);
	else if (field->kind == CODEC_REAL && json_is_number(json))
		memcpy(ret, &real, sizeof real);
	else if (field->kind == CODEC_BOOL && json_is_boolean(json))
		memcpy(ret, &truth, sizeof truth);
	else
		return bad_field(field->name, "of another type", arena);
	return err_ok();
}

static struct err read_object(
	const struct codec_type *type, const json_t *json, struct arena *arena, void *ret);

static struct err read_list(
	const struct codec_field *field, const json_t *json, struct arena *arena, void *ret)
{
	struct codec_list list = { NULL, json_array_size(json) };

	if (!json_is_array(json) || (field->max != 0 && list.count > field->max))
		return bad_field(field->name, "not a list, or too long", arena);
	list.items = arena_alloc(arena, list.count * field->item->size);
	if (list.items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < list.count; i++)
		TRY(read_object(field->item, json_array_get(json, i), arena,
			(char *)list.items + i * field->item->size));
	memcpy(ret, &list, sizeof list);
	return err_ok();
}

static struct err read_value(
	const struct codec_field *field, const json_t *json, struct arena *arena, void *ret)
{
	switch (field->kind) {
	case CODEC_TEXT:
		return read_text(field, json, arena, ret);
	case CODEC_ID:
		return read_id(field, json, arena, ret);
	case CODEC_TIME:
		return read_time(field, json, arena, ret);
	case CODEC_OBJECT:
		return read_object(field->item, json, arena, ret);
	case CODEC_LIST:
		return read_list(field, json, arena, ret);
	default:
		return read_number(field, json, arena, ret);
	}
}

static struct err read_object(
	const struct codec_type *type, const json_t *json, struct arena *arena, void *ret)
{
	if (!json_is_object(json))
		return bad_field(type->name, "not an object", arena);
	codec_clear(type, ret);
	for (const struct codec_field *field = type->fields; field->name != NULL; field++) {
		const json_t *item = json_object_get(json, field->name);
		if (item != NULL && !json_is_null(item))
			TRY(read_value(field, item, arena, member(field, ret)));
		else if (field->required)
			return bad_field(field->name, "missing", arena);
	}
	return err_ok();
}

static bool has_field(const struct codec_type *type, const char *name)
{
	const struct codec_field *field = type->fields;

	while (field->name != NULL && strcmp(field->name, name) != 0)
		field++;
	return field->name != NULL;
}

/* It goes into an answer and maybe into a log: only what could be a name of ours is repeated. */
static struct err unknown_member(const char *name, struct arena *arena)
{
	size_t len = strlen(name);
	const char *msg = "a member that is unknown here";

	if (len > 0 && len <= NAME_MAX_BYTES && strspn(name, NAME_CHARS) == len)
		msg = arena_printf(arena, "%s is unknown here", name);
	return msg == NULL ? arena_overflow() : err_reject(ERR_CODE_BAD_PARAMETER, msg);
}

static struct err check_members(
	const struct codec_type *type, const char *also, json_t *tree, struct arena *arena)
{
	const char *name;
	json_t *item;

	json_object_foreach(tree, name, item)
	{
		if (!has_field(type, name) && (also == NULL || strcmp(name, also) != 0))
			return unknown_member(name, arena);
	}
	return err_ok();
}

/* The library's own limit is 2,048 levels of recursion; this refuses before it starts. */
static bool too_deep(struct str json)
{
	bool in_text = false;
	int depth = 0;

	for (size_t i = 0; i < json.len; i++) {
		char c = json.ptr[i];
		if (in_text && c == '\\')
			i++;
		else if (c == '"')
			in_text = !in_text;
		else if (!in_text && (c == '{' || c == '['))
			depth++;
		else if (!in_text && (c == '}' || c == ']'))
			depth--;
		if (depth > DEPTH_MAX)
			return true;
	}
	return false;
}

/* What a document that means something to others is not taken for; no word of it is in the answer.
 */
static const char *why_not(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_numeric_overflow:
		return "a number in the JSON does not fit into 64 bits";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a text in the JSON holds the character U+0000, which is not taken";
	case json_error_duplicate_key:
		return "an object in the JSON has a key twice";
	case json_error_invalid_utf8:
		return "the JSON is not UTF-8";
	default:
		return "not well-formed JSON";
	}
}

static struct err parse(struct str json, json_t **ret_tree)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY; /* null: it is no object */

	json_error_t error;

	if (json.len == 0)
		return err_reject(ERR_CODE_BAD_RECORD, "there is no JSON, it is empty");
	if (too_deep(json))
		return err_reject(ERR_CODE_BAD_RECORD, "the JSON is nested too deeply");
	json_t *tree = json_loadb(json.ptr, json.len, flags, &error);
	if (tree == NULL)
		return err_reject(ERR_CODE_BAD_RECORD, why_not(&error));
	*ret_tree = tree;
	return err_ok();
}

static struct err take_tree(
	const struct codec_type *type, const json_t *tree, struct arena *arena, void *ret_value)
{
	void *value = arena_alloc(arena, type->size);

	if (value == NULL)
		return arena_overflow();
	TRY(read_object(type, tree, arena, value));
	memcpy(ret_value, value, type->size);
	return err_ok();
}

struct err codec_read(
	const struct codec_type *type, struct str json, struct arena *arena, void *ret_value)
{
	json_t *tree;

	TRY(parse(json, &tree));
	struct err e = take_tree(type, tree, arena, ret_value);
	json_decref(tree);
	return e;
}

struct err codec_read_exactly(const struct codec_type *type, const char *also, struct str json,
	struct arena *arena, void *ret_value)
{
	json_t *tree;

	TRY(parse(json, &tree));
	struct err e = check_members(type, also, tree, arena);
	if (e.kind == ERR_OK)
		e = take_tree(type, tree, arena, ret_value);
	json_decref(tree);
	return e;
}
