#include "frame/journal.h"

#include "port/pg.h"

static const struct pg_statement look = { "journal_look",
	"SELECT off, count FROM attempt "
	"WHERE grp = $1 AND topic = $2 AND part = $3::int AND off "
	"= ANY ($4::bigint[])" };
static const struct pg_statement note = { "journal_note",
	"INSERT INTO attempt AS a (grp, topic, part, off) "
	"SELECT DISTINCT $1, $2, $3::int, o FROM unnest($4::bigint[]) o ORDER BY o "
	"ON CONFLICT (grp, topic, part, off) DO UPDATE SET count = a.count + 1, "
	"updated_at = now()" };
static const struct pg_statement undo = { "journal_undo",
	"WITH gone AS (DELETE FROM attempt WHERE grp = $1 AND topic = $2 AND part = $3::int "
	"AND off = ANY ($4::bigint[]) AND count = 1) UPDATE attempt SET count = count - 1 "
	"WHERE grp = $1 AND topic = $2 AND part = $3::int AND off = ANY ($4::bigint[]) "
	"AND count > 1" };
static const struct pg_statement end = { "journal_end",
	"DELETE FROM attempt "
	"WHERE grp = $1 AND topic = $2 AND part = $3::int AND off = ANY ($4::bigint[])" };
static const struct pg_statement forget = { "journal_forget",
	"DELETE FROM attempt WHERE grp = $1 AND topic = $2 AND part = $3::int AND off < $4 "
	"AND updated_at < now() - interval '1 day'" };
static const struct pg_statement clear = { "journal_clear",
	"DELETE FROM attempt WHERE grp = $1 AND topic = $2 AND part = $3::int" };
static const struct pg_statement last = { "journal_last",
	"SELECT coalesce(max(off) + 1, 0) FROM attempt "
	"WHERE grp = $1 AND topic = $2 AND part = $3::int" };

static struct err list(
	struct arena *arena, const struct journal_batch *batch, struct pg_array **ret_list)
{
	struct pg_array *array = pg_array_new(arena, PG_KIND_INT, batch->n);

	if (array == NULL)
		return arena_overflow();
	for (size_t i = 0; i < batch->n; i++)
		TRY(pg_array_add(array, pg_int(batch->offsets[i])));
	*ret_list = array;
	return err_ok();
}

struct err journal_look(
	struct pg *pg, struct arena *arena, const struct journal_batch *batch, int *counts)
{
	const struct journal_place *place = &batch->place;
	const struct pg_rows *rows;
	struct pg_array *array;

	TRY(list(arena, batch, &array));
	const struct pg_arg args[] = { pg_text(place->group), pg_text(place->topic),
		pg_int(place->partition), pg_list(array) };
	TRY(pg_query(pg, arena, &look, args, 4, &rows));
	for (size_t i = 0; i < batch->n; i++) {
		counts[i] = 0;
		for (size_t r = 0; r < pg_count(rows); r++)
			if (pg_get_int(rows, r, 0) == batch->offsets[i])
				counts[i] = (int)pg_get_int(rows, r, 1);
	}
	return err_ok();
}

static struct err push(struct pg *pg, struct arena *arena, const struct pg_statement *statement,
	const struct journal_batch *batch)
{
	const struct journal_place *place = &batch->place;
	struct pg_array *array;

	TRY(list(arena, batch, &array));
	const struct pg_arg args[] = { pg_text(place->group), pg_text(place->topic),
		pg_int(place->partition), pg_list(array) };
	return pg_push(pg, statement, args, 4);
}

struct err journal_note(struct pg *pg, struct arena *arena, const struct journal_batch *batch)
{
	TRY(push(pg, arena, &note, batch));
	return pg_sync(pg);
}

struct err journal_undo(struct pg *pg, struct arena *arena, const struct journal_batch *batch)
{
	TRY(push(pg, arena, &undo, batch));
	return pg_sync(pg);
}

struct err journal_end(struct pg *pg, struct arena *arena, const struct journal_batch *batch)
{
	return push(pg, arena, &end, batch);
}

struct err journal_forget(struct pg *pg, const struct journal_place *place, int64_t below)
{
	const struct pg_arg args[] = { pg_text(place->group), pg_text(place->topic),
		pg_int(place->partition), pg_int(below) };

	return pg_push(pg, &forget, args, 4);
}

struct err journal_clear(struct pg *pg, const struct journal_place *place)
{
	const struct pg_arg args[] = { pg_text(place->group), pg_text(place->topic),
		pg_int(place->partition) };

	return pg_push(pg, &clear, args, 3);
}

struct err journal_last(
	struct pg *pg, struct arena *arena, const struct journal_place *place, int64_t *ret_after)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(place->group), pg_text(place->topic),
		pg_int(place->partition) };

	TRY(pg_query(pg, arena, &last, args, 3, &rows));
	*ret_after = pg_get_int(rows, 0, 0);
	return err_ok();
}
