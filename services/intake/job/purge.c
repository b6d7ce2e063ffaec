#include "job/purge.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/health.h"
#include "frame/operation.h"
#include "frame/relay.h"
#include "frame/service.h"
#include "intake.h"
#include "job/announce.h"
#include "job/progress.h"
#include "job/store.h"
#include "port/pg.h"
#include "port/s3.h"
#include "tenant/prove.h"

enum {
	ROUND_MS = 1000,
	SWEEP_MAX_MS = 60000,
	KEYS_MS = 3600000,
	LIST_MAX = 500,
	ARENA_BYTES = 4 << 20,
	RETRY_MAX_S = 60,
};

struct purge {
	struct intake *intake;
	struct pg *pg;
	struct arena *arena;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping, woken, proven, checked;
	int64_t swept_ms, keys_ms;
};

static void object_key(struct tenant tenant, struct id job_id, char *ret_key)
{
	id_format(tenant.id, ret_key);
	ret_key[ID_TEXT_BYTES - 1] = '/';
	id_format(job_id, ret_key + ID_TEXT_BYTES);
	memcpy(ret_key + 2 * ID_TEXT_BYTES - 1, ".enc", 5);
}

enum { KEY_BYTES = 2 * ID_TEXT_BYTES + 4 };

/* The reverse; false for an object that intake did not make. */
static bool parse_key(const char *key, struct store_due *ret_job)
{
	struct str rest, tenant = str_cut(str_of(key), '/', &rest);

	if (rest.len != ID_TEXT_BYTES - 1 + 4 ||
		memcmp(rest.ptr + ID_TEXT_BYTES - 1, ".enc", 4) != 0)
		return false;
	rest.len = ID_TEXT_BYTES - 1;
	return id_parse(tenant, &ret_job->tenant.id) && id_parse(rest, &ret_job->job_id);
}

/* --- due purges --- */

static struct err begin(struct purge *purge, const struct store_due *due, struct store_job *ret_job)
{
	TRY(pg_begin(purge->pg));
	TRY(pg_set_tenant(purge->pg, due->tenant));
	return store_load_job(purge->pg, purge->arena, due->tenant, due->job_id, ret_job);
}

static struct err finish(struct purge *purge, struct outbox *outbox)
{
	TRY(outbox_flush(outbox, purge->pg));
	TRY(pg_commit(purge->pg));
	relay_wake(service_relay(purge->intake->service));
	return err_ok();
}

static struct err new_outbox(struct purge *purge, struct outbox **ret_outbox)
{
	*ret_outbox = outbox_new(purge->arena, service_outbox(purge->intake->service));
	return *ret_outbox == NULL ? arena_overflow() : err_ok();
}

/* An unfinished job whose time is over fails; from then on no commit for it is taken. */
static struct err end_overdue(struct purge *purge, const struct store_due *due, bool *ret_ended)
{
	struct outbox *outbox;
	struct store_job job;

	TRY(new_outbox(purge, &outbox));
	TRY(begin(purge, due, &job));
	const struct decision decision =
		job.found ? decide(&job.state, DECIDE_ON_OVERDUE) : (struct decision){ 0 };
	*ret_ended = job.found && decision.verdict == DECIDE_APPLY && decision.purge_now;
	if (!*ret_ended) {
		pg_rollback(purge->pg);
		return err_ok();
	}
	const char *code = err_code_name(decision.error_code);
	struct events_entry entry = announce_entry(&job, decision.audit);
	entry.metadata.error_code = code;
	TRY(store_fail(purge->pg, &job, code, CODEC_NO_INT, CODEC_NO_INT));
	TRY(announce_audit(outbox, &job, &entry, ""));
	TRY(announce_ended(outbox, &job, &events_ended_expired, code));
	return finish(purge, outbox);
}

static struct err confirm(struct purge *purge, const struct store_due *due)
{
	struct outbox *outbox;
	struct store_job job;

	TRY(new_outbox(purge, &outbox));
	TRY(begin(purge, due, &job));
	const struct decision decision =
		job.found ? decide(&job.state, DECIDE_ON_DELETED) : (struct decision){ 0 };
	if (!job.found || decision.verdict != DECIDE_APPLY) {
		TRY(store_purged(purge->pg,
			&(struct store_job){ .tenant = due->tenant, .job_id = due->job_id }));
		return pg_commit(purge->pg);
	}
	struct events_entry entry = announce_entry(&job, decision.audit);
	entry.metadata.deletion_confirmed = 1;
	TRY(store_purged(purge->pg, &job));
	TRY(announce_audit(outbox, &job, &entry, ""));
	TRY(announce_ended(outbox, &job, &events_ended_purged, NULL));
	return finish(purge, outbox);
}

static struct err delete_key(struct purge *purge, const char *key)
{
	int64_t from_us = clock_mono_us();
	struct err e = s3_delete(purge->intake->s3, key);
	health_report(service_health(purge->intake->service), HEALTH_STORAGE, e,
		clock_mono_us() - from_us);
	return e;
}

static struct err delete_object(struct purge *purge, const struct store_due *due)
{
	char key[KEY_BYTES];

	object_key(due->tenant, due->job_id, key);
	return delete_key(purge, key);
}

static struct err put_off(struct purge *purge, const struct store_due *due)
{
	int64_t delay_s = due->attempts > 6 ? RETRY_MAX_S : INT64_C(1) << due->attempts;

	TRY(pg_begin(purge->pg));
	TRY(store_postpone(purge->pg, due, delay_s));
	return pg_commit(purge->pg);
}

/* A server that is away is one line of health's, not one of each document at each attempt. */
static void log_waits(const struct store_due *due, struct err e)
{
	char job[ID_TEXT_BYTES];

	if (due->attempts > 0 || health_part_of(e) != HEALTH_PARTS)
		return;
	id_format(due->job_id, job);
	LOG(LOG_WARN, "purge.waits", LOG_TEXT("job_id", job), LOG_ERR(e));
}

static struct err purge_job(struct purge *purge, const struct store_due *due)
{
	bool ended = false;

	TRY(end_overdue(purge, due, &ended));
	if (ended) {
		struct err e =
			progress_end(purge->intake->redis, due->tenant, due->job_id, purge->arena);
		(void)e; /* watchers re-read their rows */
	}
	struct err e = delete_object(purge, due);
	if (e.kind != ERR_OK) {
		log_waits(due, e);
		return put_off(purge, due);
	}
	return confirm(purge, due);
}

static struct err purge_due(struct purge *purge)
{
	struct store_due due[STORE_DUE_MAX];
	size_t count = 0;

	arena_reset(purge->arena);
	TRY(store_take_due(purge->pg, purge->arena, due, &count));
	for (size_t i = 0; i < count; i++) {
		arena_reset(purge->arena);
		TRY(purge_job(purge, &due[i]));
	}
	if (count == STORE_DUE_MAX)
		purge_wake(purge);
	return err_ok();
}

/* --- orphans: objects of uploads that died before their job was committed --- */

/* Audited first: a kill in between repeats the deletion, and the entry is the same. The tenant's id
 * stays inside: the object is named by what follows it. */
static struct err delete_orphan(struct purge *purge, const char *key)
{
	struct str name, tenant_text = str_cut(str_of(key), '/', &name);
	struct outbox *outbox;
	const struct str parts[] = { str_of(key), STR("orphan.deleted") };
	struct operation operation = {
		.id = outbox_id(parts, 2), /* of the storage key: a repetition is the same entry */
		.actor = "esteira-intake",
		.action = "orphan.deleted",
		.object = arena_printf(purge->arena, "%.*s", (int)(name.len < 255 ? name.len : 255),
			name.ptr == NULL ? "" : name.ptr),
		.reason = "an object without a job",
		.occurred_at = clock_wall_ms(),
		.count = 1,
	};

	/* a foreign object belongs to no tenant */
	(void)id_parse(tenant_text, &operation.tenant.id);
	TRY(new_outbox(purge, &outbox));
	TRY(pg_begin(purge->pg));
	TRY(operation_emit(outbox, &operation));
	TRY(finish(purge, outbox));
	return delete_key(purge, key);
}

static int64_t orphan_age_ms(const struct purge *purge)
{
	return purge->intake->conf->orphan_age_s * 1000;
}

/* Folders are listed by some servers; they hold nothing. */
static bool is_old_object(const struct purge *purge, const struct s3_object *object)
{
	size_t len = strlen(object->key);

	return len > 0 && object->key[len - 1] != '/' &&
	       clock_wall_ms() - object->modified_ms > orphan_age_ms(purge);
}

static struct err sweep_page(struct purge *purge, const struct s3_page *page)
{
	struct store_due *jobs = arena_alloc(purge->arena, page->count * sizeof *jobs + 1);
	bool *known = arena_alloc(purge->arena, page->count + 1);

	if (jobs == NULL || known == NULL)
		return arena_overflow();
	/* a name that intake does not give (the storage's own leftovers) is the nil job: never
	 * known */
	for (size_t i = 0; i < page->count; i++)
		if (!parse_key(page->objects[i].key, &jobs[i]))
			jobs[i] = (struct store_due){ .attempts = 0 };
	TRY(store_known(purge->pg, purge->arena, jobs, page->count, known));
	for (size_t i = 0; i < page->count; i++)
		if (!known[i] && is_old_object(purge, &page->objects[i]))
			TRY(delete_orphan(purge, page->objects[i].key));
	return err_ok();
}

static struct err sweep(struct purge *purge)
{
	char token[2048] = "";
	struct s3_page page;

	do {
		arena_reset(purge->arena);
		const struct s3_list list = { .token = token[0] == '\0' ? NULL : token,
			.max = LIST_MAX };
		TRY(s3_list(purge->intake->s3, &list, purge->arena, &page));
		TRY(sweep_page(purge, &page));
		snprintf(token, sizeof token, "%s", page.next == NULL ? "" : page.next);
	} while (token[0] != '\0' && !purge->stopping);
	return err_ok();
}

/* --- the thread --- */

static struct err round_of(struct purge *purge)
{
	int64_t now = clock_mono_ms();
	int64_t sweep_ms = orphan_age_ms(purge) / 2;

	if (sweep_ms > SWEEP_MAX_MS)
		sweep_ms = SWEEP_MAX_MS;
	TRY(purge_due(purge));
	if (now - purge->swept_ms >= sweep_ms) {
		purge->swept_ms = now;
		TRY(sweep(purge));
	}
	if (now - purge->keys_ms >= KEYS_MS) {
		purge->keys_ms = now;
		TRY(store_forget_old(purge->pg));
		TRY(pg_sync(purge->pg));
	}
	return err_ok();
}

/* False when the thread has to end. */
static bool wait_for_turn(struct purge *purge)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ROUND_MS / 1000;
	pthread_mutex_lock(&purge->lock);
	while (!purge->stopping && !purge->woken)
		if (pthread_cond_timedwait(&purge->changed, &purge->lock, &until) == ETIMEDOUT)
			break;
	purge->woken = false;
	bool go_on = !purge->stopping;
	pthread_mutex_unlock(&purge->lock);
	return go_on;
}

/* Once, before anything is purged: a bucket that keeps deleted objects must not be used at all. */
static struct err check_bucket(struct purge *purge)
{
	enum s3_known checked, installed;

	if (purge->checked)
		return err_ok();
	TRY(s3_bucket_check(purge->intake->s3, &checked));
	TRY(s3_bucket_lifecycle(purge->intake->s3, &installed));
	purge->checked = true;
	LOG(LOG_INFO, "purge.bucket_checked", LOG_INT("versioning_known", checked == S3_KNOWN),
		LOG_INT("lifecycle_installed", installed == S3_KNOWN));
	return err_ok();
}

/* Once as well. Keys that cannot be had now are no reason to keep anything. */
static struct err check_keys(struct purge *purge)
{
	if (purge->proven)
		return err_ok();
	struct err e = prove_master(purge->intake, purge->pg, purge->arena);
	purge->proven = e.kind == ERR_OK;
	return health_part_of(e) == HEALTH_KEYS ? err_ok() : e;
}

static void *thread_main(void *arg)
{
	struct purge *purge = arg;

	while (wait_for_turn(purge)) {
		struct err e = check_keys(purge);
		if (e.kind == ERR_OK)
			e = check_bucket(purge);
		if (e.kind == ERR_OK)
			e = round_of(purge);
		if (e.kind == ERR_OK)
			continue;
		pg_rollback(purge->pg);
		LOG(LOG_WARN, "purge.failed", LOG_ERR(e));
		if (e.kind == ERR_FATAL) {
			service_fail(purge->intake->service, e);
			break;
		}
	}
	return NULL;
}

struct err purge_open(struct intake *intake, struct purge **ret_purge)
{
	struct purge *purge = calloc(1, sizeof *purge);
	pthread_condattr_t attr;

	if (purge == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the purger");
	purge->intake = intake;
	purge->woken = true; /* the bucket is checked at once */
	purge->pg = pg_new(service_frame_pg(intake->service));
	purge->arena = arena_new(ARENA_BYTES);
	pthread_mutex_init(&purge->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&purge->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (purge->pg == NULL || purge->arena == NULL ||
		pthread_create(&purge->thread, NULL, thread_main, purge) != 0) {
		pg_free(purge->pg);
		arena_free(purge->arena);
		free(purge);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the purger");
	}
	*ret_purge = purge;
	return err_ok();
}

void purge_wake(struct purge *purge)
{
	pthread_mutex_lock(&purge->lock);
	purge->woken = true;
	pthread_cond_signal(&purge->changed);
	pthread_mutex_unlock(&purge->lock);
}

void purge_close(struct purge *purge)
{
	if (purge == NULL)
		return;
	pthread_mutex_lock(&purge->lock);
	purge->stopping = true;
	pthread_cond_signal(&purge->changed);
	pthread_mutex_unlock(&purge->lock);
	pthread_join(purge->thread, NULL);
	pg_free(purge->pg);
	arena_free(purge->arena);
	pthread_cond_destroy(&purge->changed);
	pthread_mutex_destroy(&purge->lock);
	free(purge);
}
