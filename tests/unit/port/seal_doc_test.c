/* Documents: every size around a chunk's edge opens to the same bytes; nothing else opens at all.
 */
#include "port/seal.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "port/seal_chunk.h"
#include "port/seal_header.h"

enum { CHUNK = SEAL_CHUNK_BYTES, SEALED_CHUNK = CHUNK + SEAL_TAG_BYTES, MAX = 4 * CHUNK };

static const struct seal_key tenant_key = { { 1, 2, 3 } };
static const struct seal_key other_key = { { 1, 2, 4 } };

static struct seal_context context_of(uint8_t tenant, uint8_t job)
{
	return (struct seal_context){
		.tenant = { { { tenant } } },
		.job = { { job } },
		.tenant_key = &tenant_key,
		.key_version = 3,
	};
}

static char *pattern(size_t len)
{
	char *bytes = malloc(len + 1);

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 7 + 3);
	return bytes;
}

/* A sealed document, written in pieces, and what opens it. */
struct sealed {
	struct seal_context context;
	struct buf object;
	uint8_t half_b[SEAL_HALF_BYTES];
};

static void finish(struct seal_writer *writer, struct buf *out)
{
	bool done = false;

	while (!done) {
		size_t before = out->len;
		ck_assert_int_eq(seal_doc_finish(writer, out, &done).kind, ERR_OK);
		ck_assert_uint_le(out->len - before, SEAL_DOC_HEADER_BYTES + SEALED_CHUNK + 64);
	}
}

static struct sealed make(size_t len, size_t capacity, size_t piece)
{
	struct sealed made = { .context = context_of(1, 2), .object = BUF(2 * MAX) };
	struct seal_writer *writer = NULL;
	char *document = pattern(len);

	ck_assert_int_eq(
		seal_doc_writer_new(&made.context, capacity, &writer, made.half_b).kind, ERR_OK);
	for (size_t at = 0; at < len; at += piece) {
		struct str part = { document + at, piece < len - at ? piece : len - at };
		ck_assert_int_eq(seal_doc_write(writer, part, &made.object).kind, ERR_OK);
	}
	finish(writer, &made.object);
	seal_doc_writer_free(writer);
	free(document);
	ck_assert_uint_eq(made.object.len, seal_doc_size(capacity));
	return made;
}

static struct err read_pieces(
	const struct sealed *made, struct str object, size_t piece, void *plain, size_t *ret_len)
{
	struct seal_reader *reader = NULL;

	TRY(seal_doc_reader_new(&made->context, made->half_b, object.len, plain, &reader));
	struct err e = err_ok();
	for (size_t at = 0; at < object.len && e.kind == ERR_OK; at += piece) {
		size_t part = piece < object.len - at ? piece : object.len - at;
		e = seal_doc_read(reader, (struct str){ object.ptr + at, part });
	}
	if (e.kind == ERR_OK)
		e = seal_doc_end(reader, ret_len);
	seal_doc_reader_free(reader);
	return e;
}

/* An exact copy, so that a sanitizer sees a read past its end. */
static char *exact(struct str bytes)
{
	char *copy = malloc(bytes.len + (bytes.len == 0));

	ck_assert_ptr_nonnull(copy);
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	return copy;
}

static void expect_opens(const struct sealed *made, size_t len, size_t piece)
{
	size_t room = (size_t)seal_doc_room(made->object.len);
	char *plain = malloc(room);
	char *document = pattern(len);
	char *object = exact(buf_str(&made->object));
	size_t got = 0;

	ck_assert_int_eq(
		read_pieces(made, (struct str){ object, made->object.len }, piece, plain, &got)
			.kind,
		ERR_OK);
	ck_assert_uint_eq(got, len);
	ck_assert_mem_eq(plain, document, len);
	free(object);
	free(document);
	free(plain);
}

static const size_t lens[] = { 0, 1, 7, 65527, 65528, 65529, 65535, 65536, 65537, 131064, 131072,
	196608 };
static const size_t extras[] = { 0, 1, 8, 300, 65528, 65536, 65545 };
static const size_t pieces[] = { 13, 7919, 65536, MAX };

START_TEST(test_round)
{
	size_t len = lens[_i];

	for (size_t e = 0; e < sizeof extras / sizeof *extras; e++) {
		for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
			struct sealed made = make(len, len + extras[e], pieces[p]);
			expect_opens(&made, len, pieces[(p + 1) % 4]);
			buf_done(&made.object);
		}
	}
}
END_TEST

START_TEST(test_round_byte_by_byte)
{
	struct sealed made = make(100, 130, 1);

	expect_opens(&made, 100, 1);
	buf_done(&made.object);
}
END_TEST

/* Opens nothing, in one call and in pieces, and leaves no plaintext behind. */
static void expect_refused(const struct sealed *made, struct str object)
{
	size_t room = (size_t)seal_doc_room(object.len);
	char *plain = calloc(1, room + 1);
	char *copy = exact(object);
	struct str sealed = { copy, object.len };
	size_t got = 12345;

	struct err e = seal_doc_open(&made->context, made->half_b, sealed, plain, &got);
	ck_assert_int_eq(e.kind, ERR_REJECT);
	ck_assert(err_is(e, ERR_CODE_UNDECRYPTABLE));
	ck_assert(err_is(read_pieces(made, sealed, 977, plain, &got), ERR_CODE_UNDECRYPTABLE));
	ck_assert_uint_eq(got, 12345);
	char left = 0;
	for (size_t i = 0; i < room; i++)
		left |= plain[i];
	ck_assert_int_eq(left, 0);
	free(copy);
	free(plain);
}

START_TEST(test_wrong_key)
{
	struct sealed made = make(70000, 70000, MAX);
	struct sealed wrong[6] = { made, made, made, made, made, made };

	wrong[0].half_b[31] ^= 1;
	memset(wrong[1].half_b, 0, SEAL_HALF_BYTES);
	wrong[2].context = context_of(9, 2);
	wrong[3].context = context_of(1, 9);
	wrong[4].context.tenant_key = &other_key;
	wrong[5].context.key_version = 4;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		expect_refused(&wrong[i], buf_str(&made.object));
	expect_opens(&made, 70000, MAX);
	buf_done(&made.object);
}
END_TEST

START_TEST(test_every_bit)
{
	struct sealed made = make(20, 33, MAX);

	for (size_t bit = 0; bit < 8 * made.object.len; bit++) {
		made.object.ptr[bit / 8] ^= (char)(1 << bit % 8);
		expect_refused(&made, buf_str(&made.object));
		made.object.ptr[bit / 8] ^= (char)(1 << bit % 8);
	}
	expect_opens(&made, 20, MAX);
	buf_done(&made.object);
}
END_TEST

START_TEST(test_every_truncation)
{
	struct sealed made = make(20, 33, MAX);

	for (size_t len = 0; len < made.object.len; len++)
		expect_refused(&made, (struct str){ made.object.ptr, len });
	buf_done(&made.object);
}
END_TEST

START_TEST(test_truncated_at_chunk_edges)
{
	struct sealed made = make(3 * CHUNK, 3 * CHUNK, MAX);

	for (size_t chunks = 0; chunks <= 3; chunks++) {
		size_t edge = SEAL_DOC_HEADER_BYTES + chunks * SEALED_CHUNK;
		for (size_t d = 0; d < 40; d++)
			expect_refused(&made, (struct str){ made.object.ptr, edge - 20 + d });
	}
	buf_done(&made.object);
}
END_TEST

START_TEST(test_extended)
{
	static const size_t more[] = { 1, 16, 17, 24, SEALED_CHUNK };

	for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
		struct sealed made = make(CHUNK, 2 * CHUNK - 8, MAX);
		char *tail = pattern(more[i]);
		buf_add(&made.object, tail, more[i]);
		expect_refused(&made, buf_str(&made.object));
		free(tail);
		buf_done(&made.object);
	}
}
END_TEST

/* The chunks of an object in another order or number; 9 ends the list. */
static const uint8_t orders[][6] = {
	{ 1, 0, 2, 3, 9 },
	{ 0, 2, 1, 3, 9 },
	{ 3, 1, 2, 0, 9 },
	{ 0, 1, 3, 2, 9 },
	{ 0, 1, 3, 9 },
	{ 0, 1, 2, 9 },
	{ 1, 2, 3, 9 },
	{ 3, 9 },
	{ 0, 9 },
	{ 0, 1, 2, 3, 3, 9 },
	{ 0, 0, 1, 2, 3, 9 },
	{ 0, 1, 1, 3, 9 },
};

START_TEST(test_reordered)
{
	struct sealed made = make(4 * CHUNK - 8, 4 * CHUNK - 8, MAX);
	struct buf other = BUF(2 * MAX);

	buf_add(&other, made.object.ptr, SEAL_DOC_HEADER_BYTES);
	for (size_t i = 0; orders[_i][i] != 9; i++)
		buf_add(&other,
			made.object.ptr + SEAL_DOC_HEADER_BYTES + orders[_i][i] * SEALED_CHUNK,
			SEALED_CHUNK);
	expect_refused(&made, buf_str(&other));
	buf_done(&other);
	buf_done(&made.object);
}
END_TEST

START_TEST(test_parts_of_two_documents)
{
	struct sealed a = make(50, 50, MAX);
	struct sealed b = make(50, 50, MAX);

	ck_assert_mem_ne(a.half_b, b.half_b, SEAL_HALF_BYTES);
	memcpy(a.object.ptr + SEAL_DOC_HEADER_BYTES, b.object.ptr + SEAL_DOC_HEADER_BYTES,
		a.object.len - SEAL_DOC_HEADER_BYTES);
	expect_refused(&a, buf_str(&a.object));
	buf_done(&a.object);
	buf_done(&b.object);
}
END_TEST

START_TEST(test_wrong_length_announced)
{
	static const int shifts[] = { -1, 1, SEALED_CHUNK, -SEALED_CHUNK };

	for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
		struct sealed made = make(2 * CHUNK, 2 * CHUNK, MAX);
		size_t announced = (size_t)((int)made.object.len + shifts[i]);
		char *plain = malloc(MAX);
		struct seal_reader *reader = NULL;
		size_t got = 0;
		ck_assert_int_eq(
			seal_doc_reader_new(&made.context, made.half_b, announced, plain, &reader)
				.kind,
			ERR_OK);
		struct err e = seal_doc_read(reader, buf_str(&made.object));
		if (e.kind == ERR_OK)
			e = seal_doc_end(reader, &got);
		ck_assert(err_is(e, ERR_CODE_UNDECRYPTABLE));
		ck_assert(err_is(seal_doc_read(reader, STR("")), ERR_CODE_UNDECRYPTABLE) ||
			  shifts[i] > 0);
		ck_assert(err_is(seal_doc_end(reader, &got), ERR_CODE_UNDECRYPTABLE));
		seal_doc_reader_free(reader);
		free(plain);
		buf_done(&made.object);
	}
}
END_TEST

/* The plaintext stream of one who knows the keys but not the rules: 24 bytes, padding to 40,
 * length. */
static const struct {
	uint8_t padding;
	uint64_t length;
	bool good;
} streams[] = {
	{ 0, 24, true },
	{ 0, 40, true },
	{ 1, 24, false },
	{ 0, 0, false }, /* what would be padding is not zero */
	{ 0, 41, false },
	{ 0, UINT64_MAX, false },
	{ 0, UINT64_C(1) << 63, false },
};

static void fill_same(void *arg, void *ret_bytes, size_t len)
{
	memset(ret_bytes, *(const uint8_t *)arg, len);
}

START_TEST(test_padding)
{
	uint8_t byte = 0x42;
	struct seal_random random = { fill_same, &byte };
	struct seal_writer *writer = NULL;
	struct sealed made = { .context = context_of(1, 2), .object = BUF(4096) };
	uint8_t stream[48] = "xxxxxxxxxxxxxxxxxxxxxxxx";
	uint8_t halves[2 * SEAL_HALF_BYTES];
	size_t got = 0;
	char plain[64];

	stream[39] = streams[_i].padding;
	made.context.random = &random;
	ck_assert_int_eq(seal_doc_writer_new(&made.context, 40, &writer, made.half_b).kind, ERR_OK);
	ck_assert_int_eq(seal_doc_write(writer, STR(""), &made.object).kind, ERR_OK);
	ck_assert_uint_eq(made.object.len, SEAL_DOC_HEADER_BYTES);
	seal_doc_writer_free(writer);
	memset(halves, byte, sizeof halves);
	for (size_t i = 0; i < 8; i++)
		stream[40 + i] = (uint8_t)(streams[_i].length >> (56 - 8 * i));
	struct seal_secrets secrets = seal_header_secrets(
		&made.context, "doc", (struct str){ (char *)halves, sizeof halves }, STR(""));
	struct seal_chunk *body = seal_chunk_new(&(struct seal_chunk_spec){
		.key = secrets.key,
		.nonce = (uint8_t *)made.object.ptr + SEAL_HEADER_AT_NONCE,
		.header = buf_str(&made.object),
		.plain_bytes = sizeof stream,
		.encrypt = true,
	});
	ck_assert_int_eq(
		seal_chunk_seal(body, (struct str){ (char *)stream, sizeof stream }, &made.object)
			.kind,
		ERR_OK);
	seal_chunk_free(body);
	struct err e =
		seal_doc_open(&made.context, made.half_b, buf_str(&made.object), plain, &got);
	ck_assert_int_eq(e.code, streams[_i].good ? ERR_CODE_NONE : ERR_CODE_UNDECRYPTABLE);
	ck_assert_uint_eq(got, streams[_i].good ? streams[_i].length : 0);
	buf_done(&made.object);
}
END_TEST

START_TEST(test_writer_limits)
{
	struct seal_context context = context_of(1, 2);
	struct seal_writer *writer = NULL;
	uint8_t half_b[SEAL_HALF_BYTES];
	struct buf out = BUF(SEAL_DOC_HEADER_BYTES + 8);
	bool done = false;

	ck_assert_int_eq(seal_doc_writer_new(&context, 10, &writer, half_b).kind, ERR_OK);
	ck_assert_int_eq(seal_doc_write(writer, STR("12345678"), &out).kind, ERR_OK);
	struct err e = seal_doc_write(writer, STR("901"), &out);
	ck_assert_int_eq(e.kind, ERR_REJECT);
	ck_assert(err_is(e, ERR_CODE_DOCUMENT_TOO_LARGE));
	ck_assert(err_is(seal_doc_finish(writer, &out, &done), ERR_CODE_RECORD_TOO_LARGE));
	ck_assert(!done);
	seal_doc_writer_free(writer);
	seal_doc_writer_free(NULL);
	seal_doc_reader_free(NULL);
	buf_done(&out);
}
END_TEST

START_TEST(test_sizes)
{
	for (uint64_t capacity = 0; capacity < 3 * CHUNK; capacity += capacity % 97 == 0 ? 1 : 31)
		ck_assert_uint_eq(seal_doc_room(seal_doc_size(capacity)), capacity + 8);
	ck_assert_uint_eq(seal_doc_size(0), SEAL_DOC_HEADER_BYTES + 8 + SEAL_TAG_BYTES);
	ck_assert_uint_eq(seal_doc_size(CHUNK - 8), SEAL_DOC_HEADER_BYTES + CHUNK + SEAL_TAG_BYTES);
	ck_assert_uint_eq(
		seal_doc_size(CHUNK - 7), SEAL_DOC_HEADER_BYTES + CHUNK + 1 + 2 * SEAL_TAG_BYTES);
	ck_assert_uint_eq(seal_doc_room(0), 0);
	ck_assert_uint_eq(seal_doc_room(SEAL_DOC_HEADER_BYTES + 23), 0);
	ck_assert_uint_eq(seal_doc_room(SEAL_DOC_HEADER_BYTES + SEALED_CHUNK + 16), 0);
	ck_assert_uint_eq(seal_doc_room(UINT64_MAX), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal_doc");
	TCase *tests = tcase_create("seal_doc");

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, test_round, 0, sizeof lens / sizeof *lens);
	tcase_add_test(tests, test_round_byte_by_byte);
	tcase_add_test(tests, test_wrong_key);
	tcase_add_test(tests, test_every_bit);
	tcase_add_test(tests, test_every_truncation);
	tcase_add_test(tests, test_truncated_at_chunk_edges);
	tcase_add_test(tests, test_extended);
	tcase_add_loop_test(tests, test_reordered, 0, sizeof orders / sizeof *orders);
	tcase_add_test(tests, test_parts_of_two_documents);
	tcase_add_test(tests, test_wrong_length_announced);
	tcase_add_loop_test(tests, test_padding, 0, sizeof streams / sizeof *streams);
	tcase_add_test(tests, test_writer_limits);
	tcase_add_test(tests, test_sizes);
	suite_add_tcase(suite, tests);
	SRunner *sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
