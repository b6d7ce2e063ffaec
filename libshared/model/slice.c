#include "model/slice.h"

#include <string.h>

#include "base/encode.h"

static void skip(struct str *rest, size_t len)
{
	rest->ptr += len;
	rest->len -= len;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct str *rest)
{
	while (rest->len > 0 && is_space(rest->ptr[0]))
		skip(rest, 1);
}

struct str slice_trim(struct str json)
{
	skip_space(&json);
	while (json.len > 0 && is_space(json.ptr[json.len - 1]))
		json.len--;
	return json;
}

/* The next byte that is no space, consumed when it is c. */
static bool take_char(struct str *rest, char c)
{
	skip_space(rest);
	if (rest->len == 0 || rest->ptr[0] != c)
		return false;
	skip(rest, 1);
	return true;
}

/* The bytes of the text that starts at `from`, with its quotes; 0 when it does not end. */
static size_t text_len(struct str from)
{
	for (size_t i = 1; i < from.len; i++) {
		if (from.ptr[i] == '\\')
			i++;
		else if (from.ptr[i] == '"')
			return i + 1;
	}
	return 0;
}

/* The same of an object or array. Whether brackets match in kind is not looked at. */
static size_t nested_len(struct str from)
{
	size_t depth = 0;

	for (size_t i = 0; i < from.len; i++) {
		char c = from.ptr[i];
		if (c == '"') {
			size_t text = text_len((struct str){ from.ptr + i, from.len - i });
			if (text == 0)
				return 0;
			i += text - 1;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']') && --depth == 0) {
			return i + 1;
		}
	}
	return 0;
}

/* The same of a number or a word. */
static size_t word_len(struct str from)
{
	size_t len = 0;

	while (len < from.len && memchr(" \t\r\n,:]}\"{[", from.ptr[len], 11) == NULL)
		len++;
	return len;
}

static bool take_value(struct str *rest, struct str *ret_value)
{
	skip_space(rest);
	if (rest->len == 0)
		return false;
	char first = rest->ptr[0];
	size_t len = first == '"'		    ? text_len(*rest)
		     : first == '{' || first == '[' ? nested_len(*rest)
						    : word_len(*rest);
	if (len == 0)
		return false;
	*ret_value = (struct str){ rest->ptr, len };
	skip(rest, len);
	return true;
}

/* The next character of a member's name, consumed; -1 for one that no name we look for has. */
static int take_name_char(struct str *rest)
{
	unsigned char code[2];
	struct str hex = { rest->ptr + 2, 4 };

	if (rest->ptr[0] != '\\') {
		skip(rest, 1);
		return (unsigned char)rest->ptr[-1];
	}
	if (rest->len < 6 || rest->ptr[1] != 'u' || !encode_hex_back(hex, code, sizeof code) ||
		code[0] != 0)
		return -1;
	skip(rest, 6);
	return code[1];
}

/* "data" may as well be written "d\u0061ta". */
static bool is_name(struct str quoted, const char *name)
{
	struct str rest = { quoted.ptr + 1, quoted.len - 2 };

	while (rest.len > 0 && *name != '\0')
		if (take_name_char(&rest) != *name++)
			return false;
	return rest.len == 0 && *name == '\0';
}

struct str slice_member(struct str json, const char *name)
{
	struct str key, value, none = { NULL, 0 };
	char separator = '{';

	while (take_char(&json, separator)) {
		if (!take_value(&json, &key) || key.ptr[0] != '"' || !take_char(&json, ':') ||
			!take_value(&json, &value))
			return none;
		if (is_name(key, name))
			return value;
		separator = ',';
	}
	return none;
}

bool slice_items(struct str json, struct str *ret_items, size_t max, size_t *ret_count)
{
	struct str item;
	size_t count = 0;

	if (!take_char(&json, '['))
		return false;
	while (count > 0 || !take_char(&json, ']')) {
		if (!take_value(&json, &item))
			return false;
		if (count < max)
			ret_items[count] = item;
		count++;
		if (take_char(&json, ']'))
			break;
		if (!take_char(&json, ','))
			return false;
	}
	skip_space(&json);
	if (json.len > 0)
		return false;
	*ret_count = count;
	return true;
}
