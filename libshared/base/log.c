#include "base/log.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 4096, TAIL_BYTES = 32 };

/* The one writable state outside main: set before any thread starts, only read after. */
static struct {
	char service[32];
	char instance[64];
	enum log_level least;
} settings;

struct line {
	char text[LINE_BYTES];
	size_t len;
	bool full;
};

void log_init(const char *service, const char *instance, enum log_level least)
{
	snprintf(settings.service, sizeof settings.service, "%s", service);
	snprintf(settings.instance, sizeof settings.instance, "%s", instance);
	settings.least = least;
}

static void put(struct line *line, const char *text, size_t len)
{
	if (line->len + len > LINE_BYTES - TAIL_BYTES) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void put_escaped(struct line *line, const char *text)
{
	for (; *text != '\0' && !line->full; text++) {
		unsigned char c = (unsigned char)*text;
		char escape[8];

		if (c == '"' || c == '\\')
			snprintf(escape, sizeof escape, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			snprintf(escape, sizeof escape, "\\u%04x", c);
		else
			snprintf(escape, sizeof escape, "%c", c);
		put(line, escape, strlen(escape));
	}
}

static void put_field(struct line *line, const struct log_field *field)
{
	char number[24];
	size_t start = line->len;

	put(line, ",\"", 2);
	put_escaped(line, field->key);
	if (field->text != NULL) {
		put(line, "\":\"", 3);
		put_escaped(line, str_is_utf8(str_of(field->text)) ? field->text : "(not UTF-8)");
		put(line, "\"", 1);
	} else {
		put(line, "\":", 2);
		snprintf(number, sizeof number, "%lld", (long long)field->number);
		put(line, number, strlen(number));
	}
	if (line->full) /* a field goes in whole or not at all */
		line->len = start;
}

static void put_head(struct line *line, enum log_level level, const char *event)
{
	static const char *const levels[] = { "debug", "info", "warn", "error" };
	char now[CLOCK_TEXT_BYTES];
	const struct log_field head[] = { LOG_TEXT("level", levels[level]),
		LOG_TEXT("service", settings.service), LOG_TEXT("instance", settings.instance),
		LOG_TEXT("event", event) };

	clock_format(clock_wall_ms(), now);
	put(line, "{\"timestamp\":\"", 14);
	put(line, now, strlen(now));
	put(line, "\"", 1);
	for (size_t i = 0; i < sizeof head / sizeof *head; i++)
		put_field(line, &head[i]);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
	struct line line = { .len = 0 };

	if (level < settings.least)
		return;
	put_head(&line, level, event);
	for (; fields->key != NULL && !line.full; fields++)
		put_field(&line, fields);
	const char *tail = line.full ? ",\"truncated\":true}\n" : "}\n";
	memcpy(line.text + line.len, tail, strlen(tail));
	line.len += strlen(tail);
	ssize_t written = write(STDERR_FILENO, line.text, line.len);
	(void)written; /* nobody to tell */
}
