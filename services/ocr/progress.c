#include "progress.h"

#include <stdio.h>

#include "model/codec.h"
#include "model/rediskey.h"
#include "port/redis.h"

#include "document.h"

enum { TIMEOUT_MS = 1000, DATA_MAX_BYTES = 512 };

/* In one step, so that a stream never stays behind without a TTL. */
static const char script[] = "redis.call('XADD',KEYS[1],'MAXLEN','~','1000','*',"
			     "'event',ARGV[1],'data',ARGV[2]) "
			     "return redis.call('EXPIRE',KEYS[1],ARGV[3])";

struct page_data {
	int64_t page, pages;
	const char *source;
	double confidence;
	int64_t ms;
};

#define F(member, kind) CODEC_FIELD(struct page_data, member, kind, CODEC_PLAIN, true, 0)

static const struct codec_field page_fields[] = {
	F(page, CODEC_INT),
	F(pages, CODEC_INT),
	F(source, CODEC_TEXT),
	F(confidence, CODEC_REAL),
	F(ms, CODEC_INT),
	CODEC_END,
};
static const struct codec_type page_type = { "progress.page", sizeof(struct page_data),
	page_fields };

static struct err add(const struct progress *progress, const char *event, struct str data)
{
	char key[REDISKEY_BYTES], ttl_s[16];
	struct redis_reply *reply;

	rediskey_progress(progress->tenant, progress->job_id, key);
	snprintf(ttl_s, sizeof ttl_s, "%d", REDISKEY_RESULT_TTL_S);
	const struct str argv[] = { STR("EVAL"), str_of(script), STR("1"), str_of(key),
		str_of(event), data, str_of(ttl_s) };
	const struct redis_command command = { argv, sizeof argv / sizeof *argv, TIMEOUT_MS };
	TRY(redis_call(progress->redis, &command, progress->arena, &reply));
	if (reply->kind == REDIS_ERROR)
		return err_retry(ERR_CODE_REDIS_AWAY, "Redis refused a progress entry");
	return err_ok();
}

struct err progress_started(const struct progress *progress)
{
	return add(progress, "started", STR("{}"));
}

struct err progress_page(
	const struct progress *progress, const struct document_page *page, unsigned pages_total)
{
	SCOPED(buf_done) struct buf data = BUF(DATA_MAX_BYTES);
	const struct page_data value = {
		.page = page->number,
		.pages = pages_total,
		.source = page->source == DOCUMENT_SOURCE_TEXT ? "text" : "ocr",
		.confidence = page->confidence,
		.ms = page->time_ms,
	};

	TRY(codec_write(&page_type, &value, CODEC_TO_CLIENT, &data));
	return add(progress, "page", buf_str(&data));
}
