/*
 * The key that authenticates cursors: the same for every replica, so it is a row of the database,
 * made with it. Read once, again and again until it is there; lists are refused until then.
 */
#ifndef ESTEIRA_INTAKE_API_CURSOR_KEY_H
#define ESTEIRA_INTAKE_API_CURSOR_KEY_H

#include "api/cursor.h"
#include "base/err.h"

struct api;
struct cursor_key;

/* Begins to read, on api->watch. Loop thread. ERR_FATAL out-of-memory. */
struct err cursor_key_open(struct api *api, struct cursor_key **ret_key) ERR_MUST_USE;

/* Loop thread; before the end of api->watch. NULL is fine. */
void cursor_key_stop(struct cursor_key *key);

/* Wipes and frees, after the end of api->watch. NULL is fine. */
void cursor_key_free(struct cursor_key *key);

/* CURSOR_KEY_BYTES; NULL when it was not read yet. Any thread. */
const uint8_t *cursor_key_bytes(const struct cursor_key *key);

#endif
