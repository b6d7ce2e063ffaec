#include "command.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct command_option options[] = {
	{ "--name", "NAME", true, "A name." },
	{ "--deadline", "SECONDS", false, "A deadline." },
	{ "--test", NULL, false, "A flag." },
	{ NULL, NULL, false, NULL },
};

static const struct command commands[] = {
	{ "thing", "make", "SLUG", options, 0, "Makes one.", NULL },
	{ "thing", "list", NULL, NULL, 0, "Lists them.", NULL },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};

static const struct command lonely[] = {
	{ "other", "list", NULL, NULL, 0, "Lists others.", NULL },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};

static const struct command *const tables[] = { commands, lonely, NULL };

enum { ARGUMENTS_MAX = 6 };

static struct err parse(struct command_call *call, char *const *argv)
{
	int argc = 0;

	while (argc < ARGUMENTS_MAX && argv[argc] != NULL)
		argc++;
	return command_parse(call, argc, argv);
}

static const struct {
	char *argv[ARGUMENTS_MAX];
	const char *operand, *name, *deadline, *test;
} good[] = {
	{ { "a", "--name", "x" }, "a", "x", NULL, NULL },
	{ { "--name", "x", "a" }, "a", "x", NULL, NULL },
	{ { "--name=x", "a", "--test" }, "a", "x", NULL, "" },
	{ { "--name=x=y", "a" }, "a", "x=y", NULL, NULL },
	{ { "--name=", "a" }, "a", "", NULL, NULL },
	{ { "--name", "--test", "a" }, "a", "--test", NULL, NULL },
	{ { "a", "--deadline", "60", "--name", "x", "--test" }, "a", "x", "60", "" },
};

static void same(const char *is, const char *should)
{
	if (should == NULL)
		ck_assert_ptr_null(is);
	else
		ck_assert_str_eq(is, should);
}

START_TEST(arguments_in_any_order)
{
	struct arena *arena = arena_new(1 << 16);
	struct command_call call = { .command = commands, .arena = arena };

	ck_assert_int_eq(parse(&call, good[_i].argv).kind, ERR_OK);
	same(call.operand, good[_i].operand);
	same(command_value(&call, "--name"), good[_i].name);
	same(command_value(&call, "--deadline"), good[_i].deadline);
	same(command_value(&call, "--test"), good[_i].test);
	arena_free(arena);
}
END_TEST

static const struct {
	char *argv[ARGUMENTS_MAX];
	const char *named;
} wrong[] = {
	{ { NULL }, "SLUG" },
	{ { "a" }, "--name" },
	{ { "--name", "x" }, "SLUG" },
	{ { "a", "--name" }, "--name" },
	{ { "a", "--name", "x", "b" }, "b" },
	{ { "a", "--name", "x", "--name", "y" }, "--name" },
	{ { "a", "--name", "x", "--test=1" }, "--test" },
	{ { "a", "--nam", "x" }, "--nam" },
	{ { "a", "--name", "x", "--" }, "--" },
};

START_TEST(a_wrong_argument_is_named)
{
	struct arena *arena = arena_new(1 << 16);
	struct command_call call = { .command = commands, .arena = arena };
	struct err e = parse(&call, wrong[_i].argv);

	ck_assert_int_eq(e.kind, ERR_REJECT);
	ck_assert_int_eq(e.code, ERR_CODE_BAD_PARAMETER);
	ck_assert_ptr_nonnull(strstr(e.msg, wrong[_i].named));
	arena_free(arena);
}
END_TEST

START_TEST(a_command_without_arguments_takes_none)
{
	struct arena *arena = arena_new(1 << 16);
	struct command_call call = { .command = &commands[1], .arena = arena };
	char *const none[] = { NULL }, *const one[] = { "x", NULL };

	ck_assert_int_eq(parse(&call, none).kind, ERR_OK);
	ck_assert_int_eq(parse(&call, one).code, ERR_CODE_BAD_PARAMETER);
	arena_free(arena);
}
END_TEST

START_TEST(commands_are_found_by_both_words)
{
	ck_assert_ptr_eq(command_find(tables, "thing", "list"), &commands[1]);
	ck_assert_ptr_null(command_find(tables, "thing", "lis"));
	ck_assert_ptr_null(command_find(tables, "", ""));
}
END_TEST

START_TEST(the_only_command_of_a_noun_needs_no_verb)
{
	ck_assert_ptr_eq(command_find_only(tables, "other"), lonely);
	ck_assert_ptr_null(command_find_only(tables, "thing"));
	ck_assert_ptr_null(command_find_only(tables, "--help"));
}
END_TEST

START_TEST(help_shows_what_is_taken)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	command_help_all(tables, NULL, out);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "estctl thing make SLUG --name NAME [--deadline "
					   "SECONDS] [--test]\n      Makes one."));
	ck_assert_ptr_nonnull(strstr(text, "estctl thing list\n"));
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/command");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, arguments_in_any_order, 0, sizeof good / sizeof *good);
	tcase_add_loop_test(tests, a_wrong_argument_is_named, 0, sizeof wrong / sizeof *wrong);
	tcase_add_test(tests, a_command_without_arguments_takes_none);
	tcase_add_test(tests, commands_are_found_by_both_words);
	tcase_add_test(tests, the_only_command_of_a_noun_needs_no_verb);
	tcase_add_test(tests, help_shows_what_is_taken);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
