#include "store.h"

#include "port/pg.h"

enum { METADATA_MAX = 4096 };

static const struct pg_statement insert_entry = { "store_insert_entry",
	"INSERT INTO audit_logs (tenant_id, id, event_id, job_id, action, document_hash,"
	" result_hash, ip_hash, metadata, occurred_at) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
	"ON CONFLICT (tenant_id, event_id) DO NOTHING" };

static const struct pg_statement insert_operation = { "store_insert_operation",
	"INSERT INTO operations (tenant_id, id, event_id, actor, action, object, reason, metadata,"
	" occurred_at) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
	"ON CONFLICT (tenant_id, event_id) DO NOTHING" };

struct err store_commit_entry(
	struct pg *pg, const struct event *event, const struct events_entry *entry)
{
	struct buf metadata SCOPED(buf_done) = BUF(METADATA_MAX);

	TRY(codec_write(&events_entry_metadata, &entry->metadata, CODEC_TO_TOPIC, &metadata));
	const struct pg_arg args[] = { pg_id(event->tenant.id), pg_id(id_v7()), pg_id(event->id),
		pg_id(entry->job_id), pg_text(entry->action), pg_text(entry->document_hash),
		pg_text(entry->result_hash), pg_text(entry->ip_hash), pg_text(metadata.ptr),
		pg_time(entry->occurred_at) };
	return pg_push(pg, &insert_entry, args, sizeof args / sizeof *args);
}

struct err store_commit_operation(
	struct pg *pg, const struct event *event, const struct events_operation *operation)
{
	struct buf metadata SCOPED(buf_done) = BUF(METADATA_MAX);

	TRY(codec_write(
		&events_operation_metadata, &operation->metadata, CODEC_TO_TOPIC, &metadata));
	const struct pg_arg args[] = { pg_id(event->tenant.id), pg_id(id_v7()), pg_id(event->id),
		pg_text(operation->actor), pg_text(operation->action), pg_text(operation->object),
		pg_text(operation->reason), pg_text(metadata.ptr),
		pg_time(operation->occurred_at) };
	return pg_push(pg, &insert_operation, args, sizeof args / sizeof *args);
}
