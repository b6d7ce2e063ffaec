/*
 * estctl: the operator's command line. Each noun is a file with a table of its commands; this one
 * finds the command, reads its settings, runs it and says what went wrong and what to do.
 */
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "acl.h"
#include "command.h"
#include "config.h"
#include "dlq.h"
#include "groups.h"
#include "key.h"
#include "partner.h"
#include "plan.h"
#include "replay.h"
#include "rewrap.h"
#include "tenant.h"
#include "tenant_life.h"
#include "topics.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum { ARENA_BYTES = 64 << 20 };

static const struct command *const tables[] = { topics_commands, acl_commands, tenant_commands,
	tenant_life_commands, key_commands, partner_commands, plan_commands, groups_commands,
	dlq_commands, replay_commands, rewrap_commands, config_commands, NULL };

/* What a person can do about it. */
static const struct {
	enum err_code code;
	const char *remedy;
} remedies[] = {
	{ ERR_CODE_BAD_PARAMETER, "see --help of the command" },
	{ ERR_CODE_BAD_CONFIG, "estctl config list shows every setting" },
	{ ERR_CODE_NOT_FOUND,
		"estctl tenant list, key list, partner list and plan list show what there is" },
	{ ERR_CODE_BAD_TRANSITION, "nothing: the tenant's state does not allow it" },
	{ ERR_CODE_POSTGRES_AWAY,
		"check that the server runs and that ESTEIRA_PG_OWNER_URL names its address, a "
		"role and the right password" },
	{ ERR_CODE_KAFKA_AWAY,
		"check that the brokers run and that ESTEIRA_KAFKA_BROKERS names them" },
	{ ERR_CODE_KAFKA_DENIED,
		"check ESTEIRA_KAFKA_CERT_FILE or ESTEIRA_KAFKA_SASL_USER and what that principal "
		"may do (estctl acl list)" },
	{ ERR_CODE_SECRET_MISSING,
		"check that the file of ESTEIRA_SEAL_MASTER_FILE exists and that this user may "
		"read it" },
	{ ERR_CODE_KEYS_AWAY,
		"check that the service of ESTEIRA_SEAL_TRANSIT_URL runs, is unsealed "
		"and can be reached" },
	{ ERR_CODE_KEYS_REFUSED,
		"check the token, mount and key of ESTEIRA_SEAL_TRANSIT_... (docs/keys.md)" },
	{ ERR_CODE_KEY_NEEDED, "wait until that is over, and run it again" },
	{ ERR_CODE_UNDECRYPTABLE,
		"name the master key that wrapped it, in ESTEIRA_SEAL_MASTER_OLD_FILE "
		"(docs/keys.md)" },
	{ ERR_CODE_INTERNAL,
		"check that the migrations are deployed (docs/database.md) and that the role may "
		"write to schema intake" },
};

static const char *remedy_of(enum err_code code)
{
	for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
		if (remedies[i].code == code)
			return remedies[i].remedy;
	return "run it again";
}

static int fail(struct err e, int code)
{
	fprintf(stderr, "estctl: %s: %s\nestctl: what to do: %s\n", err_code_name(e.code), e.msg,
		remedy_of(e.code));
	return code;
}

static int run(struct arena *arena, const struct command *command, int argc, char **argv)
{
	struct config config;
	struct command_call call = { .command = command, .arena = arena, .config = &config };
	struct err e = command_parse(&call, argc, argv);

	if (e.kind == ERR_OK)
		e = config_read(command->settings, arena, &config);
	if (e.kind != ERR_OK)
		return fail(e, EXIT_USAGE);
	e = command->run(&call);
	if (e.kind != ERR_OK)
		return fail(e, e.code == ERR_CODE_BAD_PARAMETER ? EXIT_USAGE : EXIT_FAILED);
	if (fflush(stdout) == 0)
		return EXIT_DONE;
	return fail(err_fatal(ERR_CODE_INTERNAL, "the output could not be written"), EXIT_FAILED);
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

/* *ret_words: how many arguments name it. NULL: none is named. */
static const struct command *find_command(int argc, char **argv, int *ret_words)
{
	bool verb = argc > 2 && argv[2][0] != '-';

	*ret_words = verb ? 3 : 2;
	if (verb)
		return command_find(tables, argv[1], argv[2]);
	return argc < 2 ? NULL : command_find_only(tables, argv[1]);
}

int main(int argc, char **argv)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(ARENA_BYTES);
	int words;
	const struct command *command = find_command(argc, argv, &words);

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("estctl %s\n", ESTEIRA_VERSION);
		return EXIT_DONE;
	}
	if (wants_help(argc, argv)) {
		if (command == NULL)
			command_help_all(tables, argv[1][0] == '-' ? NULL : argv[1], stdout);
		else
			command_help(command, stdout);
		return EXIT_DONE;
	}
	if (command == NULL || arena == NULL) {
		command_help_all(tables, NULL, stderr);
		return EXIT_USAGE;
	}
	return run(arena, command, argc - words, argv + words);
}
