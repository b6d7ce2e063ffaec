#include "job/handle.h"

#include "frame/metrics.h"
#include "frame/outbox.h"
#include "intake.h"
#include "job/announce.h"
#include "job/progress.h"
#include "job/store.h"

/* ocr deletes the object as soon as the end is committed; one that dies in between leaves it to the
 * purger. */
enum { PURGE_AFTER_END_S = 60 };

/* What the transaction decided, for the step after it. */
struct verdict {
	struct id job_id;
	struct decision decision;
	const char *result_hash; /* of the event */
};

/* Loads and decides. *ret_apply: the decision is to be carried out. */
static struct err consider(struct scope *scope, struct id job_id, enum decide_event event,
	struct store_job *ret_job, bool *ret_apply)
{
	struct verdict *verdict = arena_alloc(scope->arena, sizeof *verdict);

	if (verdict == NULL)
		return arena_overflow();
	scope->user = verdict;
	verdict->job_id = job_id;
	*ret_apply = false;
	TRY(store_load_job(scope->pg, scope->arena, scope->event->tenant, job_id, ret_job));
	if (!ret_job->found) /* replayed after the row's time */
		return err_ok();
	verdict->decision = decide(&ret_job->state, event);
	*ret_apply = verdict->decision.verdict == DECIDE_APPLY;
	return err_ok();
}

struct err handle_started(struct scope *scope, const void *payload)
{
	const struct events_started *event = payload;
	struct store_job job;
	bool apply;

	TRY(consider(scope, event->job_id, DECIDE_ON_STARTED, &job, &apply));
	if (!apply)
		return err_ok();
	const struct events_entry entry = announce_entry(&job, "PROCESSING");
	TRY(store_start(scope->pg, &job));
	return announce_audit(scope->outbox, &job, &entry, "");
}

struct err handle_completed(struct scope *scope, const void *payload)
{
	const struct events_completed *event = payload;
	struct store_job job;
	bool apply;

	TRY(consider(scope, event->job_id, DECIDE_ON_COMPLETED, &job, &apply));
	((struct verdict *)scope->user)->result_hash = event->result_hash;
	if (!apply)
		return err_ok();
	job.result_hash = event->result_hash;
	job.pages_total = event->pages_total;
	struct events_entry entry = announce_entry(&job, "COMPLETED");
	entry.metadata.pages_total = event->pages_total;
	entry.metadata.pages_text = event->pages_text;
	entry.metadata.pages_ocr = event->pages_ocr;
	entry.metadata.confidence_avg = event->confidence_avg;
	entry.metadata.processing_ms = event->processing_ms;
	TRY(store_complete(scope->pg, &job, event));
	TRY(store_hasten_purge(scope->pg, &job, PURGE_AFTER_END_S));
	TRY(announce_audit(scope->outbox, &job, &entry, ""));
	return announce_ended(scope->outbox, &job, &events_ended_completed, NULL);
}

struct err handle_failed(struct scope *scope, const void *payload)
{
	const struct events_failed *event = payload;
	struct store_job job;
	bool apply;

	TRY(consider(scope, event->job_id, DECIDE_ON_FAILED, &job, &apply));
	if (!apply)
		return err_ok();
	job.pages_total = event->pages_total;
	struct events_entry entry = announce_entry(&job, "FAILED");
	entry.metadata.error_code = event->error_code;
	entry.metadata.pages_total = event->pages_total;
	entry.metadata.processing_ms = event->processing_ms;
	TRY(store_fail(
		scope->pg, &job, event->error_code, event->pages_total, event->processing_ms));
	TRY(store_hasten_purge(scope->pg, &job, PURGE_AFTER_END_S));
	TRY(announce_audit(scope->outbox, &job, &entry, ""));
	return announce_ended(scope->outbox, &job, &events_ended_failed, event->error_code);
}

struct err handle_deleted(struct scope *scope, const void *payload)
{
	const struct events_deleted *event = payload;
	struct store_job job;
	bool apply;

	TRY(consider(scope, event->job_id, DECIDE_ON_DELETED, &job, &apply));
	if (!apply)
		return err_ok();
	struct events_entry entry = announce_entry(&job, "PURGED");
	entry.metadata.deletion_confirmed = 1;
	TRY(store_purged(scope->pg, &job));
	TRY(announce_audit(scope->outbox, &job, &entry, ""));
	return announce_ended(scope->outbox, &job, &events_ended_purged, NULL);
}

struct err handle_after_end(struct scope *scope, const void *payload)
{
	const struct intake *intake = scope->state;
	const struct verdict *verdict = scope->user;

	(void)payload;
	if (verdict->decision.drop_result && verdict->result_hash != NULL) {
		metrics_add(intake->results_late, NULL, 1);
		return progress_drop_result(intake->redis, scope->event->tenant, verdict->job_id,
			verdict->result_hash, scope->arena);
	}
	if (verdict->decision.verdict != DECIDE_APPLY)
		return err_ok();
	return progress_end(intake->redis, scope->event->tenant, verdict->job_id, scope->arena);
}
