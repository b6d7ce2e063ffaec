/*
 * Opens arbitrary bytes as a document, a result and a wrapped key. The first byte says how: the
 * size of the pieces and whether the input's header and body are first sealed anew under the fixed
 * keys, so that the fuzzer also gets behind the authentication.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "port/seal.h"
#include "port/seal_chunk.h"
#include "port/seal_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct seal_key tenant_key = { { 7 } };
static const uint8_t half_b[SEAL_HALF_BYTES] = { 9, 9, 9, 9 };

static void fill_same(void *arg, void *ret_bytes, size_t len)
{
	memset(ret_bytes, *(const uint8_t *)arg, len);
}

/* The whole object in pieces; the document's length, or -1 when it is refused. */
static int64_t read_doc(const struct seal_context *context, const uint8_t *half, struct str sealed,
	uint8_t *plain, size_t piece)
{
	struct seal_reader *reader = NULL;
	size_t len = 0;

	struct err e = seal_doc_reader_new(context, half, sealed.len, plain, &reader);
	for (size_t at = 0; e.kind == ERR_OK && at < sealed.len; at += piece) {
		size_t part = piece < sealed.len - at ? piece : sealed.len - at;
		e = seal_doc_read(reader, (struct str){ sealed.ptr + at, part });
	}
	if (e.kind == ERR_OK)
		e = seal_doc_end(reader, &len);
	seal_doc_reader_free(reader);
	return e.kind == ERR_OK ? (int64_t)len : -1;
}

static void open_doc(const struct seal_context *context, struct str sealed, size_t piece)
{
	size_t room = (size_t)seal_doc_room(sealed.len);
	uint8_t *plain = malloc(room + (room == 0));

	int64_t len = read_doc(context, half_b, sealed, plain, piece);
	if (len >= 0 && len + 8 > (int64_t)room)
		abort();
	free(plain);
}

/* plain as the stream of a document whose keys fit: only its padding and length are hostile. */
static void open_stream(struct seal_context context, struct str plain, size_t piece)
{
	uint8_t byte = 9;
	struct seal_random random = { fill_same, &byte };
	struct seal_writer *writer = NULL;
	struct buf object = BUF(1 << 21);
	uint8_t half[SEAL_HALF_BYTES];
	uint8_t halves[2 * SEAL_HALF_BYTES];

	context.random = &random;
	if (seal_doc_writer_new(&context, plain.len, &writer, half).kind != ERR_OK ||
		seal_doc_write(writer, STR(""), &object).kind != ERR_OK)
		abort();
	seal_doc_writer_free(writer);
	memset(halves, byte, sizeof halves);
	struct seal_secrets secrets = seal_header_secrets(
		&context, "doc", (struct str){ (char *)halves, sizeof halves }, STR(""));
	struct seal_chunk *body = seal_chunk_new(&(struct seal_chunk_spec){
		.key = secrets.key,
		.nonce = (uint8_t *)object.ptr + SEAL_HEADER_AT_NONCE,
		.header = buf_str(&object),
		.plain_bytes = plain.len,
		.encrypt = true,
	});
	if (seal_chunk_seal(body, plain, &object).kind != ERR_OK)
		abort();
	seal_chunk_free(body);
	uint8_t *room = malloc(plain.len + 8);
	int64_t len = read_doc(&context, half, buf_str(&object), room, piece);
	if (len >= 0 && (len > (int64_t)plain.len - 8 || memcmp(room, plain.ptr, (size_t)len) != 0))
		abort();
	free(room);
	buf_done(&object);
}

static void open_rest(const struct seal_context *context, struct str sealed)
{
	struct buf out = BUF(1 << 21);
	struct seal_key_row row = { context->tenant, 1 };
	struct seal_key key;
	uint32_t version;

	if (seal_result_open(context, sealed, &out).kind != ERR_OK && out.len > 0)
		abort();
	(void)!seal_key_unwrap(&tenant_key, &row, sealed, &key).kind;
	(void)!seal_version_of(sealed, &version).kind;
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_context context = { .tenant_key = &tenant_key, .key_version = 1 };

	if (size == 0)
		return 0;
	size_t piece = 1 + (size_t)(data[0] >> 1) * 37;
	struct str rest = { (const char *)data + 1, size - 1 };
	if (data[0] & 1) {
		open_stream(context, rest, piece);
		return 0;
	}
	open_doc(&context, rest, piece);
	open_rest(&context, rest);
	return 0;
}
