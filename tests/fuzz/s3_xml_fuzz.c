/*
 * What a storage answers, taken apart as port/s3_list does: whatever is found lies inside of what
 * was given, and text with its entities resolved is never longer than it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "port/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static bool is_inside(struct str part, struct str whole)
{
	return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

static void read_text(struct str raw)
{
	struct arena *arena = arena_new(raw.len + 4096);

	must(arena != NULL);
	const char *text = s3_xml_text(raw, arena);
	must(text == NULL || strlen(text) <= raw.len);
	arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "Key", "Size", "LastModified", "IsTruncated", "Code" };
	/* an exact copy, so that a sanitizer sees a read past the end */
	char *exact = malloc(size + (size == 0));
	struct str rest = { exact, size }, inner, part;

	must(exact != NULL);
	memcpy(exact, data, size);
	const struct str whole = rest;
	read_text(whole);
	while (s3_xml_find(rest, "Contents", &inner, &rest)) {
		must(is_inside(inner, whole) && is_inside(rest, whole));
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (s3_xml_find(inner, names[i], &part, NULL)) {
				must(is_inside(part, inner));
				must(s3_xml_is(inner, names[i], part));
				read_text(part);
			}
	}
	free(exact);
	return 0;
}
