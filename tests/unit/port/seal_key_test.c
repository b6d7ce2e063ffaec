#include "port/seal_key.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "port/digest.h"

/* 00, 01, 02 ... : a known answer needs known randomness. */
static void fill_counting(void *arg, void *ret_bytes, size_t len)
{
	uint8_t *next = arg;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)ret_bytes)[i] = (*next)++;
}

static const char tenant_text[] = "0190a0b0-0000-7000-8000-000000000001";
static const char other_text[] = "0190a0b0-0000-7000-8000-000000000002";

static struct seal_key_row row_of(const char *tenant, uint32_t version)
{
	struct seal_key_row row = { .version = version };

	ck_assert(id_parse(str_of(tenant), &row.tenant.id));
	return row;
}

static struct seal_key key_of(uint8_t byte)
{
	struct seal_key key;

	memset(key.bytes, byte, sizeof key.bytes);
	return key;
}

static struct str blob_str(const uint8_t *blob)
{
	return (struct str){ (const char *)blob, SEAL_KEY_TENANT_BYTES };
}

START_TEST(test_wrap_known_answer)
{
	uint8_t next = 0;
	struct seal_random random = { fill_counting, &next };
	struct seal_key master = key_of(0x4d);
	struct seal_key key = key_of(0x54);
	struct seal_key_row row = row_of(tenant_text, 7);
	uint8_t blob[SEAL_KEY_TENANT_BYTES];
	char hex[2 * SEAL_KEY_TENANT_BYTES + 1];

	ck_assert_int_eq(seal_key_wrap(&master, &row, &key, &random, blob).kind, ERR_OK);
	encode_hex(blob, sizeof blob, hex);
	ck_assert_str_eq(hex, "01000102030405060708090a0b3fd998a7355873b27c39245ac472fe447b895f"
			      "4be8e4d0e8318abf2fa695d5a077458c1c7724a3e17cb2b05ab72690a2");
}
END_TEST

START_TEST(test_wrap_round)
{
	struct seal_key master = key_of(1);
	struct seal_key_row row = row_of(tenant_text, 1);
	struct seal_key key;
	struct seal_key back = { { 0 } };
	uint8_t blob[SEAL_KEY_TENANT_BYTES];
	uint8_t again[SEAL_KEY_TENANT_BYTES];

	seal_key_make(NULL, &key);
	ck_assert_int_eq(seal_key_wrap(&master, &row, &key, NULL, blob).kind, ERR_OK);
	ck_assert_int_eq(seal_key_wrap(&master, &row, &key, NULL, again).kind, ERR_OK);
	ck_assert_mem_ne(blob, again, sizeof blob);
	ck_assert_int_eq(seal_key_unwrap(&master, &row, blob_str(blob), &back).kind, ERR_OK);
	ck_assert_mem_eq(&key, &back, sizeof key);
}
END_TEST

/* Every refusal is the same kind and leaves ret_key as it was. */
static void expect_refused(
	const struct seal_key *master, const struct seal_key_row *row, struct str blob)
{
	struct seal_key back = key_of(0xee);
	struct seal_key before = back;
	struct err e = seal_key_unwrap(master, row, blob, &back);

	ck_assert_int_eq(e.kind, ERR_REJECT);
	ck_assert(err_is(e, ERR_CODE_UNDECRYPTABLE));
	ck_assert_mem_eq(&back, &before, sizeof back);
}

START_TEST(test_wrap_refusals)
{
	struct seal_key master = key_of(1);
	struct seal_key wrong = key_of(2);
	struct seal_key_row row = row_of(tenant_text, 1);
	struct seal_key_row other_tenant = row_of(other_text, 1);
	struct seal_key_row other_version = row_of(tenant_text, 2);
	uint8_t blob[SEAL_KEY_TENANT_BYTES + 1];

	ck_assert_int_eq(seal_key_wrap(&master, &row, &wrong, NULL, blob).kind, ERR_OK);
	expect_refused(&wrong, &row, blob_str(blob));
	expect_refused(&master, &other_tenant, blob_str(blob));
	expect_refused(&master, &other_version, blob_str(blob));
	for (size_t len = 0; len < SEAL_KEY_TENANT_BYTES; len++)
		expect_refused(&master, &row, (struct str){ (const char *)blob, len });
	expect_refused(&master, &row, (struct str){ (const char *)blob, sizeof blob });
	for (size_t bit = 0; bit < 8 * SEAL_KEY_TENANT_BYTES; bit++) {
		blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
		expect_refused(&master, &row, blob_str(blob));
		blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

static const struct {
	size_t size;
	mode_t mode;
	enum err_code code;
} files[] = {
	{ 32, 0600, ERR_CODE_NONE },
	{ 32, 0400, ERR_CODE_NONE },
	{ 32, 0440, ERR_CODE_NONE },
	{ 32, 0640, ERR_CODE_BAD_CONFIG },
	{ 32, 0604, ERR_CODE_BAD_CONFIG },
	{ 32, 0700, ERR_CODE_BAD_CONFIG },
	{ 32, 0200, ERR_CODE_BAD_CONFIG },
	{ 32, 04600, ERR_CODE_BAD_CONFIG },
	{ 0, 0600, ERR_CODE_BAD_CONFIG },
	{ 31, 0600, ERR_CODE_BAD_CONFIG },
	{ 33, 0600, ERR_CODE_BAD_CONFIG },
	{ 64, 0600, ERR_CODE_BAD_CONFIG },
};

START_TEST(test_master_file)
{
	char path[] = "/tmp/seal_key_test.XXXXXX";
	int fd = mkstemp(path);
	struct seal_key *master = NULL;
	uint8_t bytes[64];

	ck_assert_int_ge(fd, 0);
	memset(bytes, 0x5a, sizeof bytes);
	ck_assert_int_eq(write(fd, bytes, files[_i].size), (ssize_t)files[_i].size);
	ck_assert_int_eq(fchmod(fd, files[_i].mode), 0);
	close(fd);
	struct err e = seal_key_load_master(path, &master);
	unlink(path);
	if (e.kind == ERR_FATAL && getuid() != 0 && files[_i].mode == 0200)
		ck_assert(err_is(e, ERR_CODE_SECRET_MISSING));
	else
		ck_assert_int_eq(e.code, files[_i].code);
	ck_assert_int_eq(e.kind, files[_i].code == ERR_CODE_NONE ? ERR_OK : ERR_FATAL);
	ck_assert((master != NULL) == (e.kind == ERR_OK));
	if (master != NULL)
		ck_assert_mem_eq(master->bytes, bytes, sizeof master->bytes);
	seal_key_free(master);
}
END_TEST

START_TEST(test_master_not_a_file)
{
	char folder[] = "/tmp/seal_key_test.XXXXXX";
	char fifo[64];
	struct seal_key *master = NULL;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(fifo, sizeof fifo, "%s/fifo", folder);
	ck_assert(err_is(seal_key_load_master(fifo, &master), ERR_CODE_SECRET_MISSING));
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert(err_is(seal_key_load_master(fifo, &master), ERR_CODE_BAD_CONFIG));
	ck_assert(err_is(seal_key_load_master(folder, &master), ERR_CODE_BAD_CONFIG));
	ck_assert_ptr_null(master);
	unlink(fifo);
	rmdir(folder);
	seal_key_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal_key");
	TCase *tests = tcase_create("seal_key");

	tcase_add_test(tests, test_wrap_known_answer);
	tcase_add_test(tests, test_wrap_round);
	tcase_add_test(tests, test_wrap_refusals);
	tcase_add_loop_test(tests, test_master_file, 0, sizeof files / sizeof *files);
	tcase_add_test(tests, test_master_not_a_file);
	suite_add_tcase(suite, tests);
	SRunner *sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
