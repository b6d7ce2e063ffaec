#include "frame/deadletter.h"

#include <string.h>

#include "base/clock.h"
#include "port/pg.h"
#include "frame/reason.h"

static const struct pg_statement insert = { "deadletter_insert",
	"INSERT INTO dead_letter (id, grp, topic, part, off, epoch, event_id, tenant_id, "
	"ordering_key,"
	" error_class, error_code, error_message, attempts, first_failed_at, handler_version, "
	"headers,"
	" key, payload, blocks) VALUES ($1, $2, $3, $4, $5, $18, $6, $7, $8, $9, $10, $11, $12, "
	"$13, $14, "
	"$15,"
	" $16, $17, $19)" };
static const struct pg_statement again = { "deadletter_again",
	"UPDATE dead_letter SET state = 'open', redrives = redrives + 1, error_class = $2, "
	"error_code = $3, error_message = $4, attempts = $5, handler_version = $6, "
	"updated_at = now() WHERE id = $1" };
static const struct pg_statement redriven = { "deadletter_redriven",
	"UPDATE dead_letter SET state = 'redriven', updated_at = now() WHERE id = $1" };

/* The copy on the DLQ topic is as old then. */
static const struct pg_statement forget = { "deadletter_forget",
	"DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter WHERE state IN "
	"('redriven', 'discarded') AND created_at < now() - interval '30 days' AND updated_at < "
	"now() - interval '30 days' ORDER BY created_at LIMIT 10000 FOR UPDATE SKIP LOCKED)" };

static const struct pg_statement open_at = { "deadletter_open_at",
	"SELECT 1 FROM dead_letter WHERE grp = $1 AND topic = $2 AND part = $3 AND off = $4 "
	"AND epoch <> $5 AND state IN ('open', 'redriving') LIMIT 1" };

#define F(member, kind, max)                                                                       \
	CODEC_FIELD(struct deadletter_created, member, CODEC_##kind, CODEC_PLAIN, true, max)

static const struct codec_field fields[] = {
	F(dead_letter_id, ID, 0),
	F(event_id, ID, 0),
	F(event_type, TEXT, 255),
	F(group, TEXT, 255),
	F(error_code, TEXT, 32),
	F(occurred_at, TIME, 0),
	CODEC_END,
};
const struct codec_type deadletter_created = { "suite.deadletter.created.v1",
	sizeof(struct deadletter_created), fields };

/* A record that is given up at its first answer fails now. */
static int64_t first_failed_ms(const struct record *record)
{
	return record->past.first_ms == 0 ? clock_wall_ms() : record->past.first_ms;
}

static struct err write_row(
	struct pg *pg, struct arena *arena, const struct deadletter *letter, struct id id)
{
	const struct record *record = letter->record;
	const struct event *event = letter->event;
	const char *message = arena_printf(arena, "%.*s", (int)REASON_MESSAGE_MAX, letter->why.msg);
	const struct pg_arg args[] = {
		pg_id(id),
		pg_text(letter->group),
		pg_text(record->partition->topic),
		pg_int(record->partition->number),
		pg_int(record->offset),
		event == NULL ? pg_null() : pg_id(event->id),
		event == NULL ? pg_null() : pg_id(event->tenant.id),
		pg_text(event == NULL ? NULL : event->ordering_key),
		pg_text(err_class_name(err_code_class(letter->why.code))),
		pg_text(err_code_name(letter->why.code)),
		pg_text(message),
		pg_int(record->past.attempts),
		pg_time(first_failed_ms(record)),
		pg_text(letter->version),
		pg_bytes(record->headers),
		pg_bytes(record->key),
		pg_bytes(record->value),
		pg_int(record->past.epoch),
		pg_bool(letter->blocks),
	};
	return pg_push(pg, &insert, args, sizeof args / sizeof *args);
}

static struct err add_reasons(
	struct arena *arena, const struct deadletter *letter, struct headers *headers)
{
	const struct record *record = letter->record;
	const struct reason reason = {
		.topic = record->partition->topic,
		.partition = record->partition->number,
		.offset = record->offset,
		.group = letter->group,
		.version = letter->version,
		.attempts = record->past.attempts,
		.why = letter->why,
		.key_left_out = record->key.len > REASON_KEY_MAX,
		.value_left_out = record->value.len > REASON_VALUE_MAX,
	};

	return reason_add(&reason, arena, headers);
}

/* Is it of the topic that the event would be written to? */
static bool is_told_there(const char *topic)
{
	const char *suffix = topic_suffix(TOPIC_OUTREACH_COMMANDS);
	size_t len = strlen(topic), suffix_len = strlen(suffix);

	return len >= suffix_len && strcmp(topic + len - suffix_len, suffix) == 0;
}

static struct err tell_tenant(const struct deadletter *letter, struct id id, struct outbox *outbox)
{
	const struct event *event = letter->event;
	char text[ID_TEXT_BYTES];

	if (event == NULL || is_told_there(letter->record->partition->topic))
		return err_ok();
	id_format(id, text);
	const struct str parts[] = { STR("deadletter"), str_of(text) };
	const struct deadletter_created created = { .dead_letter_id = id,
		.event_id = event->id,
		.event_type = event->type,
		.group = letter->group,
		.error_code = err_code_name(letter->why.code),
		.occurred_at = clock_wall_ms() };
	const struct outbox_event told = { .topic = TOPIC_OUTREACH_COMMANDS,
		.id = outbox_id(parts, 2),
		.type = &deadletter_created,
		.payload = &created,
		.tenant = event->tenant,
		.sink = CODEC_TO_TOPIC };
	outbox_set_origin(outbox, event->traceparent, event->slug);
	return outbox_emit(outbox, &told);
}

static void free_packed(void *arg)
{
	buf_done(arg);
}

struct err deadletter_write(
	struct pg *pg, struct arena *arena, const struct deadletter *letter, struct outbox *outbox)
{
	const struct record *record = letter->record;
	struct headers headers;
	struct buf *packed = arena_alloc(arena, sizeof *packed);
	char *topic = topic_dlq(record->partition->topic, letter->group, arena);
	struct id letter_id = id_v7();
	struct id id = letter->event == NULL ? letter_id : letter->event->id;

	if (packed == NULL || topic == NULL || !arena_defer(arena, free_packed, packed))
		return arena_overflow();
	*packed = BUF(ENVELOPE_BYTES_MAX);
	TRY(write_row(pg, arena, letter, letter_id));
	TRY(tell_tenant(letter, letter_id, outbox));
	TRY(envelope_unpack(record->headers, arena, &headers));
	TRY(add_reasons(arena, letter, &headers));
	envelope_pack(&headers, packed);
	TRY(buf_check(packed));
	const struct outbox_copy copy = {
		.topic = topic,
		.partition = record->partition->number,
		.id = id,
		.tenant = letter->event == NULL ? (struct tenant){ { { 0 } } }
						: letter->event->tenant,
		.key = record->key.len <= REASON_KEY_MAX ? record->key : STR(""),
		.headers = buf_str(packed),
		.payload = record->value.len <= REASON_VALUE_MAX ? record->value : STR(""),
	};
	return outbox_copy(outbox, &copy);
}

struct err deadletter_again(struct pg *pg, struct arena *arena, const struct deadletter *letter)
{
	const struct record *record = letter->record;
	const char *message = arena_printf(arena, "%.*s", (int)REASON_MESSAGE_MAX, letter->why.msg);
	const struct pg_arg args[] = {
		pg_id(record->past.dead_id),
		pg_text(err_class_name(err_code_class(letter->why.code))),
		pg_text(err_code_name(letter->why.code)),
		pg_text(message),
		pg_int(record->past.attempts),
		pg_text(letter->version),
	};

	return pg_push(pg, &again, args, sizeof args / sizeof *args);
}

struct err deadletter_redriven(struct pg *pg, struct id id)
{
	const struct pg_arg arg = pg_id(id);

	return pg_push(pg, &redriven, &arg, 1);
}

struct err deadletter_forget(struct pg *pg)
{
	TRY(pg_push(pg, &forget, NULL, 0));
	return pg_sync(pg);
}

struct err deadletter_is_open(struct pg *pg, struct arena *arena, const char *group,
	const struct record *record, bool *ret_open)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(group), pg_text(record->partition->topic),
		pg_int(record->partition->number), pg_int(record->offset),
		pg_int(record->past.epoch) };

	TRY(pg_query(pg, arena, &open_at, args, 5, &rows));
	*ret_open = pg_count(rows) > 0;
	return err_ok();
}
