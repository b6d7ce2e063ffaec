/*
 * How many requests somebody made within the last minute, in this process alone: what limits when
 * Redis cannot be asked, and beside Redis for a minute after. Counted by the second, a second
 * counts until it is wholly 60 s old, so in no 60 s more than the limit pass. Memory is bounded:
 * whoever was not seen for longest makes room. Loop thread only.
 */
#ifndef ESTEIRA_INTAKE_API_WINDOW_H
#define ESTEIRA_INTAKE_API_WINDOW_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	WINDOW_S = 60,
	WINDOW_KEY_BYTES = 32,
	WINDOW_COUNTERS = 1024, /* kept at most */
};

struct window;

/* What is said of one request. */
struct window_verdict {
	bool passed;
	int64_t left;	  /* that would pass now, after this one */
	int64_t wait_ms;  /* until one passes; 0 when one would now */
	int64_t reset_ms; /* until the oldest that counts no longer does; 0: none counts */
};

/* NULL without memory. */
struct window *window_new(void);
void window_free(struct window *window); /* NULL is fine */

/* Counts a request of key (WINDOW_KEY_BYTES) if fewer than limit (at least 1) of it count. now_ms:
 * a clock that does not go back. */
struct window_verdict window_take(
	struct window *window, const uint8_t *key, int64_t limit, int64_t now_ms);

/* Counts one that passed elsewhere, without asking. */
void window_note(struct window *window, const uint8_t *key, int64_t now_ms);

/* Takes back one that window_take counted at taken_ms: it was refused elsewhere. */
void window_return(struct window *window, const uint8_t *key, int64_t taken_ms, int64_t now_ms);

#endif
