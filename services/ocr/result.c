#include "result.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "model/codec.h"
#include "model/rediskey.h"
#include "port/redis.h"

#include "document.h"

enum {
	TIMEOUT_MS = 10000,
	ESCAPE_FACTOR = 6,	/* \u0001 */
	BODY_FRAME_BYTES = 512, /* of the body without pages, and of a page without its text */
	PAGE_FRAME_BYTES = 128,
};

struct body_page {
	int64_t page;
	const char *source;
	double confidence;
	const char *text;
};

struct body {
	struct id job_id;
	const char *document_hash;
	struct codec_list pages;
};

static const struct codec_field page_fields[] = {
	CODEC_FIELD(struct body_page, page, CODEC_INT, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct body_page, source, CODEC_TEXT, CODEC_PLAIN, true, 8),
	CODEC_FIELD(struct body_page, confidence, CODEC_REAL, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct body_page, text, CODEC_TEXT, CODEC_CONTENT, true, 0),
	CODEC_END,
};
static const struct codec_type page_type = { "result.page", sizeof(struct body_page), page_fields };

static const struct codec_field body_fields[] = {
	CODEC_FIELD(struct body, job_id, CODEC_ID, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct body, document_hash, CODEC_TEXT, CODEC_PLAIN, true, 64),
	CODEC_SUB(struct body, pages, CODEC_LIST, true, 0, &page_type),
	CODEC_END,
};
static const struct codec_type body_type = { "result", sizeof(struct body), body_fields };

/* A buffer that is large enough from the start: growing would leave text behind in freed memory. */
static bool take_buffer(const struct document *document, struct buf *ret_buf)
{
	size_t max = SEAL_RESULT_SALT_BYTES + BODY_FRAME_BYTES;

	for (unsigned i = 0; i < document->pages_total && max < RESULT_MAX_BYTES; i++)
		max += PAGE_FRAME_BYTES + ESCAPE_FACTOR * document->pages[i].text.len;
	if (max > RESULT_MAX_BYTES)
		max = RESULT_MAX_BYTES;
	*ret_buf = (struct buf){ .ptr = malloc(max + 1), .cap = max + 1, .max = max };
	return ret_buf->ptr != NULL;
}

static struct body_page body_page_of(const struct document_page *page)
{
	return (struct body_page){
		.page = page->number,
		.source = page->source == DOCUMENT_SOURCE_TEXT ? "text" : "ocr",
		.confidence = page->confidence,
		.text = page->text.len == 0 ? "" : page->text.ptr, /* ends with NUL */
	};
}

struct err result_build(const struct result_job *job, const struct document *document,
	struct arena *arena, struct result *ret_result)
{
	struct body body = { job->job_id, job->document_hash, { NULL, document->pages_total } };
	struct body_page *pages = arena_alloc(arena, document->pages_total * sizeof *pages);
	struct result result = { .hash = "" };
	uint8_t hash[DIGEST_BYTES];

	if (pages == NULL)
		return arena_overflow();
	for (unsigned i = 0; i < document->pages_total; i++)
		pages[i] = body_page_of(&document->pages[i]);
	body.pages.items = pages;
	if (!take_buffer(document, &result.plain))
		return err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory for a result");
	buf_add(&result.plain, job->salt, SEAL_RESULT_SALT_BYTES);
	struct err e = codec_write(&body_type, &body, CODEC_TO_SEALED, &result.plain);
	if (e.kind != ERR_OK) {
		result_done(&result);
		return e;
	}
	digest_sha256(buf_str(&result.plain), hash);
	encode_hex(hash, sizeof hash, result.hash);
	*ret_result = result;
	return err_ok();
}

size_t result_body_bytes(const struct result *result)
{
	return result->plain.len - SEAL_RESULT_SALT_BYTES;
}

void result_done(struct result *result)
{
	if (result->plain.ptr != NULL)
		digest_wipe(result->plain.ptr, result->plain.len);
	buf_done(&result->plain);
}

static struct err set(struct redis *redis, const char *key, struct str sealed, struct arena *arena)
{
	char ttl_s[16];
	struct redis_reply *reply;

	snprintf(ttl_s, sizeof ttl_s, "%d", REDISKEY_RESULT_TTL_S);
	const struct str argv[] = { STR("SET"), str_of(key), sealed, STR("EX"), str_of(ttl_s) };
	const struct redis_command command = { argv, sizeof argv / sizeof *argv, TIMEOUT_MS };
	TRY(redis_call(redis, &command, arena, &reply));
	if (reply->kind == REDIS_ERROR) /* out of memory, for one */
		return err_retry(ERR_CODE_REDIS_AWAY, "Redis refused a result");
	return err_ok();
}

struct err result_store(const struct result *result, const struct seal_context *context,
	struct redis *redis, struct arena *arena)
{
	char key[REDISKEY_BYTES];
	SCOPED(buf_done) struct buf sealed = BUF(seal_result_size(result->plain.len));

	rediskey_result(context->tenant, context->job, result->hash, key);
	TRY(seal_result(context, buf_str(&result->plain), &sealed));
	return set(redis, key, buf_str(&sealed), arena);
}
