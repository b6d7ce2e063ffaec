/*
 * Documents: a stream in, a stream out. Neither side holds more of a document than it was just
 * given, because the length of the whole is known beforehand and so is the nonce of every chunk.
 */
#include "port/seal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/digest.h"
#include "port/seal_chunk.h"
#include "port/seal_header.h"

enum { LENGTH_BYTES = 8 };

static const char zeros[4096];

struct seal_writer {
	struct seal_chunk *body;
	uint64_t capacity_bytes;
	uint64_t written_bytes; /* of the document */
	uint64_t padded_bytes;
	bool header_out;
	uint8_t header[SEAL_DOC_HEADER_BYTES];
};

struct seal_reader {
	struct seal_context context;
	struct seal_chunk *body; /* NULL until the header was read */
	uint8_t *plain;
	uint64_t plain_bytes;
	uint64_t read_bytes;
	size_t header_len;
	bool failed;
	bool good; /* opened to its end */
	uint8_t half_b[SEAL_HALF_BYTES];
	uint8_t header[SEAL_DOC_HEADER_BYTES];
};

static struct str bytes_str(const void *bytes, size_t len)
{
	return (struct str){ bytes, len };
}

/* What the wrap of half a is bound to: the key's version too. */
static struct str half_text(const struct seal_context *context, char *text)
{
	size_t len = seal_header_context(context, "half", text).len;

	len += (size_t)snprintf(text + len, SEAL_CONTEXT_BYTES - len, "|%u", context->key_version);
	return bytes_str(text, len);
}

static struct seal_secrets doc_secrets(
	const struct seal_context *context, const struct seal_key *half_a, const uint8_t *half_b)
{
	uint8_t halves[2 * SEAL_HALF_BYTES];

	memcpy(halves, half_a->bytes, SEAL_HALF_BYTES);
	memcpy(halves + SEAL_HALF_BYTES, half_b, SEAL_HALF_BYTES);
	struct seal_secrets secrets =
		seal_header_secrets(context, "doc", bytes_str(halves, sizeof halves), STR(""));
	digest_wipe(halves, sizeof halves);
	return secrets;
}

uint64_t seal_doc_size(uint64_t capacity_bytes)
{
	return SEAL_DOC_HEADER_BYTES + seal_chunk_sealed_bytes(capacity_bytes + LENGTH_BYTES);
}

uint64_t seal_doc_room(uint64_t sealed_bytes)
{
	uint64_t plain_bytes = 0;

	if (sealed_bytes < SEAL_DOC_HEADER_BYTES ||
		!seal_chunk_plain_bytes(sealed_bytes - SEAL_DOC_HEADER_BYTES, &plain_bytes) ||
		plain_bytes < LENGTH_BYTES)
		return 0;
	return plain_bytes;
}

/* The header of a document with fresh halves, and the secrets they make. */
static struct err doc_header_make(const struct seal_context *context, uint8_t *header,
	uint8_t *half_b, struct seal_secrets *ret_secrets)
{
	struct seal_key half_a SCOPED(seal_key_wipe);
	char text[SEAL_CONTEXT_BYTES];

	seal_key_make(context->random, &half_a);
	seal_key_fill(context->random, half_b, SEAL_HALF_BYTES);
	*ret_secrets = doc_secrets(context, &half_a, half_b);
	seal_header_make(context, SEAL_PURPOSE_DOC, ret_secrets, header);
	return seal_key_wrap_raw(context->tenant_key, half_text(context, text), &half_a,
		context->random, header + SEAL_HEADER_AT_PART);
}

struct err seal_doc_writer_new(const struct seal_context *context, uint64_t capacity_bytes,
	struct seal_writer **ret_writer, uint8_t *ret_half_b)
{
	struct seal_secrets secrets SCOPED(seal_header_wipe) = { 0 };
	uint8_t half_b[SEAL_HALF_BYTES];
	struct seal_writer *writer = calloc(1, sizeof *writer);

	assert(capacity_bytes <= (uint64_t)1 << 40);
	if (writer == NULL)
		return seal_header_no_memory();
	struct err e = doc_header_make(context, writer->header, half_b, &secrets);
	writer->capacity_bytes = capacity_bytes;
	if (e.kind == ERR_OK)
		writer->body = seal_chunk_new(&(struct seal_chunk_spec){
			.key = secrets.key,
			.nonce = writer->header + SEAL_HEADER_AT_NONCE,
			.header = bytes_str(writer->header, sizeof writer->header),
			.plain_bytes = capacity_bytes + LENGTH_BYTES,
			.encrypt = true,
		});
	if (writer->body == NULL) {
		seal_doc_writer_free(writer);
		return e.kind == ERR_OK ? seal_header_no_memory() : e;
	}
	memcpy(ret_half_b, half_b, sizeof half_b);
	digest_wipe(half_b, sizeof half_b);
	*ret_writer = writer;
	return err_ok();
}

void seal_doc_writer_free(struct seal_writer *writer)
{
	if (writer == NULL)
		return;
	seal_chunk_free(writer->body);
	free(writer);
}

static void header_out(struct seal_writer *writer, struct buf *out)
{
	if (!writer->header_out)
		buf_add(out, writer->header, sizeof writer->header);
	writer->header_out = true;
}

struct err seal_doc_write(struct seal_writer *writer, struct str document, struct buf *out)
{
	assert(writer->padded_bytes == 0);
	if (document.len > writer->capacity_bytes - writer->written_bytes)
		return err_reject(
			ERR_CODE_DOCUMENT_TOO_LARGE, "the document is larger than was announced");
	header_out(writer, out);
	writer->written_bytes += document.len;
	return seal_chunk_seal(writer->body, document, out);
}

static struct err length_out(struct seal_writer *writer, struct buf *out)
{
	uint8_t length[LENGTH_BYTES];

	for (size_t i = 0; i < sizeof length; i++)
		length[i] = (uint8_t)(writer->written_bytes >> (56 - 8 * i));
	return seal_chunk_seal(writer->body, bytes_str(length, sizeof length), out);
}

struct err seal_doc_finish(struct seal_writer *writer, struct buf *out, bool *ret_done)
{
	const uint64_t rest_bytes = writer->capacity_bytes - writer->written_bytes;

	header_out(writer, out);
	for (size_t made = 0; made < SEAL_CHUNK_BYTES && writer->padded_bytes < rest_bytes;) {
		uint64_t left_bytes = rest_bytes - writer->padded_bytes;
		size_t len = left_bytes < sizeof zeros ? (size_t)left_bytes : sizeof zeros;
		TRY(seal_chunk_seal(writer->body, bytes_str(zeros, len), out));
		writer->padded_bytes += len;
		made += len;
	}
	bool done = writer->padded_bytes == rest_bytes;
	if (done)
		TRY(length_out(writer, out));
	*ret_done = done;
	return err_ok();
}

struct err seal_doc_reader_new(const struct seal_context *context, const uint8_t *half_b,
	uint64_t sealed_bytes, void *plain, struct seal_reader **ret_reader)
{
	uint64_t plain_bytes = seal_doc_room(sealed_bytes);

	if (plain_bytes == 0)
		return seal_header_refuse("no sealed document has this size");
	struct seal_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL)
		return seal_header_no_memory();
	reader->context = *context;
	reader->plain = plain;
	reader->plain_bytes = plain_bytes;
	memcpy(reader->half_b, half_b, sizeof reader->half_b);
	*ret_reader = reader;
	return err_ok();
}

/* What was decrypted is not the caller's before all of it is verified. */
static void plain_wipe(struct seal_reader *reader)
{
	uint64_t bytes =
		reader->plain_bytes < reader->read_bytes ? reader->plain_bytes : reader->read_bytes;

	if (reader->body != NULL)
		digest_wipe(reader->plain, bytes);
}

void seal_doc_reader_free(struct seal_reader *reader)
{
	if (reader == NULL)
		return;
	if (!reader->good)
		plain_wipe(reader);
	seal_chunk_free(reader->body);
	digest_wipe(reader, sizeof *reader);
	free(reader);
}

/* The whole header is there: the key, and with it the body's cipher. */
static struct err doc_begin(struct seal_reader *reader)
{
	struct seal_secrets secrets SCOPED(seal_header_wipe) = { 0 };
	struct seal_key half_a SCOPED(seal_key_wipe) = { { 0 } };
	const uint8_t *header = reader->header;
	char text[SEAL_CONTEXT_BYTES];

	TRY(seal_header_check(&reader->context, SEAL_PURPOSE_DOC, header));
	TRY(seal_key_unwrap_raw(reader->context.tenant_key, half_text(&reader->context, text),
		header + SEAL_HEADER_AT_PART, &half_a));
	secrets = doc_secrets(&reader->context, &half_a, reader->half_b);
	TRY(seal_header_fits(&secrets, header));
	reader->body = seal_chunk_new(&(struct seal_chunk_spec){
		.key = secrets.key,
		.nonce = header + SEAL_HEADER_AT_NONCE,
		.header = bytes_str(header, sizeof reader->header),
		.plain_bytes = reader->plain_bytes,
	});
	return reader->body == NULL ? seal_header_no_memory() : err_ok();
}

/* The body's next bytes, after what belonged to the header. */
static struct err doc_feed(struct seal_reader *reader, struct str sealed)
{
	size_t rest = sizeof reader->header - reader->header_len;
	size_t len = sealed.len < rest ? sealed.len : rest;

	if (len > 0)
		memcpy(reader->header + reader->header_len, sealed.ptr, len);
	reader->header_len += len;
	if (reader->header_len < sizeof reader->header)
		return err_ok();
	if (reader->body == NULL)
		TRY(doc_begin(reader));
	reader->read_bytes += sealed.len;
	struct str body = { sealed.len > len ? sealed.ptr + len : NULL, sealed.len - len };
	return seal_chunk_open(reader->body, body, reader->plain);
}

struct err seal_doc_read(struct seal_reader *reader, struct str sealed)
{
	if (reader->failed)
		return seal_header_refuse("the envelope was refused before");
	struct err e = doc_feed(reader, sealed);
	reader->failed = e.kind != ERR_OK;
	if (reader->failed)
		plain_wipe(reader);
	return e;
}

/* Zeros from the document's end to the length. */
static bool padding_good(const uint8_t *plain, uint64_t from, uint64_t to)
{
	uint8_t any = 0;

	for (uint64_t i = from; i < to; i++)
		any |= plain[i];
	return any == 0;
}

struct err seal_doc_end(struct seal_reader *reader, size_t *ret_len)
{
	const uint64_t capacity_bytes = reader->plain_bytes - LENGTH_BYTES;
	uint64_t len = 0;

	if (reader->failed || reader->body == NULL || !seal_chunk_done(reader->body)) {
		plain_wipe(reader);
		return seal_header_refuse("the envelope ends early");
	}
	for (size_t i = 0; i < LENGTH_BYTES; i++)
		len = len << 8 | reader->plain[capacity_bytes + i];
	if (len > capacity_bytes || !padding_good(reader->plain, len, capacity_bytes)) {
		plain_wipe(reader);
		return seal_header_refuse("the envelope's padding is not well-formed");
	}
	reader->good = true;
	*ret_len = (size_t)len;
	return err_ok();
}

struct err seal_doc_open(const struct seal_context *context, const uint8_t *half_b,
	struct str sealed, void *plain, size_t *ret_len)
{
	struct seal_reader *reader = NULL;

	TRY(seal_doc_reader_new(context, half_b, sealed.len, plain, &reader));
	struct err e = seal_doc_read(reader, sealed);
	if (e.kind == ERR_OK)
		e = seal_doc_end(reader, ret_len);
	seal_doc_reader_free(reader);
	return e;
}
