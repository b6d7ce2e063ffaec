/*
 * One JSON object per event on standard error, written with one write(2), at most 4 KiB. Only
 * frame/ and the programs' main files log; libraries return struct err. Never document content,
 * never a capability.
 */
#ifndef ESTEIRA_BASE_LOG_H
#define ESTEIRA_BASE_LOG_H

#include "base/err.h"

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
	const char *key;  /* NULL ends the list */
	const char *text; /* NULL: the number counts */
	int64_t number;
};

/* Process-wide settings, called once before threads start: the name and instance go into every
 * line. */
void log_init(const char *service, const char *instance, enum log_level least);

/* One line: {"timestamp","level","service","instance","event", fields...}. fields ends with key
 * NULL. Fields that do not fit are dropped and "truncated":true is added. Any thread. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* NULL is shown as the empty text. */
static inline const char *log_text(const char *text)
{
	return text == 0 ? "" : text;
}

#define LOG_TEXT(key, text)                                                                        \
	{                                                                                          \
		(key), log_text(text), 0                                                           \
	}
#define LOG_INT(key, number)                                                                       \
	{                                                                                          \
		(key), NULL, (int64_t)(number)                                                     \
	}
#define LOG(level, event, ...)                                                                     \
	log_write((level), (event), (const struct log_field[]){ __VA_ARGS__, { NULL, NULL, 0 } })

/* The fields of an error: kind, code, message. */
#define LOG_ERR(e)                                                                                 \
	LOG_TEXT("error_kind", err_kind_name((e).kind)),                                           \
		LOG_TEXT("error_code", err_code_name((e).code)), LOG_TEXT("error", (e).msg)

#endif
