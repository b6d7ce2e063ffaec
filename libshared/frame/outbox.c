#include "frame/outbox.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/sabotage.h"
#include "port/digest.h"
#include "port/pg.h"

enum { EVENTS_MAX = 2000, HASH_BYTES = 8 };

struct row {
	struct outbox_copy record;
	const char *ordering_key;
	bool is_event; /* ours; else a copy */
	struct row *next;
};

struct outbox {
	struct arena *arena;
	const struct outbox_conf *conf;
	const char *traceparent, *slug;
	struct row *first, **end;
	size_t count;
};

static const struct pg_statement insert = { "outbox_insert",
	"INSERT INTO outbox (event_id, tenant_id, topic, part, ordering_key, key, headers, "
	"payload) "
	"SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[],"
	" $6::bytea[], $7::bytea[], $8::bytea[])" };

struct outbox *outbox_new(struct arena *arena, const struct outbox_conf *conf)
{
	struct outbox *outbox = arena_alloc(arena, sizeof *outbox);

	if (outbox == NULL)
		return NULL;
	*outbox = (struct outbox){ .arena = arena, .conf = conf };
	outbox->end = &outbox->first;
	return outbox;
}

void outbox_set_origin(struct outbox *outbox, const char *traceparent, const char *slug)
{
	outbox->traceparent = traceparent;
	outbox->slug = slug;
}

struct id outbox_id(const struct str *parts, size_t count)
{
	struct id id;

	digest_uuid5(digest_event_namespace(), parts, count, &id);
	return id;
}

struct err outbox_copy(struct outbox *outbox, const struct outbox_copy *copy)
{
	struct row *row = arena_alloc(outbox->arena, sizeof *row);

	if (row == NULL || outbox->count == EVENTS_MAX)
		return arena_overflow();
	row->record = *copy;
	row->ordering_key = "";
	*outbox->end = row;
	outbox->end = &row->next;
	outbox->count++;
	return err_ok();
}

/* buf's content in the arena; buf is freed. */
static struct err settle(struct buf *buf, struct arena *arena, struct str *ret_bytes)
{
	struct err e = buf_check(buf);
	char *copy = e.kind == ERR_OK ? arena_strdup(arena, buf_str(buf)) : NULL;

	*ret_bytes = (struct str){ copy, buf->len };
	buf_done(buf);
	if (e.kind == ERR_OK && copy == NULL)
		e = arena_overflow();
	return e;
}

static struct err write_parts(struct outbox *outbox, const struct outbox_event *event,
	const struct event *envelope, struct outbox_copy *ret_record)
{
	struct headers headers;
	struct buf packed = BUF(ENVELOPE_BYTES_MAX), payload = BUF(ENVELOPE_BYTES_MAX);

	TRY(envelope_write(envelope, outbox->arena, &headers));
	envelope_pack(&headers, &packed);
	TRY(settle(&packed, outbox->arena, &ret_record->headers));
	struct err e = codec_write(event->type, event->payload, event->sink, &payload);
	if (e.kind != ERR_OK) {
		buf_done(&payload);
		return e;
	}
	return settle(&payload, outbox->arena, &ret_record->payload);
}

struct err outbox_emit(struct outbox *outbox, const struct outbox_event *event)
{
	const struct topic_space *space = outbox->conf->space;
	char *key = arena_alloc(outbox->arena, ID_TEXT_BYTES);
	struct outbox_copy record = { .id = event->id, .tenant = event->tenant };
	struct id owner = event->tenant.id;

	record.topic = topic_name(space, event->topic, outbox->arena);
	const char *source = arena_printf(outbox->arena, "/esteira/%s", outbox->conf->service);
	if (key == NULL || record.topic == NULL || source == NULL)
		return arena_overflow();
	sabotage_swap("record_key", &owner);
	id_format(owner, key);
	record.key = str_of(key);
	const struct event envelope = {
		.id = event->id,
		.type = event->type->name,
		.source = source,
		.tenant = event->tenant,
		.time_ms = clock_wall_ms(),
		.ordering_key = event->ordering_key == NULL ? key : event->ordering_key,
		.traceparent = outbox->traceparent,
		.slug = outbox->slug,
	};
	record.partition = topic_partition_of(
		space, event->topic, event->tenant, str_of(envelope.ordering_key));
	TRY(write_parts(outbox, event, &envelope, &record));
	struct row **mine = outbox->end;
	TRY(outbox_copy(outbox, &record));
	(*mine)->ordering_key = arena_strdup(outbox->arena, str_of(envelope.ordering_key));
	(*mine)->is_event = true;
	return (*mine)->ordering_key == NULL ? arena_overflow() : err_ok();
}

static struct err add_row(struct pg_array **columns, const struct row *row)
{
	const struct outbox_copy *record = &row->record;
	const struct pg_arg values[] = { pg_id(record->id), pg_id(record->tenant.id),
		pg_text(record->topic), pg_int(record->partition), pg_text(row->ordering_key),
		pg_bytes(record->key), pg_bytes(record->headers), pg_bytes(record->payload) };

	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		TRY(pg_array_add(columns[i], values[i]));
	return err_ok();
}

struct err outbox_flush(struct outbox *outbox, struct pg *pg)
{
	static const enum pg_kind kinds[] = { PG_KIND_ID, PG_KIND_ID, PG_KIND_TEXT, PG_KIND_INT,
		PG_KIND_TEXT, PG_KIND_BYTES, PG_KIND_BYTES, PG_KIND_BYTES };
	enum { COLUMNS = sizeof kinds / sizeof *kinds };
	struct pg_array *columns[COLUMNS];
	struct pg_arg args[COLUMNS];

	if (outbox->count == 0)
		return err_ok();
	for (size_t i = 0; i < COLUMNS; i++) {
		columns[i] = pg_array_new(outbox->arena, kinds[i], outbox->count);
		if (columns[i] == NULL)
			return arena_overflow();
		args[i] = pg_list(columns[i]);
	}
	for (const struct row *row = outbox->first; row != NULL; row = row->next)
		TRY(add_row(columns, row));
	return pg_push_sound(pg, &insert, args, COLUMNS);
}

size_t outbox_count(const struct outbox *outbox)
{
	return outbox->count;
}

struct err outbox_hashes(
	const struct outbox *outbox, size_t from, struct arena *arena, struct str *ret_hashes)
{
	char *hashes = arena_alloc(arena, (outbox->count - from) * HASH_BYTES + 1);
	size_t at = 0, len = 0;

	if (hashes == NULL)
		return arena_overflow();
	for (const struct row *row = outbox->first; row != NULL; row = row->next, at++) {
		uint8_t hash[DIGEST_BYTES];
		if (at < from)
			continue;
		digest_sha256(row->record.payload, hash);
		memcpy(hashes + len, hash, HASH_BYTES);
		len += HASH_BYTES;
	}
	*ret_hashes = (struct str){ hashes, len };
	return err_ok();
}

/* --- replays --- */

static bool is_same(const struct row *row, size_t index, struct str old)
{
	uint8_t hash[DIGEST_BYTES];

	if (old.ptr == NULL || old.len < (index + 1) * HASH_BYTES)
		return false;
	digest_sha256(row->record.payload, hash);
	return memcmp(old.ptr + index * HASH_BYTES, hash, HASH_BYTES) == 0;
}

static struct id id_in_epoch(const char *id, int64_t epoch)
{
	char number[24];

	snprintf(number, sizeof number, "%lld", (long long)epoch);
	const struct str parts[] = { str_of(id), str_of(number) };
	return outbox_id(parts, 2);
}

/* The headers were packed when the event was collected, with the id it has no longer. */
static struct err supersede(struct outbox *outbox, struct outbox_copy *record, int64_t epoch)
{
	struct headers headers;
	struct buf packed = BUF(ENVELOPE_BYTES_MAX);
	char *was = arena_alloc(outbox->arena, ID_TEXT_BYTES);
	char *is = arena_alloc(outbox->arena, ID_TEXT_BYTES);

	if (was == NULL || is == NULL)
		return arena_overflow();
	id_format(record->id, was);
	record->id = id_in_epoch(was, epoch);
	id_format(record->id, is);
	TRY(envelope_unpack(record->headers, outbox->arena, &headers));
	for (size_t i = 0; i < headers.count; i++)
		if (strcmp(headers.items[i].name, "ce_id") == 0)
			headers.items[i].value = str_of(is);
	if (!envelope_add(&headers, "ce_supersedes", str_of(was)))
		return err_fatal(ERR_CODE_INTERNAL, "an event of ours has too many headers");
	envelope_pack(&headers, &packed);
	return settle(&packed, outbox->arena, &record->headers);
}

struct err outbox_reconcile(struct outbox *outbox, size_t from, struct str old, int64_t epoch,
	struct outbox_reconciled *ret_reconciled)
{
	struct outbox_reconciled found = { 0, 0 };
	struct row **at = &outbox->first;
	size_t index = 0;

	for (; index < from && *at != NULL; index++)
		at = &(*at)->next;
	for (index = 0; *at != NULL; index++) {
		struct row *row = *at;
		if (row->is_event && is_same(row, index, old)) {
			found.same++;
			outbox->count--;
			*at = row->next;
			continue;
		}
		if (row->is_event) {
			TRY(supersede(outbox, &row->record, epoch));
			found.different++;
		}
		at = &row->next;
	}
	outbox->end = at;
	*ret_reconciled = found;
	return err_ok();
}
