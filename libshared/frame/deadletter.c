#include "frame/deadletter.h"

#include "base/clock.h"
#include "port/pg.h"

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

/* What fits into a record of the DLQ beside its headers; more stays in the row alone. */
enum { MESSAGE_MAX = 1024, VALUE_MAX = 768 * 1024, KEY_MAX = 64 * 1024 };

static const struct pg_statement open_at = { "deadletter_open_at",
	"SELECT 1 FROM dead_letter WHERE grp = $1 AND topic = $2 AND part = $3 AND off = $4 "
	"AND epoch <> $5 AND state IN ('open', 'redriving') LIMIT 1" };

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
	const char *message = arena_printf(arena, "%.*s", (int)MESSAGE_MAX, letter->why.msg);
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

/* Adds where from and why behind the record's own headers, of which at most ENVELOPE_READ_MAX were
 * read. */
static struct err add_reasons(
	struct arena *arena, const struct deadletter *letter, struct headers *headers)
{
	const struct record *record = letter->record;
	const char *partition = arena_printf(arena, "%d", (int)record->partition->number);
	const char *offset = arena_printf(arena, "%lld", (long long)record->offset);
	const char *attempts = arena_printf(arena, "%d", record->past.attempts);
	const char *message = arena_printf(arena, "%.*s", (int)MESSAGE_MAX, letter->why.msg);
	const struct header all[] = {
		{ "x-value-left-out", record->value.len <= VALUE_MAX ? STR("0") : STR("1") },
		{ "x-key-left-out", record->key.len <= KEY_MAX ? STR("0") : STR("1") },
		{ "__connect.errors.topic", str_of(record->partition->topic) },
		{ "__connect.errors.partition", str_of(partition) },
		{ "__connect.errors.offset", str_of(offset) },
		{ "__connect.errors.exception.class.name",
			str_of(err_code_name(letter->why.code)) },
		{ "__connect.errors.exception.message", str_of(message) },
		{ "x-error-class", str_of(err_class_name(err_code_class(letter->why.code))) },
		{ "x-error-code", str_of(err_code_name(letter->why.code)) },
		{ "x-group", str_of(letter->group) },
		{ "x-attempts", str_of(attempts) },
		{ "x-handler-version", str_of(letter->version) },
	};

	if (partition == NULL || offset == NULL || attempts == NULL || message == NULL)
		return arena_overflow();
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		(void)envelope_add(headers, all[i].name, all[i].value);
	return err_ok();
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
	struct id id = letter->event == NULL ? id_v7() : letter->event->id;

	if (packed == NULL || topic == NULL || !arena_defer(arena, free_packed, packed))
		return arena_overflow();
	*packed = BUF(ENVELOPE_BYTES_MAX);
	TRY(write_row(pg, arena, letter, id_v7()));
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
		.key = record->key.len <= KEY_MAX ? record->key : STR(""),
		.headers = buf_str(packed),
		.payload = record->value.len <= VALUE_MAX ? record->value : STR(""),
	};
	return outbox_copy(outbox, &copy);
}

struct err deadletter_again(struct pg *pg, struct arena *arena, const struct deadletter *letter)
{
	const struct record *record = letter->record;
	const char *message = arena_printf(arena, "%.*s", (int)MESSAGE_MAX, letter->why.msg);
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
