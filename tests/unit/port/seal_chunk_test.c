/* AES-256-GCM as an envelope's body uses it, against vectors in the manner of Wycheproof's aes_gcm
 * (tests/contract/vectors/gcm, which another implementation checks too). */
#include "port/seal_chunk.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "port/seal.h"

enum { WORD_MAX = 600, BYTES_MAX = 256, LEAST = 50 };

struct vector {
	uint8_t key[BYTES_MAX], nonce[BYTES_MAX], header[BYTES_MAX], plain[BYTES_MAX];
	uint8_t sealed[2 * BYTES_MAX]; /* ciphertext and tag */
	size_t header_len, plain_len, cipher_len, sealed_len;
	bool valid;
	char what[64];
};

static size_t bytes_of(const char *word, uint8_t *ret_bytes)
{
	size_t len = strcmp(word, "-") == 0 ? 0 : strlen(word) / 2;

	if (len > 0)
		ck_assert(encode_hex_back(str_of(word), ret_bytes, len));
	return len;
}

static bool next(FILE *file, struct vector *ret_vector)
{
	char line[8 * WORD_MAX], word[7][WORD_MAX];

	do {
		if (fgets(line, sizeof line, file) == NULL)
			return false;
	} while (line[0] == '#' || line[0] == '\n');
	ck_assert_int_eq(
		sscanf(line, "%599s %599s %599s %599s %599s %599s %599s %63s", word[0], word[1],
			word[2], word[3], word[4], word[5], word[6], ret_vector->what),
		8);
	ck_assert_uint_eq(bytes_of(word[0], ret_vector->key), 32);
	ck_assert_uint_eq(bytes_of(word[1], ret_vector->nonce), SEAL_CHUNK_NONCE_BYTES);
	ret_vector->header_len = bytes_of(word[2], ret_vector->header);
	ret_vector->plain_len = bytes_of(word[3], ret_vector->plain);
	ret_vector->cipher_len = bytes_of(word[4], ret_vector->sealed);
	ret_vector->sealed_len = ret_vector->cipher_len +
				 bytes_of(word[5], ret_vector->sealed + ret_vector->cipher_len);
	ret_vector->valid = strcmp(word[6], "valid") == 0;
	return true;
}

static struct seal_chunk *chunk_of(const struct vector *vector, uint64_t plain_bytes, bool encrypt)
{
	struct seal_chunk *chunk = seal_chunk_new(&(struct seal_chunk_spec){ .key = vector->key,
		.nonce = vector->nonce,
		.header = { (const char *)vector->header, vector->header_len },
		.plain_bytes = plain_bytes,
		.encrypt = encrypt });

	ck_assert_ptr_nonnull(chunk);
	return chunk;
}

static void expect_seals(const struct vector *vector)
{
	struct seal_chunk *chunk = chunk_of(vector, vector->plain_len, true);
	struct buf out = BUF(4 * BYTES_MAX);
	const struct str plain = { (const char *)vector->plain, vector->plain_len };

	ck_assert_int_eq(seal_chunk_seal(chunk, plain, &out).kind, ERR_OK);
	ck_assert(seal_chunk_done(chunk));
	ck_assert_msg(out.len == vector->sealed_len, "%s", vector->what);
	ck_assert_msg(memcmp(out.ptr, vector->sealed, out.len) == 0, "%s", vector->what);
	buf_done(&out);
	seal_chunk_free(chunk);
}

/* In pieces of that size, as the network brings it. */
static bool opens(const struct vector *vector, size_t piece)
{
	struct seal_chunk *chunk = chunk_of(vector, vector->cipher_len, false);
	uint8_t plain[2 * BYTES_MAX] = { 0 };
	bool good = true;

	for (size_t at = 0; good && at < vector->sealed_len; at += piece) {
		size_t left = vector->sealed_len - at;
		const struct str bytes = { (const char *)vector->sealed + at,
			left < piece ? left : piece };
		good = seal_chunk_open(chunk, bytes, plain).kind == ERR_OK;
	}
	good = good && seal_chunk_done(chunk);
	seal_chunk_free(chunk);
	return good && memcmp(plain, vector->plain, vector->plain_len) == 0;
}

START_TEST(test_vectors)
{
	FILE *file = fopen(TEST_SOURCE_DIR "/tests/contract/vectors/gcm/vectors.txt", "re");
	struct vector vector = { .valid = false };
	int count = 0;

	ck_assert_ptr_nonnull(file);
	for (; next(file, &vector); count++) {
		if (vector.valid)
			expect_seals(&vector);
		for (size_t piece = 1; piece <= 2 * BYTES_MAX; piece = piece * 3 + 1)
			ck_assert_msg(opens(&vector, piece) == vector.valid, "%s, pieces of %zu",
				vector.what, piece);
	}
	ck_assert_int_ge(count, LEAST);
	fclose(file);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal_chunk");
	TCase *tc = tcase_create("seal_chunk");

	tcase_add_test(tc, test_vectors);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
