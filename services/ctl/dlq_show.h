/*
 * What an operator sees of one dead letter: where from, why, which headers, how large. Never what a
 * payload says, and of headers only those that our own envelope defines as plain: the rest may be
 * anybody's data, or open something.
 */
#ifndef ESTEIRA_CTL_DLQ_SHOW_H
#define ESTEIRA_CTL_DLQ_SHOW_H

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "store_dlq.h"

/* Prints for people, or as one JSON object. Failures: codec_write, an arena that is full. */
struct err dlq_show_print(struct arena *arena, const struct store_dlq_letter *letter,
	const struct store_dlq_detail *detail, bool json, FILE *out) ERR_MUST_USE;

/* Whether the value of a header may be shown. PURE. */
bool dlq_show_may(const char *name, struct str value);

#endif
