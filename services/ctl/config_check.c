#include "config_check.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "frame/conf_check.h"

const struct command_option config_check_options[] = {
	{ "--service", "NAME", false,
		"The settings of esteira-NAME (intake, ocr, audit, outreach); default estctl's "
		"own." },
	{ "--json", NULL, false, "One JSON object." },
	{ NULL, NULL, false, NULL },
};

/* Only a word, as it becomes part of a path. */
static bool is_word(const char *name)
{
	return *name != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name);
}

static struct err ask_service(const struct command_call *call, const char *name)
{
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);

	if (!is_word(name) || len <= 0)
		return err_reject(ERR_CODE_BAD_PARAMETER, "--service is the name of a service");
	own[len] = '\0';
	*strrchr(own, '/') = '\0';
	char *path = arena_printf(call->arena, "%s/esteira-%s", own, name);
	if (path == NULL)
		return arena_overflow();
	char *argv[] = { path, "--check-config",
		command_value(call, "--json") == NULL ? NULL : "--json", NULL };
	execv(path, argv);
	return err_reject(ERR_CODE_BAD_PARAMETER, "there is no program of that service here");
}

static struct err check_own(const struct command_call *call)
{
	struct conf_check *check;

	TRY(conf_check_new(call->arena, "estctl", &check));
	for (size_t i = 0; config_table(i) != NULL; i++)
		TRY(conf_check_table(check, config_table(i)));
	TRY(conf_check_strangers(check));
	TRY(conf_check_print(check, command_value(call, "--json") != NULL, stdout));
	if (conf_check_errors(check) > 0)
		return err_reject(ERR_CODE_BAD_CONFIG, "the configuration has errors");
	return err_ok();
}

struct err config_check(const struct command_call *call)
{
	const char *service = command_value(call, "--service");

	return service == NULL ? check_own(call) : ask_service(call, service);
}
