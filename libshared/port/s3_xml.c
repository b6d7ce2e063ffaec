#include "port/s3_xml.h"

#include <string.h>

/* Where the tag <name or </name ends its name, at or after text; NULL when there is none. */
static const char *find_tag(struct str text, struct str open, const char *name)
{
	size_t name_len = strlen(name);
	const char *end = text.ptr + text.len;
	const char *at = text.ptr;

	while (at < end) {
		at = memmem(at, (size_t)(end - at), open.ptr, open.len);
		if (at == NULL || (size_t)(end - at) <= open.len + name_len)
			return NULL;
		const char *after = at + open.len + name_len;
		if (memcmp(at + open.len, name, name_len) == 0 &&
			memchr("> \t\r\n/", *after, 6) != NULL)
			return at;
		at++;
	}
	return NULL;
}

bool s3_xml_find(struct str text, const char *name, struct str *ret_inner, struct str *rest)
{
	if (text.len == 0)
		return false;
	const char *end = text.ptr + text.len;
	const char *open = find_tag(text, STR("<"), name);
	const char *start = open == NULL ? NULL : memchr(open, '>', (size_t)(end - open));

	if (start == NULL)
		return false;
	bool is_empty = start[-1] == '/';
	start++;
	struct str tail = { start, (size_t)(end - start) };
	const char *close = is_empty ? start : find_tag(tail, STR("</"), name);
	if (close == NULL)
		return false;
	const char *after = is_empty ? start : close + strlen(name) + 2;
	*ret_inner = (struct str){ start, (size_t)(close - start) };
	if (rest != NULL)
		*rest = (struct str){ after, (size_t)(end - after) };
	return true;
}

bool s3_xml_is(struct str text, const char *name, struct str expected)
{
	struct str inner;

	return s3_xml_find(text, name, &inner, NULL) && str_eq(inner, expected);
}

/* UTF-8 of a code point; 0 for one that cannot be. */
static size_t put_utf8(uint32_t code, char *out)
{
	if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	for (size_t i = len - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	out[0] = (char)(leads[len] | code);
	return len;
}

/* "13" or "xd" of &#13; and &#xd; */
static uint32_t char_number(struct str digits)
{
	bool is_hex = str_starts(digits, STR("x"));
	uint32_t base = is_hex ? 16 : 10;
	uint32_t code = 0;

	for (size_t i = is_hex ? 1 : 0; i < digits.len; i++) {
		static const char known[] = "0123456789abcdef";
		char c = digits.ptr[i];
		char folded = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
		const char *at = memchr(known, folded, base);

		if (at == NULL || code > 0x10ffff)
			return 0;
		code = code * base + (uint32_t)(at - known);
	}
	return code;
}

/* One entity without & and ; -> bytes at out; 0 when unknown. */
static size_t put_entity(struct str name, char *out)
{
	static const struct {
		struct str name;
		char c;
	} known[] = {
		{ { "amp", 3 }, '&' },
		{ { "lt", 2 }, '<' },
		{ { "gt", 2 }, '>' },
		{ { "quot", 4 }, '"' },
		{ { "apos", 4 }, '\'' },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (str_eq(name, known[i].name)) {
			*out = known[i].c;
			return 1;
		}
	}
	if (!str_starts(name, STR("#")))
		return 0;
	return put_utf8(char_number((struct str){ name.ptr + 1, name.len - 1 }), out);
}

const char *s3_xml_text(struct str raw, struct arena *arena)
{
	char *text = arena_alloc(arena, raw.len + 1); /* entities only shrink */
	size_t len = 0;

	if (text == NULL)
		return NULL;
	while (raw.len > 0) {
		struct str tail = { raw.ptr + 1, raw.len - 1 };
		struct str after;

		if (raw.ptr[0] != '&') {
			text[len++] = raw.ptr[0];
			raw = tail;
			continue;
		}
		struct str name = str_cut(tail, ';', &after);
		size_t put = after.ptr == NULL ? 0 : put_entity(name, text + len);
		if (put == 0)
			return NULL;
		len += put;
		raw = after;
	}
	text[len] = '\0';
	return text;
}
