/*
 * Results, and the known answers of both purposes: tests/contract/vectors/seal holds what this code
 * makes of counted randomness, and tests/contract/test_seal.py makes and opens the same bytes in
 * Python. After a change of the format: run with ESTEIRA_WRITE_VECTORS=1, then the Python test.
 */
#include "port/seal.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "port/digest.h"

enum { CHUNK = SEAL_CHUNK_BYTES, MAX = 1 << 20 };

static const struct seal_key other_key = { { 1 } };

/* 00, 01, 02 ... */
static void fill_counting(void *arg, void *ret_bytes, size_t len)
{
	uint8_t *next = arg;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)ret_bytes)[i] = (*next)++;
}

static struct seal_context context_make(const struct seal_key *key)
{
	struct seal_context context = { .tenant_key = key, .key_version = 7 };

	ck_assert(id_parse(STR("0190a0b0-0000-7000-8000-000000000001"), &context.tenant.id));
	ck_assert(id_parse(STR("0190a0b0-0000-7000-8000-00000000000a"), &context.job));
	return context;
}

static struct seal_key key_make(void)
{
	struct seal_key key;

	for (size_t i = 0; i < sizeof key.bytes; i++)
		key.bytes[i] = (uint8_t)(0xa0 + i);
	return key;
}

static struct str pattern(struct buf *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char byte = (char)(i * 7 + 3);
		buf_add(buf, &byte, 1);
	}
	return (struct str){ len == 0 ? "" : buf->ptr, len };
}

static const struct {
	const char *name;
	bool doc;
	size_t plain_bytes;
	size_t capacity_bytes;
} vectors[] = {
	{ "doc-empty", true, 0, 0 },
	{ "doc-short", true, 5, 5 },
	{ "doc-padded", true, 5, 100 },
	{ "doc-one-chunk", true, 65528, 65528 },
	{ "doc-one-more", true, 65529, 65529 },
	{ "doc-padded-over-edge", true, 65530, 131200 },
	{ "doc-three-chunks", true, 196600, 196600 },
	{ "result-empty", false, 0, 0 },
	{ "result-short", false, 5, 0 },
	{ "result-one-chunk", false, 65536, 0 },
	{ "result-one-more", false, 65537, 0 },
};

static void doc_make(const struct seal_context *context, struct str plain, size_t capacity,
	struct buf *out, uint8_t *half_b)
{
	struct seal_writer *writer = NULL;
	bool done = false;

	ck_assert_int_eq(seal_doc_writer_new(context, capacity, &writer, half_b).kind, ERR_OK);
	ck_assert_int_eq(seal_doc_write(writer, plain, out).kind, ERR_OK);
	while (!done)
		ck_assert_int_eq(seal_doc_finish(writer, out, &done).kind, ERR_OK);
	seal_doc_writer_free(writer);
}

static void add_hex(struct buf *text, const char *name, struct str bytes)
{
	char *hex = malloc(2 * bytes.len + 1);

	ck_assert_ptr_nonnull(hex);
	encode_hex(bytes.ptr, bytes.len, hex);
	buf_addf(text, "%s=%s\n", name, hex);
	free(hex);
}

/* The file of a vector: name=value lines; long envelopes by their hash. */
static void vector_text(size_t i, struct buf *text)
{
	uint8_t next = 0;
	struct seal_random random = { fill_counting, &next };
	struct seal_key key = key_make();
	struct seal_context context = context_make(&key);
	struct buf plain_buf = BUF(MAX);
	struct buf sealed = BUF(MAX);
	struct str plain = pattern(&plain_buf, vectors[i].plain_bytes);
	uint8_t half_b[SEAL_HALF_BYTES], salt[SEAL_RESULT_SALT_BYTES];
	uint8_t hash[DIGEST_BYTES];

	context.random = &random;
	buf_addf(text, "purpose=%s\n", vectors[i].doc ? "doc" : "result");
	buf_addf(text, "tenant=0190a0b0-0000-7000-8000-000000000001\n");
	buf_addf(text, "job=0190a0b0-0000-7000-8000-00000000000a\nkey_version=7\n");
	add_hex(text, "tenant_key", (struct str){ (char *)key.bytes, sizeof key.bytes });
	buf_addf(text, "plain_bytes=%zu\n", plain.len);
	if (vectors[i].doc) {
		doc_make(&context, plain, vectors[i].capacity_bytes, &sealed, half_b);
		buf_addf(text, "capacity_bytes=%zu\n", vectors[i].capacity_bytes);
		add_hex(text, "half_b", (struct str){ (char *)half_b, sizeof half_b });
		seal_result_salt(&context, half_b, salt);
		add_hex(text, "result_salt", (struct str){ (char *)salt, sizeof salt });
	} else {
		ck_assert_int_eq(seal_result(&context, plain, &sealed).kind, ERR_OK);
	}
	digest_sha256(buf_str(&sealed), hash);
	add_hex(text, "sealed_sha256", (struct str){ (char *)hash, sizeof hash });
	if (sealed.len <= 1024)
		add_hex(text, "sealed", buf_str(&sealed));
	buf_done(&plain_buf);
	buf_done(&sealed);
}

START_TEST(test_known_answer)
{
	struct buf made = BUF(MAX);
	static char read[MAX];
	char path[512];

	vector_text((size_t)_i, &made);
	snprintf(path, sizeof path, TEST_SOURCE_DIR "/tests/contract/vectors/seal/%s.hex",
		vectors[_i].name);
	if (getenv("ESTEIRA_WRITE_VECTORS") != NULL) {
		FILE *file = fopen(path, "wb");
		ck_assert_ptr_nonnull(file);
		ck_assert_uint_eq(fwrite(made.ptr, 1, made.len, file), made.len);
		fclose(file);
	}
	FILE *file = fopen(path, "rb");
	ck_assert_msg(file != NULL, "no file %s", path);
	size_t len = fread(read, 1, sizeof read - 1, file);
	fclose(file);
	read[len] = '\0';
	ck_assert_str_eq(made.ptr, read);
	buf_done(&made);
}
END_TEST

static const size_t lens[] = { 0, 1, 65535, 65536, 65537, 3 * 65536, 3 * 65536 + 1 };

START_TEST(test_result_round)
{
	struct seal_key key = key_make();
	struct seal_context context = context_make(&key);
	struct buf plain_buf = BUF(MAX);
	struct buf sealed = BUF(MAX);
	struct buf back = BUF(MAX);
	struct str plain = pattern(&plain_buf, lens[_i]);
	uint32_t version = 0;

	ck_assert_int_eq(seal_result(&context, plain, &sealed).kind, ERR_OK);
	ck_assert_uint_eq(sealed.len, seal_result_size(plain.len));
	ck_assert_int_eq(seal_version_of(buf_str(&sealed), &version).kind, ERR_OK);
	ck_assert_uint_eq(version, 7);
	buf_add_str(&back, STR("before"));
	ck_assert_int_eq(seal_result_open(&context, buf_str(&sealed), &back).kind, ERR_OK);
	ck_assert_uint_eq(back.len, plain.len + 6);
	ck_assert_mem_eq(back.ptr + 6, plain.ptr, plain.len);
	buf_done(&plain_buf);
	buf_done(&sealed);
	buf_done(&back);
}
END_TEST

static void expect_refused(const struct seal_context *context, struct str sealed)
{
	struct buf back = BUF(MAX);
	char *copy = malloc(sealed.len + (sealed.len == 0));

	ck_assert_ptr_nonnull(copy);
	if (sealed.len > 0)
		memcpy(copy, sealed.ptr, sealed.len);
	struct err e = seal_result_open(context, (struct str){ copy, sealed.len }, &back);
	ck_assert_int_eq(e.kind, ERR_REJECT);
	ck_assert(err_is(e, ERR_CODE_UNDECRYPTABLE));
	ck_assert_uint_eq(back.len, 0);
	free(copy);
	buf_done(&back);
}

START_TEST(test_result_refusals)
{
	struct seal_key key = key_make();
	struct seal_context context = context_make(&key);
	struct seal_context wrong[4] = { context, context, context, context };
	struct buf sealed = BUF(MAX);

	wrong[0].tenant.id.bytes[15] ^= 1;
	wrong[1].job.bytes[0] ^= 1;
	wrong[2].tenant_key = &other_key;
	wrong[3].key_version = 8;
	ck_assert_int_eq(seal_result(&context, STR("{\"pages\":[]}"), &sealed).kind, ERR_OK);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		expect_refused(&wrong[i], buf_str(&sealed));
	for (size_t len = 0; len < sealed.len; len++)
		expect_refused(&context, (struct str){ sealed.ptr, len });
	for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
		sealed.ptr[bit / 8] ^= (char)(1 << bit % 8);
		expect_refused(&context, buf_str(&sealed));
		sealed.ptr[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_add_str(&sealed, STR("x"));
	expect_refused(&context, buf_str(&sealed));
	buf_done(&sealed);
}
END_TEST

/* An envelope of one purpose is none of the other. */
START_TEST(test_purposes_apart)
{
	struct seal_key key = key_make();
	struct seal_context context = context_make(&key);
	struct buf doc = BUF(MAX);
	struct buf result = BUF(MAX);
	uint8_t half_b[SEAL_HALF_BYTES];
	char plain[256];
	size_t len = 0;

	doc_make(&context, STR("a document"), 100, &doc, half_b);
	ck_assert_int_eq(
		seal_result(&context, STR("a result, long enough for a document"), &result).kind,
		ERR_OK);
	expect_refused(&context, buf_str(&doc));
	ck_assert(err_is(seal_doc_open(&context, half_b, buf_str(&result), plain, &len),
		ERR_CODE_UNDECRYPTABLE));
	buf_done(&doc);
	buf_done(&result);
}
END_TEST

START_TEST(test_limits)
{
	struct seal_key key = key_make();
	struct seal_context context = context_make(&key);
	struct buf small = BUF(90);
	struct buf sealed = BUF(MAX);
	struct buf five = BUF(5);

	ck_assert(err_is(seal_result(&context, STR("text"), &small), ERR_CODE_RECORD_TOO_LARGE));
	ck_assert_int_eq(seal_result(&context, STR("a text"), &sealed).kind, ERR_OK);
	ck_assert(err_is(
		seal_result_open(&context, buf_str(&sealed), &five), ERR_CODE_RECORD_TOO_LARGE));
	buf_done(&small);
	buf_done(&sealed);
	buf_done(&five);
}
END_TEST

static const struct {
	const char *header;
	size_t len;
	uint32_t version; /* 0: refused */
} headers[] = {
	{ "ESTS\1\1\0\0\1\2\3\4", 12, 0x01020304 },
	{ "ESTS\1\2\0\0\0\0\0\1more", 16, 1 },
	{ "ESTS\1\2\0\0\0\0\0\1", 11, 0 },
	{ "", 0, 0 },
	{ "ESTS\1\2\0\0\0\0\0\0", 12, 0 },
	{ "ESTS\2\2\0\0\0\0\0\1", 12, 0 },
	{ "ESTT\1\2\0\0\0\0\0\1", 12, 0 },
	{ "ESTS\1\2\0\1\0\0\0\1", 12, 0 },
	{ "ESTS\1\2\1\0\0\0\0\1", 12, 0 },
};

START_TEST(test_version_of)
{
	struct str header = { headers[_i].header, headers[_i].len };
	uint32_t version = 0;
	struct err e = seal_version_of(header, &version);

	ck_assert_uint_eq(version, headers[_i].version);
	ck_assert_int_eq(e.code, headers[_i].version == 0 ? ERR_CODE_UNDECRYPTABLE : ERR_CODE_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal");
	TCase *tests = tcase_create("seal");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, test_known_answer, 0, sizeof vectors / sizeof *vectors);
	tcase_add_loop_test(tests, test_result_round, 0, sizeof lens / sizeof *lens);
	tcase_add_test(tests, test_result_refusals);
	tcase_add_test(tests, test_purposes_apart);
	tcase_add_test(tests, test_limits);
	tcase_add_loop_test(tests, test_version_of, 0, sizeof headers / sizeof *headers);
	suite_add_tcase(suite, tests);
	SRunner *sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
