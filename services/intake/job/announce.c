#include "job/announce.h"

/* The id of an event of this job: from its random id, the type, and what makes it one of several.
 */
static struct id id_of(struct id job_id, const char *type, const char *what, const char *extra)
{
	char job[ID_TEXT_BYTES];

	id_format(job_id, job);
	const struct str parts[] = { str_of(job), str_of(type), str_of(what), str_of(extra) };
	return outbox_id(parts, 4);
}

static struct err emit(struct outbox *outbox, enum topic topic, struct tenant tenant,
	const struct outbox_event *event, struct id job_id)
{
	char key[ID_TEXT_BYTES];
	struct outbox_event full = *event;

	id_format(job_id, key);
	full.topic = topic;
	full.tenant = tenant;
	full.ordering_key = key;
	return outbox_emit(outbox, &full);
}

struct events_entry announce_entry(const struct store_job *job, const char *action)
{
	struct events_entry entry;

	codec_clear(&events_entry_recorded, &entry);
	entry.job_id = job->job_id;
	entry.action = action;
	entry.document_hash = job->document_hash;
	entry.result_hash = job->result_hash;
	entry.occurred_at = job->now_ms;
	return entry;
}

struct id announce_entry_id(struct id job_id, const char *action, const char *extra)
{
	return id_of(job_id, events_entry_recorded.name, action, extra);
}

struct err announce_audit(struct outbox *outbox, const struct store_job *job,
	const struct events_entry *entry, const char *extra)
{
	const struct outbox_event event = {
		.id = announce_entry_id(job->job_id, entry->action, extra),
		.type = &events_entry_recorded,
		.payload = entry,
		.sink = CODEC_TO_TOPIC,
	};

	return emit(outbox, TOPIC_AUDIT_TRAIL, job->tenant, &event, job->job_id);
}

struct err announce_ended(struct outbox *outbox, const struct store_job *job,
	const struct codec_type *type, const char *error_code)
{
	const struct events_ended ended = {
		.job_id = job->job_id,
		.document_hash = job->document_hash,
		.result_hash = job->result_hash,
		.error_code = error_code,
		.pages_total = job->pages_total,
		.occurred_at = job->now_ms,
	};
	const struct outbox_event event = {
		.id = id_of(job->job_id, type->name, "", ""),
		.type = type,
		.payload = &ended,
		.sink = CODEC_TO_TOPIC,
	};

	return emit(outbox, TOPIC_INTAKE_EVENTS, job->tenant, &event, job->job_id);
}

struct err announce_received(
	struct outbox *outbox, struct tenant tenant, const struct events_received *received)
{
	const struct outbox_event event = {
		.id = id_of(received->job_id, events_document_received.name, "", ""),
		.type = &events_document_received,
		.payload = received,
		.sink = CODEC_TO_JOBS,
	};

	return emit(outbox, TOPIC_OCR_JOBS, tenant, &event, received->job_id);
}
