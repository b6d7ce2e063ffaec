#include "job/command.h"

#include <string.h>

#include "frame/relay.h"
#include "job/announce.h"
#include "job/store.h"
#include "port/pg.h"

/* One transaction of a request. */
struct work {
	const struct command_env *env;
	const struct command_caller *caller;
	struct outbox *outbox;
	struct store_job job;
};

static struct err begin(struct work *work)
{
	const struct command_env *env = work->env;

	work->outbox = outbox_new(env->arena, env->outbox);
	if (work->outbox == NULL)
		return arena_overflow();
	outbox_set_origin(work->outbox, work->caller->traceparent, work->caller->slug);
	TRY(pg_begin(env->pg));
	return pg_set_tenant(env->pg, work->caller->tenant);
}

static struct err load(struct work *work, struct id job_id)
{
	const struct command_env *env = work->env;

	return store_load_job(env->pg, env->arena, work->caller->tenant, job_id, &work->job);
}

static struct err finish(struct work *work)
{
	TRY(outbox_flush(work->outbox, work->env->pg));
	TRY(pg_commit(work->env->pg));
	relay_wake(work->env->relay);
	return err_ok();
}

/* --- upload --- */

static struct err insert(struct work *work, const struct command_upload *upload)
{
	const struct command_caller *caller = work->caller;
	const struct store_new_job row = {
		.tenant = caller->tenant,
		.job_id = upload->job_id,
		.api_key_hash = caller->api_key_hash,
		.partner = caller->partner,
		.document_hash = upload->document_hash,
		.size_bytes = upload->size_bytes,
		.key_half = upload->key_half,
		.key_version = upload->key_version,
		.expires_at_ms = upload->expires_at_ms,
	};

	return store_insert_job(work->env->pg, work->env->arena, &row, &work->job);
}

static struct err announce_upload(struct work *work, const struct command_upload *upload)
{
	const struct events_received event = {
		.job_id = upload->job_id,
		.get_path = upload->get_path,
		.head_path = upload->head_path,
		.delete_path = upload->delete_path,
		.object_bytes = upload->object_bytes,
		.document_hash = upload->document_hash,
		.received_at = work->job.now_ms,
		.expires_at = upload->expires_at_ms,
	};
	struct events_entry entry = announce_entry(&work->job, "RECEIVED");

	entry.ip_hash = work->caller->ip_hash;
	entry.metadata.size_bytes = upload->size_bytes;
	TRY(store_keep_ip(work->env->pg, work->caller->tenant,
		announce_entry_id(upload->job_id, entry.action, ""), work->caller->ip));
	TRY(announce_received(work->outbox, work->caller->tenant, &event));
	return announce_audit(work->outbox, &work->job, &entry, "");
}

/* What an earlier upload under the same key made. */
static struct err answer_winner(struct work *work, const struct store_idempotency *winner,
	const struct command_upload *upload, struct command_job *ret_job)
{
	if (strcmp(winner->document_hash, upload->document_hash) != 0)
		return err_reject(ERR_CODE_IDEMPOTENCY_MISMATCH,
			err_code_title(ERR_CODE_IDEMPOTENCY_MISMATCH));
	TRY(load(work, winner->job_id));
	if (!work->job.found)
		return err_retry(ERR_CODE_TRY_AGAIN, "the job of this key is gone");
	pg_rollback(work->env->pg);
	*ret_job = (struct command_job){ .job_id = winner->job_id,
		.status = decide_status_name(work->job.state.status),
		.document_hash = winner->document_hash,
		.replayed = true };
	return err_ok();
}

struct err command_upload(const struct command_env *env, const struct command_caller *caller,
	const struct command_upload *upload, struct command_job *ret_job)
{
	struct work work = { .env = env, .caller = caller };
	const struct store_idempotency wanted = { caller->tenant, "POST /v1/extract",
		upload->idempotency_key, upload->document_hash, upload->job_id };
	struct store_idempotency winner;
	bool won = true;

	TRY(begin(&work));
	if (upload->idempotency_key != NULL)
		TRY(store_claim_key(env->pg, env->arena, &wanted, &won, &winner));
	if (!won)
		return answer_winner(&work, &winner, upload, ret_job);
	TRY(insert(&work, upload));
	TRY(announce_upload(&work, upload));
	TRY(finish(&work));
	*ret_job = (struct command_job){ .job_id = upload->job_id,
		.status = decide_status_name(DECIDE_PENDING),
		.document_hash = upload->document_hash };
	return err_ok();
}

/* --- delete --- */

static struct err cancel(struct work *work, const struct decision *decision)
{
	const char *code = err_code_name(decision->error_code);
	struct events_entry entry = announce_entry(&work->job, decision->audit);

	entry.metadata.error_code = code;
	TRY(store_fail(work->env->pg, &work->job, code, CODEC_NO_INT, CODEC_NO_INT));
	TRY(store_hasten_purge(work->env->pg, &work->job, 0));
	TRY(announce_audit(work->outbox, &work->job, &entry, ""));
	return announce_ended(work->outbox, &work->job, &events_ended_cancelled, code);
}

static struct err forget_result(struct work *work, const struct decision *decision)
{
	struct events_entry entry = announce_entry(&work->job, decision->audit);

	entry.metadata.what = "result";
	TRY(store_forget_result(work->env->pg, &work->job));
	return announce_audit(work->outbox, &work->job, &entry, "result");
}

struct err command_delete(const struct command_env *env, const struct command_caller *caller,
	struct id job_id, struct command_deleted *ret_deleted)
{
	struct work work = { .env = env, .caller = caller };

	TRY(begin(&work));
	TRY(load(&work, job_id));
	if (!work.job.found)
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such job");
	const struct decision decision = decide(&work.job.state, DECIDE_ON_CANCEL);
	if (decision.verdict == DECIDE_APPLY && decision.purge_now)
		TRY(cancel(&work, &decision));
	else if (decision.verdict == DECIDE_APPLY)
		TRY(forget_result(&work, &decision));
	TRY(finish(&work));
	*ret_deleted = (struct command_deleted){
		.had_result = work.job.state.status == DECIDE_COMPLETED,
		.result_hash = work.job.result_hash,
	};
	return err_ok();
}

/* --- deliver --- */

struct err command_deliver(
	const struct command_env *env, const struct command_caller *caller, struct id job_id)
{
	struct work work = { .env = env, .caller = caller };
	bool first;

	TRY(begin(&work));
	TRY(load(&work, job_id));
	if (!work.job.found)
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such job");
	/* the row is locked: a deletion that committed before us counts */
	if (work.job.state.result_deleted)
		return err_reject(ERR_CODE_RESULT_DELETED, "the result was deleted on request");
	TRY(store_deliver(env->pg, env->arena, &work.job, caller->api_key_hash, &first));
	struct events_entry entry = announce_entry(&work.job, "DELIVERED");
	entry.ip_hash = caller->ip_hash;
	entry.metadata.delivered_to = caller->api_key_hash;
	if (first) {
		TRY(store_keep_ip(env->pg, caller->tenant,
			announce_entry_id(job_id, entry.action, caller->api_key_hash), caller->ip));
		TRY(announce_audit(work.outbox, &work.job, &entry, caller->api_key_hash));
	}
	return finish(&work);
}
