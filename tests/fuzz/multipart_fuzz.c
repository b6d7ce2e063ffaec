/*
 * A multipart body, parsed in one piece and in pieces cut at random: same file, fields and failure.
 * The first byte of the input seeds the cuts; an input that starts with a space is a Content-Type
 * too.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/multipart.h"

enum { LOG_MAX_BYTES = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	struct buf file;
	struct buf fields;
};

static struct err on_file(void *arg, struct str bytes)
{
	struct seen *seen = arg;

	buf_add_str(&seen->file, bytes);
	return err_ok();
}

static struct err on_field(void *arg, struct str name, struct str value)
{
	struct seen *seen = arg;

	buf_addf(&seen->fields, "%zu %zu ", name.len, value.len);
	buf_add_str(&seen->fields, name);
	buf_add_str(&seen->fields, value);
	return err_ok();
}

static const struct multipart_events events = { on_file, on_field };

static enum err_code run(const uint8_t *data, size_t size, unsigned seed, struct seen *seen)
{
	struct multipart *multipart = NULL;
	struct err e =
		multipart_new(STR("multipart/form-data; boundary=B-"), &events, seen, &multipart);

	while (size > 0 && e.kind == ERR_OK) {
		seed = seed * 1103515245 + 12345;
		size_t len = seed == 12345 ? size : (seed >> 16) % 7 + 1;
		len = len > size ? size : len;
		/* an exact copy, so that a sanitizer sees a read past the piece */
		char *copy = malloc(len);
		if (copy == NULL)
			break;
		memcpy(copy, data, len);
		e = multipart_feed(multipart, (struct str){ copy, len });
		free(copy);
		data += len;
		size -= len;
	}
	if (e.kind == ERR_OK)
		e = multipart_end(multipart);
	multipart_free(multipart);
	return e.kind == ERR_OK ? ERR_CODE_NONE : e.code;
}

static void try_content_type(const uint8_t *data, size_t size)
{
	struct multipart *multipart = NULL;
	struct str type = { (const char *)data, size };

	if (multipart_new(type, &events, NULL, &multipart).kind == ERR_OK && !multipart_is(type))
		abort();
	multipart_free(multipart);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { BUF(LOG_MAX_BYTES), BUF(LOG_MAX_BYTES) };
	struct seen cut = { BUF(LOG_MAX_BYTES), BUF(LOG_MAX_BYTES) };

	if (size < 1)
		return 0;
	if (data[0] == ' ')
		try_content_type(data + 1, size - 1);
	enum err_code a = run(data + 1, size - 1, 0, &whole);
	enum err_code b = run(data + 1, size - 1, 1u + data[0], &cut);
	if (a != b || !str_eq(buf_str(&whole.file), buf_str(&cut.file)) ||
		!str_eq(buf_str(&whole.fields), buf_str(&cut.fields)))
		abort();
	buf_done(&whole.file);
	buf_done(&whole.fields);
	buf_done(&cut.file);
	buf_done(&cut.fields);
	return 0;
}
