/*
 * Configuration: environment variables into a struct by a table, which also prints --help and
 * docs/configuration.md. A secret may come from a file instead (NAME_FILE); both at once is an
 * error.
 */
#ifndef ESTEIRA_FRAME_CONF_H
#define ESTEIRA_FRAME_CONF_H

#include "base/arena.h"
#include "base/err.h"

#include <stdio.h>

enum conf_kind {
	CONF_TEXT,   /* const char * */
	CONF_SECRET, /* const char *, also from NAME_FILE, never printed */
	CONF_INT,    /* int64_t between min and max */
	CONF_CHOICE, /* const char *, one of the words in choices ("require|best-effort") */
};

struct conf_item {
	const char *name; /* ESTEIRA_<SECTION>_<NAME> */
	enum conf_kind kind;
	size_t offset;
	const char *initial; /* NULL = must be set; "" = may stay empty */
	int64_t min, max;    /* CONF_INT */
	const char *choices; /* CONF_CHOICE */
	const char *help;    /* one sentence with the unit */
};

/* Fills base from the environment; texts live in arena. ERR_FATAL bad-config names the variable.
 * Main thread, before others start. */
struct err conf_read(const struct conf_item *items, struct arena *arena, void *base) ERR_MUST_USE;

/* The table as aligned text (--help), as rows of a Markdown table, or as NAME=value lines with
 * secrets redacted. items ends with name NULL. */
void conf_help(const struct conf_item *items, FILE *out);
void conf_markdown(const struct conf_item *items, FILE *out);
void conf_print(const struct conf_item *items, const void *base, FILE *out);

#endif
