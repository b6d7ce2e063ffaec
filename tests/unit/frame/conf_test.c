#include "frame/conf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/secret.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct settings {
	const char *name, *secret, *mode;
	int64_t size;
};

static const struct conf_item items[] = {
	{ "ESTEIRA_TEST_NAME", CONF_TEXT, offsetof(struct settings, name), "somebody", 0, 0, NULL,
		"Who." },
	{ "ESTEIRA_TEST_SECRET", CONF_SECRET, offsetof(struct settings, secret), "", 0, 0, NULL,
		"A secret." },
	{ "ESTEIRA_TEST_MODE", CONF_CHOICE, offsetof(struct settings, mode), "require", 0, 0,
		"require|best-effort", "How." },
	{ "ESTEIRA_TEST_SIZE", CONF_INT, offsetof(struct settings, size), "12", 1, 1000, NULL,
		"Size, bytes." },
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};

static const struct conf_item needed[] = {
	{ "ESTEIRA_TEST_NAME", CONF_TEXT, offsetof(struct settings, name), NULL, 0, 0, NULL,
		"Who." },
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};

/* Each test runs in a process of its own, so the environment is its own too. */
static struct err read_with(
	const char *name, const char *value, struct arena *arena, struct settings *ret_settings)
{
	if (value != NULL)
		setenv(name, value, 1);
	struct err e = conf_read(items, arena, ret_settings);
	unsetenv(name);
	return e;
}

START_TEST(takes_defaults)
{
	struct arena *arena = arena_new(1 << 20);
	struct settings s;

	ck_assert_int_eq(read_with("ESTEIRA_TEST_NAME", NULL, arena, &s).kind, ERR_OK);
	ck_assert_str_eq(s.name, "somebody");
	ck_assert_str_eq(s.secret, "");
	ck_assert_str_eq(s.mode, "require");
	ck_assert_int_eq(s.size, 12);
	ck_assert_int_eq(read_with("ESTEIRA_TEST_NAME", "", arena, &s).kind, ERR_OK);
	ck_assert_str_eq(s.name, "somebody");
	arena_free(arena);
}
END_TEST

START_TEST(takes_values)
{
	struct arena *arena = arena_new(1 << 20);
	struct settings s;

	setenv("ESTEIRA_TEST_SECRET", "s3", 1);
	setenv("ESTEIRA_TEST_MODE", "best-effort", 1);
	setenv("ESTEIRA_TEST_SIZE", "1000", 1);
	ck_assert_int_eq(read_with("ESTEIRA_TEST_NAME", " x y ", arena, &s).kind, ERR_OK);
	setenv("ESTEIRA_TEST_SECRET", "another", 1); /* what was read is a copy */
	ck_assert_str_eq(s.name, " x y ");
	ck_assert_str_eq(s.secret, "s3");
	ck_assert_str_eq(s.mode, "best-effort");
	ck_assert_int_eq(s.size, 1000);
	arena_free(arena);
}
END_TEST

START_TEST(refuses)
{
	static const char *const rows[][2] = {
		{ "ESTEIRA_TEST_SIZE", "0" },
		{ "ESTEIRA_TEST_SIZE", "1001" },
		{ "ESTEIRA_TEST_SIZE", "-1" },
		{ "ESTEIRA_TEST_SIZE", "+1" },
		{ "ESTEIRA_TEST_SIZE", "1 " },
		{ "ESTEIRA_TEST_SIZE", "1k" },
		{ "ESTEIRA_TEST_SIZE", "0x10" },
		{ "ESTEIRA_TEST_SIZE", "18446744073709551615" },
		{ "ESTEIRA_TEST_SIZE", "99999999999999999999999" },
		{ "ESTEIRA_TEST_MODE", "Require" },
		{ "ESTEIRA_TEST_MODE", "best" },
		{ "ESTEIRA_TEST_MODE", "require|best-effort" },
		{ "ESTEIRA_TEST_MODE", "|" },
		{ "ESTEIRA_TEST_SECRET_FILE", "/nonexistent/file" },
		{ "ESTEIRA_TEST_SECRET_FILE", "/" },
	};
	struct arena *arena = arena_new(4 << 20);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct settings s;
		struct err e = read_with(rows[i][0], rows[i][1], arena, &s);
		ck_assert_msg(e.kind == ERR_FATAL && e.code == ERR_CODE_BAD_CONFIG, "row %zu", i);
		ck_assert_msg(strncmp(e.msg, rows[i][0], 17) == 0, "row %zu: %s", i, e.msg);
	}
	arena_free(arena);
}
END_TEST

START_TEST(insists_on_what_is_required)
{
	struct arena *arena = arena_new(1 << 20);
	struct settings s;

	struct err e = conf_read(needed, arena, &s);
	ck_assert(e.kind == ERR_FATAL && e.code == ERR_CODE_BAD_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.msg, "ESTEIRA_TEST_NAME"));
	setenv("ESTEIRA_TEST_NAME", "", 1);
	ck_assert_int_eq(conf_read(needed, arena, &s).kind, ERR_FATAL);
	setenv("ESTEIRA_TEST_NAME", "x", 1);
	ck_assert_int_eq(conf_read(needed, arena, &s).kind, ERR_OK);
	arena_free(arena);
}
END_TEST

static struct err read_secret(
	const char *content, size_t len, struct arena *arena, struct settings *ret_settings)
{
	char path[64];
	int fd = memfd_create("secret", 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)write(fd, content, len), (int)len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	struct err e = read_with("ESTEIRA_TEST_SECRET_FILE", path, arena, ret_settings);
	close(fd);
	return e;
}

START_TEST(reads_a_secret_from_its_file)
{
	static const struct {
		struct str content;
		const char *secret; /* NULL: refused */
	} rows[] = {
		{ { "pass", 4 }, "pass" },
		{ { "pass\n", 5 }, "pass" },
		{ { "pass\r\n", 6 }, "pass" },
		{ { " pass word \n", 12 }, " pass word " },
		{ { "two\nlines\n", 10 }, "two\nlines" },
		{ { "", 0 }, NULL },
		{ { "\n", 1 }, NULL },
		{ { "a\0b", 3 }, NULL },
	};
	struct arena *arena = arena_new(4 << 20);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct settings s;
		struct err e = read_secret(rows[i].content.ptr, rows[i].content.len, arena, &s);
		ck_assert_msg((e.kind == ERR_OK) == (rows[i].secret != NULL), "row %zu", i);
		if (e.kind == ERR_OK)
			ck_assert_str_eq(s.secret, rows[i].secret);
	}
	arena_free(arena);
}
END_TEST

START_TEST(a_secret_has_one_source)
{
	struct arena *arena = arena_new(1 << 20);
	struct settings s;

	setenv("ESTEIRA_TEST_SECRET", "s3", 1);
	struct err e = read_secret("pass", 4, arena, &s);
	ck_assert(e.kind == ERR_FATAL && e.code == ERR_CODE_BAD_CONFIG);
	/* a file is no source of what is not a secret */
	unsetenv("ESTEIRA_TEST_SECRET");
	ck_assert_int_eq(
		read_with("ESTEIRA_TEST_NAME_FILE", "/nonexistent/file", arena, &s).kind, ERR_OK);
	ck_assert_str_eq(s.name, "somebody");
	arena_free(arena);
}
END_TEST

START_TEST(keeps_to_its_memory)
{
	struct arena *arena = arena_new(100);
	struct settings s;

	ck_assert_int_ne(
		read_with("ESTEIRA_TEST_NAME", "a name of some length", arena, &s).kind, ERR_OK);
	arena_free(arena);
}
END_TEST

struct live_settings {
	struct secret *needed, *spare;
};

static const struct conf_item live[] = {
	{ "ESTEIRA_TEST_LIVE", CONF_LIVE, offsetof(struct live_settings, needed), NULL, 0, 0, NULL,
		"A secret that is renewed." },
	{ "ESTEIRA_TEST_SPARE", CONF_LIVE, offsetof(struct live_settings, spare), "", 0, 0, NULL,
		"Another." },
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};

static void ck_live(struct secret *secret, const char *text)
{
	char bytes[SECRET_BYTES];

	ck_assert_ptr_nonnull(secret);
	secret_copy(secret, bytes, NULL);
	ck_assert_str_eq(bytes, text);
}

static void write_secret(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(a_live_secret_follows_its_file)
{
	struct arena *arena = arena_new(1 << 20);
	struct live_settings s = { 0 };
	char path[] = "/tmp/esteira-conf-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(conf_read(live, arena, &s).code, ERR_CODE_BAD_CONFIG); /* not set */
	setenv("ESTEIRA_TEST_LIVE", "direct", 1);
	ck_assert_int_eq(conf_read(live, arena, &s).kind, ERR_OK);
	ck_live(s.needed, "direct");
	ck_assert_ptr_null(s.spare);
	setenv("ESTEIRA_TEST_LIVE_FILE", path, 1);
	ck_assert_int_eq(conf_read(live, arena, &s).code, ERR_CODE_BAD_CONFIG); /* both */
	unsetenv("ESTEIRA_TEST_LIVE");
	struct err e = conf_read(live, arena, &s);
	ck_assert_int_eq(e.code, ERR_CODE_BAD_CONFIG); /* empty */
	ck_assert_str_eq(e.msg, "ESTEIRA_TEST_LIVE: it is empty");
	write_secret(path, "first\n");
	ck_assert_int_eq(conf_read(live, arena, &s).kind, ERR_OK);
	ck_live(s.needed, "first");
	write_secret(path, "other\n");
	ck_assert(secret_renew(s.needed, 1));
	ck_live(s.needed, "other");
	arena_free(arena);
	close(fd);
	unlink(path);
}
END_TEST

/* Standard error while it is said what is new. */
static void ck_news(const struct live_settings *s, const char *wanted)
{
	char text[4096];
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);

	ck_assert(file != NULL && before >= 0);
	dup2(fileno(file), STDERR_FILENO);
	conf_log_news(live, s);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	if (wanted == NULL)
		ck_assert_str_eq(text, "");
	else
		ck_assert_ptr_nonnull(strstr(text, wanted));
	ck_assert_ptr_null(strstr(text, "other"));
}

START_TEST(news_of_secrets_are_logged_once_and_without_their_value)
{
	struct arena *arena = arena_new(1 << 20);
	struct live_settings s = { 0 };
	char path[] = "/tmp/esteira-conf-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	write_secret(path, "first");
	setenv("ESTEIRA_TEST_LIVE_FILE", path, 1);
	ck_assert_int_eq(conf_read(live, arena, &s).kind, ERR_OK);
	ck_news(&s, NULL);
	write_secret(path, "other");
	ck_assert(secret_renew(s.needed, 1));
	ck_news(&s, "secret.renewed");
	ck_news(&s, NULL);
	write_secret(path, "");
	ck_assert(!secret_renew(s.needed, 2));
	ck_news(&s, "secret.kept");
	ck_news(&s, NULL);
	arena_free(arena);
	close(fd);
	unlink(path);
}
END_TEST

/* Does what the kernel shows of our environment contain it? */
static bool environment_shows(const char *text)
{
	char bytes[1 << 17];
	FILE *file = fopen("/proc/self/environ", "re");

	ck_assert_ptr_nonnull(file);
	size_t len = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	return memmem(bytes, len, text, strlen(text)) != NULL;
}

START_TEST(secrets_leave_the_environment)
{
	struct arena *arena = arena_new(1 << 20);
	struct settings s;

	if (getenv("ESTEIRA_TEST_FORGET") == NULL) { /* the kernel shows what exec was given */
		setenv("ESTEIRA_TEST_FORGET", "1", 1);
		setenv("ESTEIRA_TEST_SECRET", "hidden-in-env", 1);
		setenv("CK_RUN_CASE", "forget", 1);
		setenv("CK_FORK", "no", 1);
		execl("/proc/self/exe", "test", (char *)NULL);
		ck_abort_msg("this program cannot be run again");
	}
	ck_assert(environment_shows("hidden-in-env"));
	ck_assert_int_eq(conf_read(items, arena, &s).kind, ERR_OK);
	conf_forget(items);
	ck_assert_str_eq(s.secret, "hidden-in-env");
	ck_assert_ptr_null(getenv("ESTEIRA_TEST_SECRET"));
	ck_assert(!environment_shows("hidden-in-env"));
	ck_assert(environment_shows("CK_RUN_CASE=forget"));
	arena_free(arena);
}
END_TEST

static char *printed(void (*print)(FILE *out))
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	print(out);
	fclose(out);
	return text;
}

static void print_values(FILE *out)
{
	const struct settings s = { "somebody", "s3", "require", 12 };

	conf_print(items, &s, out);
}

static void print_no_secret(FILE *out)
{
	const struct settings s = { "somebody", "", "require", 12 };

	conf_print(items, &s, out);
}

static void print_markdown(FILE *out)
{
	conf_markdown(items, out);
	conf_markdown(needed, out);
	conf_markdown(live, out);
}

static void print_help(FILE *out)
{
	conf_help(items, out);
}

START_TEST(prints)
{
	static const struct {
		void (*print)(FILE *out);
		const char *text;
	} rows[] = {
		{ print_values, "ESTEIRA_TEST_NAME=somebody\nESTEIRA_TEST_SECRET=(redacted)\n"
				"ESTEIRA_TEST_MODE=require\nESTEIRA_TEST_SIZE=12\n" },
		{ print_no_secret, "ESTEIRA_TEST_NAME=somebody\nESTEIRA_TEST_SECRET=\n"
				   "ESTEIRA_TEST_MODE=require\nESTEIRA_TEST_SIZE=12\n" },
		{ print_markdown,
			"| `ESTEIRA_TEST_NAME` | `somebody` | Who. |\n"
			"| `ESTEIRA_TEST_SECRET` or `_FILE` | `none` | A secret. |\n"
			"| `ESTEIRA_TEST_MODE` | `require` | How. `require` or `best-effort`. |\n"
			"| `ESTEIRA_TEST_SIZE` | `12` | Size, bytes. 1 to 1000. |\n"
			"| `ESTEIRA_TEST_NAME` | `required` | Who. |\n"
			"| `ESTEIRA_TEST_LIVE` or `_FILE`, reread | `required` | A secret that is "
			"renewed. |\n"
			"| `ESTEIRA_TEST_SPARE` or `_FILE`, reread | `none` | Another. |\n" },
		{ print_help, "  ESTEIRA_TEST_NAME (somebody)\n      Who.\n"
			      "  ESTEIRA_TEST_SECRET[_FILE] (none)\n      A secret.\n"
			      "  ESTEIRA_TEST_MODE (require)\n      How.\n"
			      "  ESTEIRA_TEST_SIZE (12)\n      Size, bytes.\n" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = printed(rows[i].print);
		ck_assert_str_eq(text, rows[i].text);
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tcase = tcase_create("conf");

	tcase_add_test(tcase, takes_defaults);
	tcase_add_test(tcase, takes_values);
	tcase_add_test(tcase, refuses);
	tcase_add_test(tcase, insists_on_what_is_required);
	tcase_add_test(tcase, reads_a_secret_from_its_file);
	tcase_add_test(tcase, a_secret_has_one_source);
	tcase_add_test(tcase, keeps_to_its_memory);
	tcase_add_test(tcase, prints);
	tcase_add_test(tcase, a_live_secret_follows_its_file);
	tcase_add_test(tcase, news_of_secrets_are_logged_once_and_without_their_value);
	suite_add_tcase(suite, tcase);
	TCase *forget = tcase_create("forget");
	tcase_add_test(forget, secrets_leave_the_environment);
	suite_add_tcase(suite, forget);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
