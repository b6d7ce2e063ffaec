#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct str str_of(const char *text)
{
	return (struct str){ text, text == NULL ? 0 : strlen(text) };
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* not strncasecmp, which ends at a NUL and follows the locale */
bool str_ieq(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (fold(a.ptr[i]) != fold(b.ptr[i]))
			return false;
	return true;
}

bool str_starts(struct str text, struct str prefix)
{
	return text.len >= prefix.len && str_eq((struct str){ text.ptr, prefix.len }, prefix);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str text)
{
	while (text.len > 0 && is_blank(text.ptr[0])) {
		text.ptr++;
		text.len--;
	}
	while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

struct str str_cut(struct str text, char sep, struct str *rest)
{
	const char *at = text.len == 0 ? NULL : memchr(text.ptr, sep, text.len);

	if (at == NULL) {
		*rest = (struct str){ NULL, 0 };
		return text;
	}
	size_t head = (size_t)(at - text.ptr);
	*rest = (struct str){ at + 1, text.len - head - 1 };
	return (struct str){ text.ptr, head };
}

bool str_to_u64(struct str text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(text.ptr[i] - '0');
		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return true;
}

/* The length of the sequence that starts at p, or 0 when it is not well-formed (RFC 3629 section
 * 4). */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char lead_min, lead_max, second_min, second_max;
		size_t len;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (*p < forms[i].lead_min || *p > forms[i].lead_max)
			continue;
		if (forms[i].len > left)
			return 0;
		if (forms[i].len > 1 && (p[1] < forms[i].second_min || p[1] > forms[i].second_max))
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

bool str_is_utf8(struct str text)
{
	size_t at = 0;

	while (at < text.len) {
		size_t len = utf8_sequence((const unsigned char *)text.ptr + at, text.len - at);
		if (len == 0)
			return false;
		at += len;
	}
	return true;
}

static bool is_obeyed(const unsigned char *c, size_t len)
{
	if (len == 1)
		return *c < 0x20 || *c == 0x7f;
	if (len == 2)
		return *c == 0xc2 && c[1] < 0xa0;
	if (len != 3 || *c != 0xe2)
		return false;
	return (c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) ||
	       (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

bool str_is_line(struct str text)
{
	for (size_t at = 0, len; at < text.len; at += len) {
		const unsigned char *c = (const unsigned char *)text.ptr + at;

		len = utf8_sequence(c, text.len - at);
		if (len == 0 || is_obeyed(c, len))
			return false;
	}
	return true;
}

void buf_done(struct buf *buf)
{
	free(buf->ptr);
	*buf = BUF(buf->max);
}

static void buf_empty(struct buf *buf)
{
	buf->len = 0;
	if (buf->ptr != NULL)
		buf->ptr[0] = '\0';
}

void buf_clear(struct buf *buf)
{
	buf_empty(buf);
	buf->overflow = false;
}

/* Room for len more bytes and the NUL. */
static bool buf_reserve(struct buf *buf, size_t len)
{
	if (buf->overflow || len > buf->max || buf->len > buf->max - len) {
		buf->overflow = true;
		return false;
	}
	size_t need = buf->len + len + 1;
	if (need <= buf->cap)
		return true;
	size_t cap = buf->cap < 128 ? 128 : buf->cap * 2;
	if (cap < need)
		cap = need;
	if (cap > buf->max + 1)
		cap = buf->max + 1;
	char *ptr = realloc(buf->ptr, cap);
	if (ptr == NULL) {
		buf->overflow = true;
		return false;
	}
	buf->ptr = ptr;
	buf->cap = cap;
	return true;
}

void *buf_extend(struct buf *buf, size_t len)
{
	if (!buf_reserve(buf, len))
		return NULL;
	void *room = buf->ptr + buf->len;
	buf->len += len;
	buf->ptr[buf->len] = '\0';
	return room;
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	if (!buf_reserve(buf, len))
		return;
	if (len > 0)
		memcpy(buf->ptr + buf->len, data, len);
	buf->len += len;
	buf->ptr[buf->len] = '\0';
}

void buf_add_str(struct buf *buf, struct str text)
{
	buf_add(buf, text.ptr, text.len);
}

void buf_addf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !buf_reserve(buf, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
}

struct str buf_str(const struct buf *buf)
{
	return (struct str){ buf->ptr, buf->len };
}

void buf_skip(struct buf *buf, size_t len)
{
	if (len >= buf->len) {
		buf_empty(buf);
		return;
	}
	memmove(buf->ptr, buf->ptr + len, buf->len - len + 1);
	buf->len -= len;
}

char *buf_take(struct buf *buf)
{
	char *ptr = buf->ptr;

	*buf = BUF(buf->max);
	return ptr;
}

struct err buf_check(const struct buf *buf)
{
	if (buf->overflow)
		return err_reject(ERR_CODE_RECORD_TOO_LARGE, "the text is longer than its ceiling");
	return err_ok();
}
