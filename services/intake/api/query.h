/*
 * What lists have in common: their query parameters.
 */
#ifndef ESTEIRA_INTAKE_API_QUERY_H
#define ESTEIRA_INTAKE_API_QUERY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct web_exchange;

enum { QUERY_LIMIT = 50, QUERY_LIMIT_MAX = 200 };

/* A parameter into text of size bytes; "" when absent. False: empty or too long. */
bool query_text(struct web_exchange *exchange, const char *name, char *ret_text, size_t size);

/* The same, and it must be one of the words (ended by NULL) when it is there. */
bool query_word(struct web_exchange *exchange, const char *name, const char *const *words,
	char *ret_text, size_t size);

/* "limit", QUERY_LIMIT when absent. ERR_REJECT bad-parameter. */
struct err query_limit(struct web_exchange *exchange, uint64_t *ret_limit) ERR_MUST_USE;

#endif
