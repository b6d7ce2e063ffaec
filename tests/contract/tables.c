/*
 * A service's event tables as JSON, and its codec on standard input: what
 * tests/contract/test_events.py holds against schemas/. Built once per service, because each calls
 * its tables events_all().
 *
 *   contract-tables-SERVICE                      every type with its fields
 *   contract-tables-SERVICE TYPE jobs|topic      reads a payload, writes what the codec makes of it
 *
 * Exit code: 0, 1 (the codec refuses; why is on standard error), 2 usage.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "model/codec.h"

enum { PAYLOAD_MAX = 256 * 1024, ARENA_BYTES = 1 << 20 };

const struct codec_type *const *events_all(void);

static const char *const kinds[] = {
	[CODEC_TEXT] = "text",
	[CODEC_INT] = "int",
	[CODEC_REAL] = "real",
	[CODEC_BOOL] = "bool",
	[CODEC_ID] = "id",
	[CODEC_TIME] = "time",
	[CODEC_OBJECT] = "object",
	[CODEC_LIST] = "list",
};

static const char *const classes[] = {
	[CODEC_PLAIN] = "plain",
	[CODEC_PERSONAL] = "personal",
	[CODEC_CAPABILITY] = "capability",
	[CODEC_CONTENT] = "content",
};

static void print_fields(const struct codec_type *type)
{
	putchar('[');
	for (const struct codec_field *f = type->fields; f->name != NULL; f++) {
		printf("%s\n{\"name\":\"%s\",\"kind\":\"%s\",\"class\":\"%s\",\"required\":%s,"
		       "\"max\":%zu",
			f == type->fields ? "" : ",", f->name, kinds[f->kind], classes[f->class],
			f->required ? "true" : "false", f->max);
		if (f->item != NULL) {
			fputs(",\"fields\":", stdout);
			print_fields(f->item);
		}
		putchar('}');
	}
	putchar(']');
}

static int print_all(void)
{
	const struct codec_type *const *types = events_all();

	putchar('{');
	for (size_t i = 0; types[i] != NULL; i++) {
		printf("%s\"%s\":", i == 0 ? "" : ",\n", types[i]->name);
		print_fields(types[i]);
	}
	puts("}");
	return 0;
}

static const struct codec_type *find(const char *name)
{
	for (const struct codec_type *const *types = events_all(); *types != NULL; types++)
		if (strcmp((*types)->name, name) == 0)
			return *types;
	return NULL;
}

static struct err there_and_back(
	const struct codec_type *type, enum codec_sink sink, struct arena *arena, struct buf *out)
{
	char *json = arena_alloc(arena, PAYLOAD_MAX);
	void *value = arena_alloc(arena, type->size);

	if (json == NULL || value == NULL)
		return arena_overflow();
	size_t len = fread(json, 1, PAYLOAD_MAX, stdin);
	TRY(codec_read(type, (struct str){ json, len }, arena, value));
	return codec_write(type, value, sink, out);
}

int main(int argc, char **argv)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(ARENA_BYTES);
	struct buf out SCOPED(buf_done) = BUF(PAYLOAD_MAX);
	const struct codec_type *type = argc == 3 ? find(argv[1]) : NULL;

	if (argc == 1)
		return print_all();
	if (type == NULL || arena == NULL)
		return 2;
	enum codec_sink sink = strcmp(argv[2], "jobs") == 0 ? CODEC_TO_JOBS : CODEC_TO_TOPIC;
	struct err e = there_and_back(type, sink, arena, &out);
	if (e.kind == ERR_OK)
		puts(out.ptr);
	else
		fprintf(stderr, "%s: %s\n", err_code_name(e.code), e.msg);
	return e.kind == ERR_OK ? 0 : 1;
}
