/*
 * What a program would be told by its environment, and what is wrong with it: every setting with
 * its value (a secret: only where it is from and how large it is), what cannot be used (errors),
 * and what somebody will be sorry about (warnings): a secret that others may read, a name nobody
 * reads, a wire in the clear. Nothing is connected to and nothing is changed. Main thread.
 */
#ifndef ESTEIRA_FRAME_CONF_CHECK_H
#define ESTEIRA_FRAME_CONF_CHECK_H

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "frame/conf.h"

struct conf_check;

/* program: as the report names it, borrowed. All memory is the arena's. ERR_REJECT
 * record-too-large. */
struct err conf_check_new(struct arena *arena, const char *program, struct conf_check **ret_check)
	ERR_MUST_USE;

/* Adds the settings of a table; call it for each, before the next two. */
struct err conf_check_table(struct conf_check *check, const struct conf_item *items) ERR_MUST_USE;

/* An error that no setting has alone. ERR_OK adds nothing. */
struct err conf_check_error(struct conf_check *check, struct err e) ERR_MUST_USE;

/* Warns of every ESTEIRA_ name of the environment that no table has. */
struct err conf_check_strangers(struct conf_check *check) ERR_MUST_USE;

/* How many errors there are. */
size_t conf_check_errors(const struct conf_check *check);

/* The report as aligned text, or as one JSON object. */
struct err conf_check_print(const struct conf_check *check, bool json, FILE *out) ERR_MUST_USE;

/* How many letters have to be changed, added or left out to make b of a. For the test. */
unsigned conf_check_distance(const char *a, const char *b);

#endif
