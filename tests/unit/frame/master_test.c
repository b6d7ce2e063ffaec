#include "frame/master.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/master-test-XXXXXX";

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void tear_down(void)
{
	DIR *open_directory = opendir(directory);

	ck_assert_ptr_nonnull(open_directory);
	for (const struct dirent *entry; (entry = readdir(open_directory)) != NULL;)
		unlinkat(dirfd(open_directory), entry->d_name, 0);
	closedir(open_directory);
	ck_assert_int_eq(rmdir(directory), 0);
}

/* A key file of 32 times that byte; the path lives until the next of the same name. */
static const char *key_file(const char *name, uint8_t byte, mode_t mode)
{
	static char paths[4][64];
	static unsigned next;
	char *path = paths[next++ % 4];
	uint8_t bytes[SEAL_KEY_BYTES];

	snprintf(path, sizeof paths[0], "%s/%s", directory, name);
	memset(bytes, byte, sizeof bytes);
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, sizeof bytes), sizeof bytes);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static struct err try_open(const struct master_conf *conf)
{
	struct master *master = NULL;
	struct err e = master_open(NULL, conf, &master);

	ck_assert((e.kind == ERR_OK) == (master != NULL));
	master_close(master);
	return e;
}

static struct master *open_with(const char *file, const char *old_file)
{
	const struct master_conf conf = { .file = file, .old_file = old_file };
	struct master *master = NULL;

	ck_assert_int_eq(master_open(NULL, &conf, &master).kind, ERR_OK);
	return master;
}

static struct seal_key_row row_of(uint8_t tenant, uint32_t version)
{
	struct seal_key_row row = { .version = version };

	memset(row.tenant.id.bytes, tenant, sizeof row.tenant.id.bytes);
	return row;
}

static struct str str_of_blob(const struct master_blob *blob)
{
	return (struct str){ (const char *)blob->bytes, blob->len };
}

static struct master_blob wrap(struct master *master, const struct seal_key_row *row, uint8_t byte)
{
	struct master_blob blob;
	struct seal_key key;

	memset(key.bytes, byte, sizeof key.bytes);
	ck_assert_int_eq(master_wrap(master, row, &key, &blob).kind, ERR_OK);
	ck_assert_uint_eq(blob.len, SEAL_KEY_TENANT_BYTES);
	return blob;
}

static bool opens(struct master *master, const struct seal_key_row *row,
	const struct master_blob *blob, uint8_t byte)
{
	struct seal_key key = { { 0 } };
	struct err e = master_unwrap(master, row, str_of_blob(blob), &key);

	if (e.kind != ERR_OK) {
		ck_assert(err_is(e, ERR_CODE_UNDECRYPTABLE));
		ck_assert_int_eq(e.kind, ERR_REJECT);
		return false;
	}
	return key.bytes[0] == byte && key.bytes[31] == byte;
}

START_TEST(test_one_and_only_one)
{
	const char *file = key_file("file", 1, 0600);

	ck_assert(err_is(try_open(&(struct master_conf){ .file = "" }), ERR_CODE_BAD_CONFIG));
	ck_assert(err_is(try_open(&(struct master_conf){ .old_file = file }), ERR_CODE_BAD_CONFIG));
	ck_assert(err_is(try_open(&(struct master_conf){
				 .file = file, .transit = { .url = "https://keys" } }),
		ERR_CODE_BAD_CONFIG));
	ck_assert(err_is(try_open(&(struct master_conf){ .transit = { .url = "https://keys" } }),
		ERR_CODE_BAD_CONFIG));
	ck_assert_int_eq(try_open(&(struct master_conf){ .file = file }).kind, ERR_OK);
	ck_assert_int_eq(
		try_open(&(struct master_conf){ .file = file, .old_file = file }).kind, ERR_OK);
}
END_TEST

START_TEST(test_files_that_are_refused)
{
	static const mode_t modes[] = { 0640, 0604, 0644, 0660, 0700, 0601 };

	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		const char *file = key_file("open", 1, modes[i]);
		ck_assert(err_is(
			try_open(&(struct master_conf){ .file = file }), ERR_CODE_BAD_CONFIG));
		const char *good = key_file("good", 1, 0400);
		ck_assert(err_is(try_open(&(struct master_conf){ .file = good, .old_file = file }),
			ERR_CODE_BAD_CONFIG));
	}
	const char *file = key_file("short", 1, 0600);
	ck_assert_int_eq(truncate(file, SEAL_KEY_BYTES - 1), 0);
	ck_assert(err_is(try_open(&(struct master_conf){ .file = file }), ERR_CODE_BAD_CONFIG));
	ck_assert(err_is(try_open(&(struct master_conf){ .file = "/nonexistent" }),
		ERR_CODE_SECRET_MISSING));
}
END_TEST

START_TEST(test_bound_to_the_row)
{
	const struct seal_key_row row = row_of(1, 1), others[] = { row_of(2, 1), row_of(1, 2) };
	struct master *master = open_with(key_file("file", 1, 0600), "");
	struct master_blob blob = wrap(master, &row, 7);

	ck_assert(opens(master, &row, &blob, 7));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		ck_assert(!opens(master, &others[i], &blob, 7));
	for (size_t i = 0; i < blob.len; i++) {
		blob.bytes[i] ^= 1;
		ck_assert(!opens(master, &row, &blob, 7));
		blob.bytes[i] ^= 1;
	}
	for (size_t len = blob.len; len-- > 0;) {
		struct master_blob cut = blob;
		cut.len = len;
		ck_assert(!opens(master, &row, &cut, 7));
	}
	master_close(master);
}
END_TEST

START_TEST(test_old_opens_and_never_wraps)
{
	const struct seal_key_row row = row_of(1, 1);
	struct master *before = open_with(key_file("before", 1, 0600), "");
	struct master_blob blob = wrap(before, &row, 7);
	struct master *alone = open_with(key_file("after", 2, 0600), "");
	struct master *both = open_with(key_file("after", 2, 0600), key_file("before", 1, 0600));

	ck_assert(!opens(alone, &row, &blob, 7));
	ck_assert(opens(both, &row, &blob, 7));
	struct master_blob fresh = wrap(both, &row, 8);
	ck_assert(opens(alone, &row, &fresh, 8));
	ck_assert(!opens(before, &row, &fresh, 8));
	master_close(before);
	master_close(alone);
	master_close(both);
}
END_TEST

START_TEST(test_rewrapped_once)
{
	const struct seal_key_row row = row_of(1, 3);
	struct master *before = open_with(key_file("before", 1, 0600), "");
	struct master *both = open_with(key_file("after", 2, 0600), key_file("before", 1, 0600));
	struct master_blob blob = wrap(before, &row, 7), fresh;
	bool changed = false;

	ck_assert_int_eq(
		master_rewrap(both, &row, str_of_blob(&blob), &fresh, &changed).kind, ERR_OK);
	ck_assert(changed);
	ck_assert(opens(both, &row, &fresh, 7));
	ck_assert(!opens(before, &row, &fresh, 7));
	ck_assert_int_eq(
		master_rewrap(both, &row, str_of_blob(&fresh), &blob, &changed).kind, ERR_OK);
	ck_assert(!changed);
	master_close(before);
	master_close(both);
}
END_TEST

START_TEST(test_a_replaced_file_is_read_again)
{
	const struct seal_key_row row = row_of(1, 1);
	const char *path = key_file("file", 1, 0600);
	struct master *master = open_with(path, "");
	struct master_blob first = wrap(master, &row, 7);
	struct master *other = open_with(key_file("other", 2, 0600), "");
	struct master_blob second = wrap(other, &row, 8);

	ck_assert(!opens(master, &row, &second, 8));
	/* one that is no key leaves the last good one in force */
	ck_assert_int_eq(truncate(path, 5), 0);
	ck_assert(!opens(master, &row, &second, 8));
	ck_assert(opens(master, &row, &first, 7));
	key_file("file", 2, 0644);
	ck_assert(!opens(master, &row, &second, 8));
	key_file("file", 2, 0600);
	ck_assert(opens(master, &row, &second, 8));
	master_close(master);
	master_close(other);
}
END_TEST

START_TEST(test_of_a_key_service_without_one)
{
	const struct seal_key_row row = row_of(1, 1);
	struct master *master = open_with(key_file("file", 1, 0600), "");
	struct master_blob blob = { .len = 1 + 14 };

	memcpy(blob.bytes, "\x02vault:v1:AAAA", blob.len);
	ck_assert(!opens(master, &row, &blob, 0));
	ck_assert(!master_is_remote(master));
	ck_assert(err_is(master_ask(master, NULL, NULL), ERR_CODE_INTERNAL));
	master_close(master);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("master");
	TCase *tc = tcase_create("master");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, test_one_and_only_one);
	tcase_add_test(tc, test_files_that_are_refused);
	tcase_add_test(tc, test_bound_to_the_row);
	tcase_add_test(tc, test_old_opens_and_never_wraps);
	tcase_add_test(tc, test_rewrapped_once);
	tcase_add_test(tc, test_a_replaced_file_is_read_again);
	tcase_add_test(tc, test_of_a_key_service_without_one);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
