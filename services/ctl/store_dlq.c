#include "store_dlq.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "port/pg.h"
#include "frame/operation.h"
#include "store.h"

#define FROM_LETTERS "FROM dead_letter d LEFT JOIN intake.tenants t ON t.tenant_id = d.tenant_id "
#define FILTER                                                                                     \
	"WHERE ($1::uuid IS NULL OR d.id = $1) AND ($2::uuid IS NULL OR d.tenant_id = $2) "        \
	"AND ($3::text IS NULL OR d.topic = $3) AND ($4::text IS NULL OR d.error_class = $4) "     \
	"AND ($5::text IS NULL OR d.error_code = $5) AND ($6::text IS NULL OR d.state = $6) "      \
	"AND ($7::timestamptz IS NULL OR d.created_at >= $7) "                                     \
	"AND ($8::timestamptz IS NULL OR d.created_at < $8) "
#define LETTER                                                                                     \
	"SELECT d.id::text, coalesce(t.slug, d.tenant_id::text), d.topic, d.part, d.off, "         \
	"d.error_class, d.error_code, d.state, d.attempts, d.redrives, d.created_at, "             \
	"d.updated_at, d.decided_by " FROM_LETTERS FILTER

static const struct pg_statement select_newest = { "store_dlq_newest",
	LETTER "ORDER BY d.created_at DESC, d.id DESC LIMIT $9::bigint" };
static const struct pg_statement select_oldest = { "store_dlq_oldest",
	LETTER "AND (NOT $10::boolean OR (d.event_id IS NOT NULL AND d.tenant_id IS NOT NULL)) "
	       "ORDER BY d.created_at, d.id LIMIT $9::bigint" };
static const struct pg_statement select_detail = {
	"store_dlq_detail",
	"SELECT event_id::text, ordering_key, grp, error_message, handler_version, epoch, "
	"first_failed_at, blocks, headers, key, payload FROM dead_letter WHERE id = $1::text::uuid"
};
static const struct pg_statement count_letters = { "store_dlq_count",
	"SELECT d.topic, d.error_class, d.error_code, d.state, count(*), min(d.created_at) "
	"FROM dead_letter d " FILTER "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4" };

static const struct pg_statement redrive = { "store_dlq_redrive",
	"SELECT letter, owner, outcome FROM dead_letter_redrive($1::uuid[], NULL, $2::text)" };
static const struct pg_statement discard = { "store_dlq_discard",
	"SELECT letter, owner, outcome FROM dead_letter_discard($1::uuid[], NULL, $2::text)" };

enum { FILTERS = 8 };

static void filter_args(const struct store_dlq_filter *filter, struct pg_arg *ret_args)
{
	ret_args[0] = id_is_nil(filter->id) ? pg_null() : pg_id(filter->id);
	ret_args[1] = filter->has_tenant ? pg_id(filter->tenant.id) : pg_null();
	ret_args[2] = pg_text(filter->topic);
	ret_args[3] = pg_text(filter->class);
	ret_args[4] = pg_text(filter->code);
	ret_args[5] = pg_text(filter->state);
	ret_args[6] = pg_time_or_null(filter->from_ms);
	ret_args[7] = pg_time_or_null(filter->to_ms);
}

/* --- letters --- */

#define LETTER_FIELD(member, kind, required)                                                       \
	CODEC_FIELD(struct store_dlq_letter, member, kind, CODEC_PLAIN, required, 0)

static const struct codec_field letter_fields[] = {
	LETTER_FIELD(id, CODEC_TEXT, true),
	LETTER_FIELD(service, CODEC_TEXT, true),
	LETTER_FIELD(tenant, CODEC_TEXT, false),
	LETTER_FIELD(topic, CODEC_TEXT, true),
	LETTER_FIELD(partition, CODEC_INT, true),
	LETTER_FIELD(offset, CODEC_INT, true),
	LETTER_FIELD(class, CODEC_TEXT, true),
	LETTER_FIELD(code, CODEC_TEXT, false),
	LETTER_FIELD(state, CODEC_TEXT, true),
	LETTER_FIELD(attempts, CODEC_INT, true),
	LETTER_FIELD(redrives, CODEC_INT, true),
	LETTER_FIELD(created_at, CODEC_TIME, true),
	LETTER_FIELD(updated_at, CODEC_TIME, true),
	LETTER_FIELD(decided_by, CODEC_TEXT, false),
	CODEC_END,
};
const struct codec_type store_dlq_letters = { "estctl.dlq.letter", sizeof(struct store_dlq_letter),
	letter_fields };

static struct store_dlq_letter letter_of(
	const struct pg_rows *rows, size_t row, const char *service)
{
	return (struct store_dlq_letter){
		.service = service,
		.id = pg_get_text(rows, row, 0),
		.tenant = pg_get_text(rows, row, 1),
		.topic = pg_get_text(rows, row, 2),
		.partition = pg_get_int(rows, row, 3),
		.offset = pg_get_int(rows, row, 4),
		.class = pg_get_text(rows, row, 5),
		.code = pg_get_text(rows, row, 6),
		.state = pg_get_text(rows, row, 7),
		.attempts = pg_get_int(rows, row, 8),
		.redrives = pg_get_int(rows, row, 9),
		.created_at = pg_get_time(rows, row, 10),
		.updated_at = pg_get_time(rows, row, 11),
		.decided_by = pg_get_text(rows, row, 12),
	};
}

static struct err read_list(struct pg *pg, struct arena *arena, const char *service,
	const struct store_dlq_filter *filter, struct codec_list *ret_rows)
{
	const struct pg_rows *rows;
	struct pg_arg args[FILTERS + 2];

	filter_args(filter, args);
	args[FILTERS] = pg_int(filter->limit);
	args[FILTERS + 1] = pg_bool(filter->redrivable);
	TRY(store_begin_in(pg, service));
	TRY(filter->oldest ? pg_query(pg, arena, &select_oldest, args, FILTERS + 2, &rows)
			   : pg_query(pg, arena, &select_newest, args, FILTERS + 1, &rows));
	struct store_dlq_letter *letters = arena_alloc(arena, pg_count(rows) * sizeof *letters + 1);
	if (letters == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		letters[i] = letter_of(rows, i, service);
	*ret_rows = (struct codec_list){ letters, pg_count(rows) };
	return pg_commit(pg);
}

struct err store_dlq_list(struct pg *pg, struct arena *arena, const char *service,
	const struct store_dlq_filter *filter, struct codec_list *ret_rows)
{
	return store_undo(pg, read_list(pg, arena, service, filter, ret_rows));
}

static struct err read_detail(struct pg *pg, struct arena *arena,
	const struct store_dlq_letter *letter, const struct pg_rows **ret_rows)
{
	const struct pg_arg arg = pg_text(letter->id);

	TRY(store_begin_in(pg, letter->service));
	TRY(pg_query(pg, arena, &select_detail, &arg, 1, ret_rows));
	return pg_commit(pg);
}

static struct str bytes_or_none(const struct pg_rows *rows, int column)
{
	return pg_is_null(rows, 0, column) ? (struct str){ NULL, 0 }
					   : pg_get_bytes(rows, 0, column);
}

struct err store_dlq_read(struct pg *pg, struct arena *arena, const struct store_dlq_letter *letter,
	struct store_dlq_detail *ret_detail, bool *ret_found)
{
	const struct pg_rows *rows;

	TRY(store_undo(pg, read_detail(pg, arena, letter, &rows)));
	*ret_found = pg_count(rows) > 0;
	if (*ret_found)
		*ret_detail = (struct store_dlq_detail){
			.event_id = pg_get_text(rows, 0, 0),
			.ordering_key = pg_get_text(rows, 0, 1),
			.group = pg_get_text(rows, 0, 2),
			.message = pg_get_text(rows, 0, 3),
			.version = pg_get_text(rows, 0, 4),
			.epoch = pg_get_int(rows, 0, 5),
			.first_failed_at =
				pg_is_null(rows, 0, 6) ? CODEC_NO_INT : pg_get_time(rows, 0, 6),
			.blocks = pg_get_int(rows, 0, 7) != 0,
			.headers = bytes_or_none(rows, 8),
			.key = bytes_or_none(rows, 9),
			.payload = bytes_or_none(rows, 10),
		};
	return err_ok();
}

/* --- counts --- */

#define STAT(member, kind, required)                                                               \
	CODEC_FIELD(struct store_dlq_stat, member, kind, CODEC_PLAIN, required, 0)

static const struct codec_field stat_fields[] = {
	STAT(service, CODEC_TEXT, true),
	STAT(topic, CODEC_TEXT, true),
	STAT(class, CODEC_TEXT, true),
	STAT(code, CODEC_TEXT, false),
	STAT(state, CODEC_TEXT, true),
	STAT(count, CODEC_INT, true),
	STAT(oldest, CODEC_TIME, true),
	CODEC_END,
};
const struct codec_type store_dlq_stats = { "estctl.dlq.stat", sizeof(struct store_dlq_stat),
	stat_fields };

static struct err read_counts(struct pg *pg, struct arena *arena, const char *service,
	const struct store_dlq_filter *filter, struct codec_list *ret_rows)
{
	const struct pg_rows *rows;
	struct pg_arg args[FILTERS];

	filter_args(filter, args);
	TRY(store_begin_in(pg, service));
	TRY(pg_query(pg, arena, &count_letters, args, FILTERS, &rows));
	struct store_dlq_stat *stats = arena_alloc(arena, pg_count(rows) * sizeof *stats + 1);
	if (stats == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		stats[i] = (struct store_dlq_stat){
			.service = service,
			.topic = pg_get_text(rows, i, 0),
			.class = pg_get_text(rows, i, 1),
			.code = pg_get_text(rows, i, 2),
			.state = pg_get_text(rows, i, 3),
			.count = pg_get_int(rows, i, 4),
			.oldest = pg_get_time(rows, i, 5),
		};
	*ret_rows = (struct codec_list){ stats, pg_count(rows) };
	return pg_commit(pg);
}

struct err store_dlq_count(struct pg *pg, struct arena *arena, const char *service,
	const struct store_dlq_filter *filter, struct codec_list *ret_rows)
{
	return store_undo(pg, read_counts(pg, arena, service, filter, ret_rows));
}

/* --- decisions --- */

#define OUTCOME(member)                                                                            \
	CODEC_FIELD(struct store_dlq_outcome, member, CODEC_INT, CODEC_PLAIN, true, 0)

static const struct codec_field outcome_fields[] = {
	OUTCOME(done),
	OUTCOME(not_open),
	OUTCOME(refused),
	CODEC_END,
};
const struct codec_type store_dlq_outcomes = { "estctl.dlq.outcome",
	sizeof(struct store_dlq_outcome), outcome_fields };

/* A letter is decided once in the transaction that says so: the entry's id may be a fresh one. */
static struct err tell(struct outbox *outbox, const struct store_dlq_decision *decision,
	const struct pg_rows *rows, size_t row)
{
	char object[OPERATION_TEXT_MAX + 1], id[ID_TEXT_BYTES];
	const struct operation operation = { .id = id_v7(),
		.tenant = { pg_get_id(rows, row, 1) },
		.actor = decision->who,
		.action = decision->discard ? "dead_letter.discarded" : "dead_letter.redriven",
		.object = object,
		.reason = decision->discard ? "estctl dlq discard" : "estctl dlq redrive",
		.occurred_at = clock_wall_ms(),
		.count = CODEC_NO_INT };

	id_format(pg_get_id(rows, row, 0), id);
	snprintf(object, sizeof object, "dead letter %s of %s", id, decision->service);
	return operation_emit(outbox, &operation);
}

static struct err decide(struct pg *pg, struct arena *arena,
	const struct store_dlq_decision *decision, const struct pg_array *ids,
	const struct pg_rows **ret_rows)
{
	const struct pg_arg args[] = { pg_list(ids), pg_text(decision->who) };

	TRY(store_begin_in(pg, decision->service));
	return pg_query(pg, arena, decision->discard ? &discard : &redrive, args, 2, ret_rows);
}

static struct err tell_all(struct pg *pg, struct arena *arena,
	const struct store_dlq_decision *decision, const struct outbox_conf *conf,
	const struct pg_rows *rows)
{
	struct outbox *outbox = outbox_new(arena, conf);

	if (outbox == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(rows); i++)
		if (strcmp(pg_get_text(rows, i, 2), "done") == 0)
			TRY(tell(outbox, decision, rows, i));
	TRY(outbox_flush(outbox, pg));
	return pg_commit(pg);
}

struct err store_dlq_decide(struct pg *pg, struct arena *arena,
	const struct store_dlq_decision *decision, const struct outbox_conf *outbox,
	struct store_dlq_outcome *outcome)
{
	const struct pg_rows *rows;
	struct pg_array *ids = pg_array_new(arena, PG_KIND_ID, decision->count);

	if (ids == NULL)
		return arena_overflow();
	for (size_t i = 0; i < decision->count; i++)
		TRY(pg_array_add(ids, pg_id(decision->ids[i])));
	TRY(store_undo(pg, decide(pg, arena, decision, ids, &rows)));
	TRY(store_undo(pg, tell_all(pg, arena, decision, outbox, rows)));
	for (size_t i = 0; i < pg_count(rows); i++) {
		const char *how = pg_get_text(rows, i, 2);
		outcome->done += strcmp(how, "done") == 0;
		outcome->not_open += strcmp(how, "not_open") == 0;
		outcome->refused += strcmp(how, "refused") == 0;
	}
	return err_ok();
}
