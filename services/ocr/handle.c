#include "handle.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "frame/health.h"
#include "frame/keyring.h"
#include "frame/metrics.h"
#include "frame/service.h"
#include "model/rediskey.h"
#include "port/http.h"
#include "port/pg.h"
#include "port/redis.h"
#include "port/seal.h"

#include "alive.h"
#include "document.h"
#include "events.h"
#include "object.h"
#include "ocr.h"
#include "progress.h"
#include "result.h"
#include "store.h"
#include "tell.h"

enum { FETCH_TIMEOUT_MS = 30000 };

enum end {
	END_NONE,      /* still to be found out */
	END_GONE,      /* nobody waits for it */
	END_FAILED,    /* failed.error_code says why */
	END_COMPLETED, /* the result is stored */
};

struct job_keys {
	struct keyring_row found;   /* the one that was found last, wrapped */
	struct seal_context newest; /* seals the result */
	struct seal_context own;    /* opens the document */
};

/* A job on its way through the steps; lives in the message's arena. */
struct job {
	struct ocr *ocr;
	struct scope *scope;
	const struct events_received *received;
	struct store_key key;
	struct store_open_job open; /* holds a secret: wiped with the arena */
	struct job_keys keys;
	uint8_t salt[SEAL_RESULT_SALT_BYTES];
	int64_t began_ms, deadline_ms; /* clock_mono_ms() */
	enum end end;
	struct span reading; /* of the document; its pages follow from it */
	bool deleted;
	struct events_completed completed;
	struct events_failed failed;
};

static void fail(struct job *job, enum err_code outcome)
{
	job->end = END_FAILED;
	job->failed.error_code = err_code_name(outcome);
}

static void report(const struct job *job, enum health_part part, struct err e, int64_t from_us)
{
	health_report(service_health(job->ocr->service), part, e, clock_mono_us() - from_us);
}

/* --- claimed --- */

static void wipe_job(void *arg)
{
	digest_wipe(arg, sizeof(struct job));
}

static struct err new_job(
	struct scope *scope, const struct events_received *received, struct job **ret_job)
{
	struct job *job = arena_alloc(scope->arena, sizeof *job);

	if (job == NULL || !arena_defer(scope->arena, wipe_job, job))
		return arena_overflow();
	job->ocr = scope->state;
	job->scope = scope;
	job->received = received;
	job->key = (struct store_key){ scope->event->tenant, received->job_id };
	job->keys.newest =
		(struct seal_context){ .tenant = job->key.tenant, .job = received->job_id };
	codec_clear(&events_document_failed, &job->failed);
	job->failed.job_id = job->completed.job_id = received->job_id;
	job->began_ms = clock_mono_ms();
	*ret_job = job;
	return err_ok();
}

static struct err find_key(struct job *job, struct pg *pg, uint32_t version)
{
	job->keys.found.of = (struct seal_key_row){ job->key.tenant, version };
	return keyring_find(job->ocr->keyring, pg, job->scope->arena, &job->keys.found);
}

/* A key service may take its time, so this is never in a transaction. */
static struct err open_key(struct job *job, struct seal_context *context)
{
	context->key_version = job->keys.found.of.version;
	return keyring_unwrap(
		job->ocr->keyring, job->scope->arena, &job->keys.found, &context->tenant_key);
}

static struct err emit(const struct job *job, const struct codec_type *type, const void *payload)
{
	char id[ID_TEXT_BYTES];

	id_format(job->key.job_id, id);
	const struct str parts[] = { str_of(id), str_of(type->name) };
	const struct outbox_event event = {
		.topic = TOPIC_OCR_EVENTS,
		.id = outbox_id(parts, 2),
		.type = type,
		.payload = payload,
		.tenant = job->key.tenant,
		.ordering_key = id,
		.sink = CODEC_TO_TOPIC,
	};

	return outbox_emit(job->scope->outbox, &event);
}

/* Reading takes seconds; without a place for the result it would be for nothing. */
static struct err check_store(const struct job *job)
{
	if (!redis_is_up(job->ocr->redis))
		return err_retry(ERR_CODE_REDIS_AWAY, "no connection to Redis");
	if (!job->ocr->store_is_safe)
		return err_retry(ERR_CODE_REDIS_AWAY, "what Redis keeps is not checked yet");
	return err_ok();
}

struct err handle_claimed(struct scope *scope, const void *payload)
{
	struct job *job = NULL;
	bool open;

	TRY(new_job(scope, payload, &job));
	scope->user = job;
	TRY(object_check(job->received, job->key.tenant, scope->arena));
	TRY(store_load_open_job(scope->pg, scope->arena, &job->key, &job->open, &open));
	if (!open) {
		job->end = END_GONE;
		scope->gone = true;
		return err_ok();
	}
	TRY(check_store(job));
	job->deadline_ms = job->began_ms + job->open.remaining_ms;
	TRY(find_key(job, scope->pg, 0));
	const struct events_started started = { job->key.job_id };
	return emit(job, &events_document_started, &started);
}

/* --- work: questions to Postgres in a transaction of their own --- */

static struct err aside(struct job *job, struct err (*ask)(struct job *job, struct pg *pg))
{
	struct pg_pool *pool = service_pool(job->ocr->service);
	struct pg *pg = pg_pool_take(pool);
	struct err e = pg_begin(pg);

	if (e.kind == ERR_OK)
		e = pg_set_tenant(pg, job->key.tenant);
	if (e.kind == ERR_OK)
		e = ask(job, pg);
	if (e.kind == ERR_OK)
		e = pg_commit(pg);
	if (e.kind != ERR_OK)
		pg_rollback(pg);
	return pg_pool_give(pool, pg, job->scope->arena, e);
}

static struct err ask_own_key(struct job *job, struct pg *pg)
{
	return find_key(job, pg, job->keys.own.key_version);
}

static struct err ask_still_open(struct job *job, struct pg *pg)
{
	bool open;

	TRY(store_load_open_job(pg, job->scope->arena, &job->key, &job->open, &open));
	digest_wipe(job->open.half, sizeof job->open.half);
	if (!open)
		job->end = END_GONE;
	return err_ok();
}

/* --- work: from the storage into a memory file --- */

static struct object_place place_of(const struct job *job)
{
	return (struct object_place){ job->ocr->http, job->ocr->conf->wires.s3_endpoint,
		(size_t)job->ocr->conf->object_max_bytes, job->scope->arena, job->ocr->storage };
}

static struct tell tell_of(const struct job *job)
{
	return (struct tell){ job->ocr, job->scope->event, job->key.job_id };
}

static struct err fetch_now(struct job *job, int64_t timeout_ms, struct http_response *ret_sealed)
{
	const struct object_place place = place_of(job);
	const struct tell tell = tell_of(job);
	struct span span;

	tell_begin(&tell, OTLP_CLIENT, &span);
	struct err e = object_fetch(&place, job->received, timeout_ms, ret_sealed);
	tell_fetched(&span, ret_sealed->status, e);
	return e;
}

static struct err fetch(struct job *job, struct http_response *ret_sealed)
{
	int64_t from_us = clock_mono_us(), left_ms = job->deadline_ms - from_us / 1000;
	struct err e = err_reject(ERR_CODE_NOT_FOUND, "the deadline is over");

	if (left_ms > 0) {
		e = fetch_now(
			job, left_ms < FETCH_TIMEOUT_MS ? left_ms : FETCH_TIMEOUT_MS, ret_sealed);
		report(job, HEALTH_STORAGE, e, from_us);
	}
	if (err_is(e, ERR_CODE_NOT_FOUND))
		job->end = END_GONE;
	else if (err_is(e, ERR_CODE_RECORD_TOO_LARGE))
		fail(job, ERR_CODE_RESOURCE_LIMIT);
	else
		return e;
	return err_ok();
}

/* A rotated tenant key still opens what was sealed before. */
static struct err choose_key(struct job *job, struct str sealed)
{
	job->keys.own = job->keys.newest;
	TRY(seal_version_of(sealed, &job->keys.own.key_version));
	if (job->keys.own.key_version == job->keys.newest.key_version)
		return err_ok();
	TRY(aside(job, ask_own_key));
	return open_key(job, &job->keys.own);
}

static struct err unseal(struct job *job, struct str sealed, int *ret_fd)
{
	struct err e = choose_key(job, sealed);

	if (e.kind == ERR_OK)
		e = object_unseal(&job->keys.own, job->open.half, sealed, ret_fd);
	if (e.kind == ERR_OK)
		seal_result_salt(&job->keys.own, job->open.half, job->salt);
	digest_wipe(job->open.half, sizeof job->open.half);
	if (e.kind != ERR_REJECT)
		return e;
	fail(job, ERR_CODE_INTERNAL); /* damaged on its way through our own house */
	return err_ok();
}

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static struct err obtain(struct job *job, int *ret_fd)
{
	SCOPED(http_response_done) struct http_response sealed = { 0 };

	TRY(fetch(job, &sealed));
	return job->end != END_NONE ? err_ok() : unseal(job, buf_str(&sealed.body), ret_fd);
}

/* --- work: reading --- */

static struct progress progress_of(const struct job *job)
{
	return (struct progress){ job->ocr->redis, job->scope->arena, job->key.tenant,
		job->key.job_id };
}

static void on_page(void *arg, const struct document_page *page, unsigned pages_total)
{
	const struct job *job = arg;
	const struct progress progress = progress_of(job);
	const struct tell tell = tell_of(job);
	const char *const labels[] = { page->source == DOCUMENT_SOURCE_OCR ? "ocr" : "text" };
	int64_t from_us = clock_mono_us();

	metrics_add(job->ocr->pages, labels, 1);
	metrics_observe(job->ocr->page_seconds, labels, (double)page->time_ms / 1000);
	if (page->source == DOCUMENT_SOURCE_OCR)
		alive_proved(job->ocr->alive);
	tell_page(&tell, &job->reading, page);
	report(job, HEALTH_REDIS, progress_page(&progress, page, pages_total), from_us);
}

static struct err read_now(
	struct job *job, const struct document_job *what, struct document *document)
{
	const struct tell tell = tell_of(job);

	tell_begin(&tell, OTLP_INTERNAL, &job->reading);
	struct err e = document_read(job->ocr->conf->reader, what, document);
	tell_read(&tell, &job->reading, document->pages_total,
		e.kind == ERR_OK ? document->outcome : e.code);
	return e;
}

static struct err read_document(struct job *job, int fd, struct document *document)
{
	const struct document_job what = {
		.pdf_fd = fd,
		.deadline_ms = job->deadline_ms,
		.page = on_page,
		.arg = job,
	};

	TRY(read_now(job, &what, document));
	if (document->outcome == ERR_CODE_EXPIRED)
		job->end = END_GONE; /* intake ends it and says so */
	else if (document->outcome != ERR_CODE_NONE)
		fail(job, document->outcome);
	if (document->pages_total > 0)
		job->failed.pages_total = document->pages_total;
	return err_ok();
}

/* --- work: the result --- */

static struct err store_result(struct job *job, const struct result *result)
{
	const struct tell tell = tell_of(job);
	int64_t from_us;
	struct span span;

	TRY(aside(job, ask_still_open));
	if (job->end != END_NONE)
		return err_ok();
	from_us = clock_mono_us();
	tell_begin(&tell, OTLP_CLIENT, &span);
	struct err e = result_store(result, &job->keys.newest, job->ocr->redis, job->scope->arena);
	report(job, HEALTH_REDIS, e, from_us);
	tell_stored(&span, e);
	TRY(e);
	job->end = END_COMPLETED;
	job->completed.result_bytes = (int64_t)result_body_bytes(result);
	job->completed.result_expires_at = job->open.now_ms + REDISKEY_RESULT_TTL_S * 1000;
	job->completed.result_hash = arena_strdup(job->scope->arena, str_of(result->hash));
	return job->completed.result_hash == NULL ? arena_overflow() : err_ok();
}

static struct err keep(struct job *job, const struct document *document)
{
	SCOPED(result_done) struct result result = { .hash = "" };
	const struct result_job what = { job->key.job_id, job->received->document_hash, job->salt };
	struct err e = result_build(&what, document, job->scope->arena, &result);

	if (err_is(e, ERR_CODE_RECORD_TOO_LARGE)) {
		fail(job, ERR_CODE_RESOURCE_LIMIT);
		return err_ok();
	}
	TRY(e);
	job->completed.pages_total = document->pages_total;
	job->completed.pages_text = document->pages_text;
	job->completed.pages_ocr = document->pages_ocr;
	job->completed.confidence_avg = document->confidence_avg;
	return store_result(job, &result);
}

static struct err carry_out(struct job *job)
{
	SCOPED(close_fd) int fd = -1;
	SCOPED(document_done) struct document document = { .outcome = ERR_CODE_NONE };

	TRY(obtain(job, &fd));
	if (job->end == END_NONE)
		TRY(read_document(job, fd, &document));
	return job->end == END_NONE ? keep(job, &document) : err_ok();
}

struct err handle_work(struct scope *scope, const void *payload)
{
	struct job *job = scope->user;
	const struct progress progress = progress_of(job);
	int64_t from_us = clock_mono_us();

	(void)payload;
	if (job->end != END_NONE)
		return err_ok();
	TRY(open_key(job, &job->keys.newest));
	report(job, HEALTH_REDIS, progress_started(&progress), from_us);
	TRY(carry_out(job));
	job->completed.processing_ms = clock_mono_ms() - job->began_ms;
	job->failed.processing_ms = job->completed.processing_ms;
	return err_ok();
}

/* --- the end --- */

struct err handle_received(struct scope *scope, const void *payload)
{
	const struct job *job = scope->user;

	(void)payload;
	if (job->end == END_COMPLETED)
		return emit(job, &events_document_completed, &job->completed);
	if (job->end == END_FAILED)
		return emit(job, &events_document_failed, &job->failed);
	scope->gone = true;
	return err_ok();
}

static const char *outcome_of(const struct job *job)
{
	if (job->end == END_FAILED)
		return job->failed.error_code;
	return job->end == END_COMPLETED ? "completed" : "gone";
}

struct err handle_after(struct scope *scope, const void *payload)
{
	struct job *job = scope->user;
	const struct object_place place = place_of(job);
	const struct tell tell = tell_of(job);
	const char *const labels[] = { outcome_of(job) };
	int64_t from_us = clock_mono_us();

	metrics_add(job->ocr->documents, labels, 1);
	tell_end(&tell, labels[0], clock_mono_ms() - job->began_ms);
	if (job->end == END_GONE)
		return err_ok();
	struct err e = object_delete(&place, payload);
	report(job, HEALTH_STORAGE, e, from_us);
	job->deleted = e.kind == ERR_OK;
	return e;
}

struct err handle_settle(struct scope *scope, const void *payload)
{
	const struct job *job = scope->user;

	(void)payload;
	if (!job->deleted)
		return err_ok();
	const struct events_deleted deleted = { job->key.job_id };
	return emit(job, &events_document_deleted, &deleted);
}
