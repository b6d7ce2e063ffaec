#include "frame/service_show.h"

#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "frame/conf_check.h"
#include "frame/service.h"
#include "frame/service_conf.h"

enum { EXIT_FINE = 0, EXIT_ERRORS = 1, EXIT_USAGE = 2, CHECK_BYTES = 4 << 20 };

static void each_table(const struct service *service,
	void (*show)(const struct conf_item *items, FILE *out), FILE *out)
{
	struct service_conf none;
	struct service_conf_table tables[SERVICE_CONF_TABLES + 1];

	service_conf_tables(service, &none, NULL, tables);
	for (const struct service_conf_table *t = tables; t->items != NULL; t++)
		show(t->items, out);
}

/* Where each setting is fine, all of them together may still not be. */
static struct err check_together(
	const struct service *service, struct arena *arena, struct conf_check *check)
{
	struct service_conf conf;
	void *own;

	if (conf_check_errors(check) > 0)
		return err_ok();
	return conf_check_error(check, service_conf_read(service, arena, &conf, &own));
}

static struct err check_all(
	const struct service *service, struct arena *arena, bool json, size_t *ret_errors)
{
	struct service_conf none;
	struct service_conf_table tables[SERVICE_CONF_TABLES + 1];
	struct conf_check *check;
	const char *program = arena_printf(arena, "esteira-%s", service->name);

	if (program == NULL)
		return arena_overflow();
	TRY(conf_check_new(arena, program, &check));
	service_conf_tables(service, &none, NULL, tables);
	for (const struct service_conf_table *t = tables; t->items != NULL; t++)
		TRY(conf_check_table(check, t->items));
	TRY(check_together(service, arena, check));
	TRY(conf_check_strangers(check));
	TRY(conf_check_print(check, json, stdout));
	*ret_errors = conf_check_errors(check);
	return err_ok();
}

static int check_config(const struct service *service, bool json)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(CHECK_BYTES);
	size_t errors = 0;
	struct err e = arena == NULL ? err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to check with")
				     : check_all(service, arena, json, &errors);

	if (e.kind != ERR_OK)
		fprintf(stderr, "esteira-%s: %s\n", service->name, e.msg);
	return e.kind != ERR_OK || errors > 0 ? EXIT_ERRORS : EXIT_FINE;
}

int service_show(const struct service *service, int argc, char **argv)
{
	bool json = argc == 3 && strcmp(argv[2], "--json") == 0;

	if (strcmp(argv[1], "--check-config") == 0 && (argc == 2 || json))
		return check_config(service, json);
	if (strcmp(argv[1], "--version") == 0) {
		printf("esteira-%s %s\n", service->name, ESTEIRA_VERSION);
		return EXIT_FINE;
	}
	if (strcmp(argv[1], "--markdown") == 0) {
		each_table(service, conf_markdown, stdout);
		return EXIT_FINE;
	}
	bool help = strcmp(argv[1], "--help") == 0;
	FILE *out = help ? stdout : stderr;
	fprintf(out,
		"usage: esteira-%s [--help|--version|--check-config [--json]|--print-config"
		"|--markdown]\n"
		"Runs until SIGTERM. Configured by the environment:\n",
		service->name);
	each_table(service, conf_help, out);
	return help ? EXIT_FINE : EXIT_USAGE;
}
