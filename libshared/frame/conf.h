/*
 * Configuration: environment variables into a struct by a table, which also prints --help and
 * docs/configuration.md. A secret may come from a file instead (NAME_FILE); both at once is an
 * error. CONF_LIVE is the kind for secrets that are renewed while we run: base/secret.h.
 */
#ifndef ESTEIRA_FRAME_CONF_H
#define ESTEIRA_FRAME_CONF_H

#include "base/arena.h"
#include "base/err.h"

#include <stdio.h>

enum conf_kind {
	CONF_TEXT,   /* const char * */
	CONF_SECRET, /* const char *, also from NAME_FILE, never printed */
	CONF_LIVE, /* struct secret *, the same, and read again when the file changes; NULL when it
		    * is not set and may stay empty */
	CONF_INT,  /* int64_t between min and max */
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

static inline bool conf_is_secret(const struct conf_item *item)
{
	return item->kind == CONF_SECRET || item->kind == CONF_LIVE;
}

/* Fills base from the environment; texts live in arena. ERR_FATAL bad-config names the variable.
 * Main thread, before others start. */
struct err conf_read(const struct conf_item *items, struct arena *arena, void *base) ERR_MUST_USE;

/* Takes the secrets out of the environment, so that neither a child nor /proc/PID/environ has them.
 * After conf_read; main thread, before others start. */
void conf_forget(const struct conf_item *items);

/* One log line for each CONF_LIVE whose file brought another value or cannot be used any more.
 * base: as filled by conf_read. */
void conf_log_news(const struct conf_item *items, const void *base);

/* The table as aligned text (--help), as rows of a Markdown table, or as NAME=value lines with
 * secrets redacted. items ends with name NULL. */
void conf_help(const struct conf_item *items, FILE *out);
void conf_markdown(const struct conf_item *items, FILE *out);
void conf_print(const struct conf_item *items, const void *base, FILE *out);

#endif
