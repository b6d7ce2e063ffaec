#include "result.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "model/codec.h"
#include "port/seal.h"

#include "document.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char job_text[] = "01890a5d-ac96-774b-bcce-b302099a8057";
static const char document_hash[] =
	"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

static const uint8_t salt[SEAL_RESULT_SALT_BYTES] = "the salt of it";

static struct result_job job_of(void)
{
	struct result_job job = { .document_hash = document_hash, .salt = salt };

	ck_assert(id_parse(str_of(job_text), &job.job_id));
	return job;
}

static struct document_page page_of(
	enum document_source source, double confidence, const char *text)
{
	return (struct document_page){ 0, source, confidence, 3, str_of(text) };
}

static struct err build(struct document_page *pages, unsigned count, struct result *result)
{
	SCOPED(arena_drop) struct arena *arena = arena_new(1 << 20);
	struct document document = { .pages_total = count, .pages = pages };
	const struct result_job job = job_of();

	for (unsigned i = 0; i < count; i++)
		pages[i].number = i + 1;
	return result_build(&job, &document, arena, result);
}

static const struct {
	enum document_source source;
	double confidence;
	const char *text, *json; /* of the page */
} bodies[] = {
	{ DOCUMENT_SOURCE_TEXT, 100, "Olá, mundo\n",
		"\"source\":\"text\",\"confidence\":100,\"text\":\"Olá, mundo\\n\"" },
	{ DOCUMENT_SOURCE_OCR, 91.25, "a\"b\\c\td",
		"\"source\":\"ocr\",\"confidence\":91.25,\"text\":\"a\\\"b\\\\c\\u0009d\"" },
	{ DOCUMENT_SOURCE_OCR, 0, "", "\"source\":\"ocr\",\"confidence\":0,\"text\":\"\"" },
	{ DOCUMENT_SOURCE_OCR, 100, NULL, "\"source\":\"ocr\",\"confidence\":100,\"text\":\"\"" },
};

START_TEST(writes_the_exact_body)
{
	struct document_page page =
		page_of(bodies[_i].source, bodies[_i].confidence, bodies[_i].text);
	struct result result;
	char expected[512];

	snprintf(expected, sizeof expected,
		"{\"job_id\":\"%s\",\"document_hash\":\"%s\",\"pages\":[{\"page\":1,%s}]}",
		job_text, document_hash, bodies[_i].json);
	ck_assert(build(&page, 1, &result).kind == ERR_OK);
	ck_assert_uint_eq(result_body_bytes(&result), strlen(expected));
	ck_assert_str_eq(result.plain.ptr + SEAL_RESULT_SALT_BYTES, expected);
	result_done(&result);
}
END_TEST

START_TEST(hash_is_of_salt_and_body)
{
	struct document_page pages[] = { page_of(DOCUMENT_SOURCE_TEXT, 100, "um"),
		page_of(DOCUMENT_SOURCE_OCR, 90, "dois") };
	struct result first, second;
	uint8_t hash[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES];

	ck_assert(build(pages, COUNT(pages), &first).kind == ERR_OK);
	ck_assert(build(pages, COUNT(pages), &second).kind == ERR_OK);
	digest_sha256(buf_str(&first.plain), hash);
	encode_hex(hash, sizeof hash, hex);
	ck_assert_str_eq(first.hash, hex);
	ck_assert_mem_eq(first.plain.ptr, salt, SEAL_RESULT_SALT_BYTES);
	ck_assert_str_eq(first.hash, second.hash); /* read twice: one result */
	result_done(&first);
	result_done(&second);
}
END_TEST

/* A buffer that grows leaves its text in freed memory. */
START_TEST(the_buffer_never_moves)
{
	enum { LEN = 100000 };
	static const char worst[] = { '\x01', '"', '\n', 'a' };
	char *text = malloc(LEN + 1);

	for (size_t i = 0; i < COUNT(worst); i++) {
		struct result result;
		memset(text, worst[i], LEN);
		text[LEN] = '\0';
		struct document_page pages[] = { page_of(DOCUMENT_SOURCE_OCR, 1.0 / 3, text),
			page_of(DOCUMENT_SOURCE_OCR, 1e-9, text) };
		ck_assert(build(pages, COUNT(pages), &result).kind == ERR_OK);
		ck_assert_uint_eq(result.plain.cap, result.plain.max + 1);
		ck_assert_uint_lt(result.plain.len, result.plain.cap);
		result_done(&result);
		ck_assert_ptr_null(result.plain.ptr);
	}
	free(text);
}
END_TEST

START_TEST(keeps_its_ceiling)
{
	size_t len = RESULT_MAX_BYTES;
	char *text = malloc(len + 1);
	struct result result;

	memset(text, 'a', len);
	text[len] = '\0';
	struct document_page page = page_of(DOCUMENT_SOURCE_TEXT, 100, text);
	struct err e = build(&page, 1, &result);
	ck_assert(e.kind == ERR_REJECT && err_is(e, ERR_CODE_RECORD_TOO_LARGE));
	text[len - 1024] = '\0';
	page = page_of(DOCUMENT_SOURCE_TEXT, 100, text);
	ck_assert(build(&page, 1, &result).kind == ERR_OK);
	ck_assert_uint_lt(seal_result_size(result.plain.len), (16 << 20) - 1024);
	result_done(&result);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("result");
	TCase *tests = tcase_create("result");

	tcase_add_loop_test(tests, writes_the_exact_body, 0, COUNT(bodies));
	tcase_add_test(tests, hash_is_of_salt_and_body);
	tcase_add_test(tests, the_buffer_never_moves);
	tcase_add_test(tests, keeps_its_ceiling);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
