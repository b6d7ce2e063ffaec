/*
 * The command line as a table: a command is a noun, a verb, at most one operand and some options.
 * Arguments are parsed and --help is printed from the table alone, so what is documented is what is
 * taken. Main thread.
 */
#ifndef ESTEIRA_CTL_COMMAND_H
#define ESTEIRA_CTL_COMMAND_H

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"

enum { COMMAND_OPTIONS_MAX = 16 };

struct command_option {
	const char *name;  /* "--deadline"; NULL ends the list */
	const char *value; /* "SECONDS"; NULL = a flag */
	bool required;
	const char *help;
};

struct command_call;
struct config;

struct command {
	const char *noun; /* NULL ends a table */
	const char *verb;
	const char *operand;		      /* "SLUG"; NULL = none */
	const struct command_option *options; /* NULL = none */
	unsigned settings;		      /* CONFIG_..., read before run */
	const char *help;		      /* one sentence */
	struct err (*run)(const struct command_call *call);
};

/* A command with its arguments; everything borrowed. */
struct command_call {
	const struct command *command;
	struct arena *arena;
	const struct config *config;
	const char *operand;
	const char *values[COMMAND_OPTIONS_MAX]; /* in the order of the options; a flag is "" */
};

/* The command of a noun and a verb in a NULL-ended list of tables, or NULL. */
const struct command *command_find(
	const struct command *const *tables, const char *noun, const char *verb);

/* The command of a noun that has only one, which may be called without its verb; else NULL. */
const struct command *command_find_only(const struct command *const *tables, const char *noun);

/* Fills operand and values from the arguments behind the verb. "--name value" and "--name=value"
 * are the same. ERR_REJECT bad-parameter names the argument; the message lives in call->arena. */
struct err command_parse(struct command_call *call, int argc, char *const *argv) ERR_MUST_USE;

/* The value of an option, "" for a flag that was given; NULL when it was not. The command has it.
 */
const char *command_value(const struct command_call *call, const char *name);

/* A UUID of the command line that is somebody's: in a filter the nil one would mean any. False:
 * *ret_id is left alone. */
bool command_id(const char *text, struct id *ret_id);

/* --help of one command; of all, or of a noun's alone. */
void command_help(const struct command *command, FILE *out);
void command_help_all(const struct command *const *tables, const char *noun, FILE *out);

#endif
