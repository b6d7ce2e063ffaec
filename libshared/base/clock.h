/*
 * The two clocks of a process. Wall time names moments (logs, events); monotonic time measures
 * spans. Leases, due times and deadlines of rows never use either: they use Postgres's now().
 */
#ifndef ESTEIRA_BASE_CLOCK_H
#define ESTEIRA_BASE_CLOCK_H

#include "base/str.h"

/* Milliseconds and microseconds since 1970-01-01T00:00:00Z. Any thread. */
int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);

/* Milliseconds and microseconds since some fixed moment before the process began. Any thread. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

enum { CLOCK_TEXT_BYTES = 25 };

/* RFC 3339 in UTC with milliseconds: 2026-11-21T08:34:00.123Z. ret_text takes CLOCK_TEXT_BYTES;
 * years outside 0..9999 are clamped. */
void clock_format(int64_t wall_ms, char *ret_text);

/* RFC 3339 with any fraction and any zone (required); false otherwise. */
bool clock_parse(struct str text, int64_t *ret_wall_ms);

#endif
