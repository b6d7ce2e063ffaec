#include "lines.h"

#include <string.h>

static void tell(struct lines *lines)
{
	if (!lines->full)
		lines->fn(lines->arg, (struct str){ lines->held, lines->len });
	lines->len = 0;
	lines->full = false;
}

static void hold(struct lines *lines, struct str part)
{
	size_t room = LINES_MAX - lines->len;

	if (lines->full || part.len == 0)
		return;
	size_t len = part.len < room ? part.len : room;
	memcpy(lines->held + lines->len, part.ptr, len);
	lines->len += len;
	if (part.len > room) {
		tell(lines);
		lines->full = true;
	}
}

void lines_feed(struct lines *lines, struct str bytes)
{
	while (bytes.len > 0) {
		const char *end = memchr(bytes.ptr, '\n', bytes.len);
		size_t len = end == NULL ? bytes.len : (size_t)(end - bytes.ptr);
		hold(lines, (struct str){ bytes.ptr, len });
		if (end == NULL)
			return;
		tell(lines);
		bytes.ptr += len + 1;
		bytes.len -= len + 1;
	}
}

void lines_end(struct lines *lines)
{
	if (lines->len > 0 || lines->full)
		tell(lines);
}
