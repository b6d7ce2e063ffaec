#include "frame/conf_check.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define ROW(name, kind, initial)                                                                   \
	{                                                                                          \
		name, kind, 0, initial, 1, 10, "one|two", "Help."                                  \
	}

static const struct conf_item items[] = {
	ROW("ESTEIRA_REDIS_URL", CONF_SECRET, ""),
	ROW("ESTEIRA_PG_URL", CONF_LIVE, ""),
	ROW("ESTEIRA_S3_ENDPOINT", CONF_TEXT, ""),
	ROW("ESTEIRA_X_SIZE", CONF_INT, "3"),
	ROW("ESTEIRA_X_MODE", CONF_CHOICE, "one"),
	ROW("ESTEIRA_X_KEY_FILE", CONF_TEXT, ""),
	ROW("ESTEIRA_X_CA_FILE", CONF_TEXT, ""),
	ROW("ESTEIRA_X_PATH", CONF_TEXT, ""),
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};

static char secret_path[] = "/tmp/esteira-check-XXXXXX";

static void make_file(void)
{
	int fd = mkstemp(secret_path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)write(fd, "hidden-value", 12), 12);
	close(fd);
}

static void remove_file(void)
{
	unlink(secret_path);
}

/* The report of this process's environment, in the arena; *ret_errors. */
static const char *report(struct arena *arena, bool json, size_t *ret_errors)
{
	struct conf_check *check;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(conf_check_new(arena, "esteira-x", &check).kind, ERR_OK);
	ck_assert_int_eq(conf_check_table(check, items).kind, ERR_OK);
	ck_assert_int_eq(conf_check_strangers(check).kind, ERR_OK);
	ck_assert_int_eq(conf_check_print(check, json, out).kind, ERR_OK);
	fclose(out);
	*ret_errors = conf_check_errors(check);
	const char *kept = arena_strdup(arena, str_of(text));
	free(text);
	return kept;
}

/* Each row: one variable more than nothing, what it must say, and whether that is an error. */
START_TEST(says)
{
	static const struct {
		const char *name, *value; /* "@": the file */
		mode_t mode;
		size_t errors;
		const char *said;
	} rows[] = {
		{ "ESTEIRA_X_SIZE", "7", 0600, 0, "ESTEIRA_X_SIZE       7 (environment)\n" },
		{ "ESTEIRA_X_SIZE", "", 0600, 0, "ESTEIRA_X_SIZE       3 (default)\n" },
		{ "ESTEIRA_X_SIZE", "11", 0600, 1, "error: ESTEIRA_X_SIZE: outside its limits\n" },
		{ "ESTEIRA_X_MODE", "three", 0600, 1, "error: ESTEIRA_X_MODE: not one of" },
		{ "ESTEIRA_REDIS_URL", "redis://:hidden-value@h/0", 0600, 0,
			"ESTEIRA_REDIS_URL    set from environment, 25 bytes\n" },
		{ "ESTEIRA_REDIS_URL", "redis://:hidden-value@h/0", 0600, 0,
			"warning: ESTEIRA_REDIS_URL: results and their password" },
		{ "ESTEIRA_PG_URL", "postgresql://u:hidden-value@h/d", 0600, 0,
			"warning: ESTEIRA_PG_URL: Postgres is not asked to prove its name" },
		{ "ESTEIRA_PG_URL_FILE", "@", 0600, 0,
			"ESTEIRA_PG_URL       set from file, 12 bytes, mode 0600\n" },
		{ "ESTEIRA_PG_URL_FILE", "@", 0644, 0,
			": everybody on this machine has rights on it\n" },
		{ "ESTEIRA_PG_URL_FILE", "/none", 0600, 2,
			"error: ESTEIRA_PG_URL: /none: No such file or directory\n" },
		{ "ESTEIRA_X_KEY_FILE", "@", 0644, 0, ": everybody on this machine" },
		{ "ESTEIRA_X_KEY_FILE", "/none", 0600, 1,
			"error: ESTEIRA_X_KEY_FILE: /none: No such file or directory\n" },
		{ "ESTEIRA_X_KEY_FILE", "/tmp", 0600, 1, "/tmp: not a regular file\n" },
		{ "ESTEIRA_X_PATH", "/etc/passwd", 0600, 1,
			"error: ESTEIRA_X_PATH: /etc/passwd: " },
		{ "ESTEIRA_S3_ENDPOINT", "http://h", 0600, 0,
			"warning: ESTEIRA_S3_ENDPOINT: signed" },
		{ "ESTEIRA_X_SISE", "4", 0600, 0,
			"warning: ESTEIRA_X_SISE: esteira-x does not read it; is ESTEIRA_X_SIZE "
			"meant?\n" },
		{ "ESTEIRA_QUITE_ANOTHER_THING", "4", 0600, 0,
			"warning: ESTEIRA_QUITE_ANOTHER_THING: esteira-x does not read it\n" },
		{ "ESTEIRA_X_SIZE_FILE", "/x", 0600, 0, "warning: ESTEIRA_X_SIZE_FILE: esteira-x" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena = arena_new(4 << 20);
		size_t errors;
		bool is_file = strcmp(rows[i].value, "@") == 0;
		chmod(secret_path, rows[i].mode);
		setenv(rows[i].name, is_file ? secret_path : rows[i].value, 1);
		const char *text = report(arena, false, &errors);
		unsetenv(rows[i].name);
		ck_assert_msg(strstr(text, rows[i].said) != NULL, "row %zu: %s", i, text);
		ck_assert_msg(errors == rows[i].errors, "row %zu: %s", i, text);
		ck_assert_ptr_null(strstr(text, "hidden-value"));
		arena_free(arena);
	}
}
END_TEST

START_TEST(says_nothing_of_what_is_well)
{
	static const struct {
		const char *name, *value;
	} rows[] = {
		{ "ESTEIRA_REDIS_URL", "rediss://h/0" },
		{ "ESTEIRA_PG_URL", "postgresql://u@h/d?sslmode=verify-full" },
		{ "ESTEIRA_S3_ENDPOINT", "https://h" },
		{ "ESTEIRA_X_KEY_FILE", secret_path },
		{ "ESTEIRA_X_CA_FILE", "/etc/passwd" }, /* anybody may read an authority */
		{ "ESTEIRA_X_PATH", "/bin/sh" },
		{ "ESTEIRA_FAILPOINT", "x:1" },
	};
	struct arena *arena = arena_new(4 << 20);
	size_t errors;

	for (size_t i = 0; i < COUNT(rows); i++)
		setenv(rows[i].name, rows[i].value, 1);
	const char *text = report(arena, false, &errors);
	ck_assert_msg(strstr(text, "8 settings, 0 errors, 0 warnings\n") != NULL, "%s", text);
	ck_assert_uint_eq(errors, 0);
	arena_free(arena);
}
END_TEST

START_TEST(says_it_in_json)
{
	struct arena *arena = arena_new(4 << 20);
	size_t errors;

	setenv("ESTEIRA_PG_URL_FILE", secret_path, 1);
	setenv("ESTEIRA_X_SIZE", "99", 1);
	const char *text = report(arena, true, &errors);
	ck_assert_uint_eq(errors, 1);
	ck_assert_ptr_nonnull(strstr(text, "{\"program\":\"esteira-x\",\"settings\":["));
	ck_assert_ptr_nonnull(strstr(text, "\"mode\":\"0600\",\"bytes\":12,\"secret\":true}"));
	ck_assert_ptr_nonnull(
		strstr(text, "\"errors\":[{\"text\":\"ESTEIRA_X_SIZE: outside its limits\"}]"));
	ck_assert_ptr_null(strstr(text, "hidden-value"));
	arena_free(arena);
}
END_TEST

START_TEST(both_sources_are_an_error)
{
	struct arena *arena = arena_new(4 << 20);
	size_t errors;

	setenv("ESTEIRA_REDIS_URL", "rediss://h/0", 1);
	setenv("ESTEIRA_REDIS_URL_FILE", secret_path, 1);
	const char *text = report(arena, false, &errors);
	ck_assert_uint_eq(errors, 1);
	ck_assert_ptr_nonnull(
		strstr(text, "error: ESTEIRA_REDIS_URL: set both directly and by _FILE"));
	arena_free(arena);
}
END_TEST

START_TEST(measures_slips)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} rows[] = {
		{ "", "", 0 },
		{ "abc", "abc", 0 },
		{ "abc", "", 3 },
		{ "", "abc", 3 },
		{ "kitten", "sitting", 3 },
		{ "BROKER", "BROKERS", 1 },
		{ "BORKERS", "BROKERS", 2 },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_uint_eq(conf_check_distance(rows[i].a, rows[i].b), rows[i].distance);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf_check");
	TCase *tcase = tcase_create("conf_check");

	tcase_add_unchecked_fixture(tcase, make_file, remove_file);
	tcase_add_test(tcase, says);
	tcase_add_test(tcase, says_nothing_of_what_is_well);
	tcase_add_test(tcase, says_it_in_json);
	tcase_add_test(tcase, both_sources_are_an_error);
	tcase_add_test(tcase, measures_slips);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
