#include "command.h"

#include <assert.h>
#include <string.h>

#include "config.h"

const struct command *command_find(
	const struct command *const *tables, const char *noun, const char *verb)
{
	for (; *tables != NULL; tables++)
		for (const struct command *c = *tables; c->noun != NULL; c++)
			if (strcmp(c->noun, noun) == 0 && strcmp(c->verb, verb) == 0)
				return c;
	return NULL;
}

const struct command *command_find_only(const struct command *const *tables, const char *noun)
{
	for (; *tables != NULL; tables++)
		if ((*tables)->noun != NULL && strcmp((*tables)->noun, noun) == 0)
			return (*tables)[1].noun == NULL ? *tables : NULL;
	return NULL;
}

/* --- arguments --- */

static struct err bad(struct command_call *call, const char *why, struct str argument)
{
	const char *msg =
		arena_printf(call->arena, "%s: %.*s", why, (int)argument.len, argument.ptr);

	return err_reject(ERR_CODE_BAD_PARAMETER, msg == NULL ? why : msg);
}

/* The position of an option, or -1. */
static int find_option(const struct command *command, struct str name)
{
	const struct command_option *options = command->options;

	for (int i = 0; options != NULL && options[i].name != NULL; i++)
		if (str_eq(str_of(options[i].name), name))
			return i;
	return -1;
}

/* Takes argv[0], and argv[1] when that is its value; *ret_used says how many. */
static struct err take_option(struct command_call *call, int argc, char *const *argv, int *ret_used)
{
	struct str value, name = str_cut(str_of(argv[0]), '=', &value);
	bool joined = name.len < strlen(argv[0]);
	int at = find_option(call->command, name);

	if (at < 0)
		return bad(call, "no such option", name);
	if (call->values[at] != NULL)
		return bad(call, "given twice", name);
	if (call->command->options[at].value == NULL && joined)
		return bad(call, "takes no value", name);
	if (call->command->options[at].value != NULL && !joined && argc < 2)
		return bad(call, "needs a value", name);
	*ret_used = call->command->options[at].value == NULL || joined ? 1 : 2;
	if (call->command->options[at].value == NULL)
		call->values[at] = "";
	else
		call->values[at] = joined ? value.ptr : argv[1];
	return err_ok();
}

static struct err check_complete(struct command_call *call)
{
	const struct command *command = call->command;

	if (command->operand != NULL && call->operand == NULL)
		return bad(call, "missing", str_of(command->operand));
	for (int i = 0; command->options != NULL && command->options[i].name != NULL; i++)
		if (command->options[i].required && call->values[i] == NULL)
			return bad(call, "missing", str_of(command->options[i].name));
	return err_ok();
}

struct err command_parse(struct command_call *call, int argc, char *const *argv)
{
	for (int i = 0; i < argc;) {
		int used = 1;
		if (strncmp(argv[i], "--", 2) == 0)
			TRY(take_option(call, argc - i, argv + i, &used));
		else if (call->command->operand == NULL || call->operand != NULL)
			return bad(call, "one argument too many", str_of(argv[i]));
		else
			call->operand = argv[i];
		i += used;
	}
	return check_complete(call);
}

const char *command_value(const struct command_call *call, const char *name)
{
	int at = find_option(call->command, str_of(name));

	assert(at >= 0);
	return call->values[at];
}

bool command_id(const char *text, struct id *ret_id)
{
	struct id id;

	if (!id_parse(str_of(text), &id) || id_is_nil(id))
		return false;
	*ret_id = id;
	return true;
}

/* --- help --- */

static void print_usage(const struct command *command, FILE *out)
{
	fprintf(out, "estctl %s %s", command->noun, command->verb);
	if (command->operand != NULL)
		fprintf(out, " %s", command->operand);
	for (const struct command_option *o = command->options; o != NULL && o->name != NULL; o++)
		fprintf(out, o->required ? " %s%s%s" : " [%s%s%s]", o->name,
			o->value == NULL ? "" : " ", o->value == NULL ? "" : o->value);
}

void command_help(const struct command *command, FILE *out)
{
	fputs("usage: ", out);
	print_usage(command, out);
	fprintf(out, "\n%s\n", command->help);
	if (command->options != NULL)
		fputs("options:\n", out);
	for (const struct command_option *o = command->options; o != NULL && o->name != NULL; o++)
		fprintf(out, "  %s %s\n      %s\n", o->name, o->value == NULL ? "" : o->value,
			o->help);
	if (command->settings != 0)
		fputs("environment:\n", out);
	config_help(command->settings, out);
}

void command_help_all(const struct command *const *tables, const char *noun, FILE *out)
{
	fputs("usage: estctl NOUN VERB [arguments]\n\n", out);
	for (; *tables != NULL; tables++) {
		for (const struct command *c = *tables; c->noun != NULL; c++) {
			if (noun != NULL && strcmp(c->noun, noun) != 0)
				continue;
			fputs("  ", out);
			print_usage(c, out);
			fprintf(out, "\n      %s\n", c->help);
		}
	}
	fputs("\n  estctl NOUN VERB --help   shows options and settings of one command\n"
	      "  estctl --version\n\n"
	      "Exit code: 0 done, 1 failed, 2 wrong usage or configuration.\n",
		out);
}
