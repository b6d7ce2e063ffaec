#include "frame/fence.h"

#include <string.h>

#include "port/pg.h"

#define TIMELINE "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint"

static const struct pg_statement raise = { "fence_raise",
	"INSERT INTO fence AS f (grp, topic, part, fence, timeline, doubt_at) "
	"SELECT $1, t, p, 1, line, CASE WHEN line > 1 THEN now() END FROM "
	"unnest($2::text[], $3::bigint[]) AS u (t, p), (SELECT " TIMELINE " AS line) AS l "
	"ORDER BY t, p ON CONFLICT (grp, topic, part) DO UPDATE SET fence = f.fence + 1, "
	"timeline = excluded.timeline, doubt_at = CASE WHEN f.timeline <> excluded.timeline "
	"THEN now() ELSE f.doubt_at END "
	"RETURNING f.topic, f.part, f.fence, f.doubt_at" };
static const struct pg_statement progress = { "fence_read_progress",
	"WITH was AS (SELECT p.topic, p.part, p.next_offset, p.cluster_id, p.frontier, p.clean "
	"FROM progress AS p JOIN unnest($2::text[], $3::bigint[]) AS u (t, n) ON p.topic = u.t "
	"AND p.part = u.n WHERE p.grp = $1), "
	"now AS (UPDATE progress AS p SET clean = false FROM was WHERE p.grp = $1 AND "
	"p.topic = was.topic AND p.part = was.part AND p.clean) "
	"SELECT * FROM was" };
/* After a failover that lost the last transactions nothing may go on from where it thinks it is. */
static const struct pg_statement hold = { "fence_hold",
	"SELECT 1 FROM fence WHERE grp = $1 AND topic = $2 AND part = $3 AND fence = $4 "
	"AND timeline = " TIMELINE " FOR SHARE" };
static const struct pg_statement timeline = { "fence_timeline", "SELECT " TIMELINE };
static const struct pg_statement write_progress = { "fence_write_progress",
	"WITH today AS MATERIALIZED (SELECT " TIMELINE " AS line), "
	"written AS (INSERT INTO progress AS p (grp, topic, part, cluster_id, next_offset, "
	"frontier, clean) "
	"SELECT $1, u.t, u.n, u.c, u.o, u.o, u.k "
	"FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], "
	"$7::boolean[]) "
	"AS u (t, n, f, o, c, k) JOIN fence ON fence.grp = $1 AND fence.topic = u.t AND "
	"fence.part = u.n AND fence.fence = u.f WHERE (SELECT line FROM today) = $8 "
	"ON CONFLICT (grp, topic, part) DO UPDATE SET cluster_id = excluded.cluster_id, "
	"next_offset = excluded.next_offset, frontier = CASE WHEN p.cluster_id = "
	"excluded.cluster_id THEN greatest(p.frontier, excluded.frontier) ELSE excluded.frontier "
	"END, "
	"clean = excluded.clean, updated_at = now() RETURNING 1) "
	"SELECT line, (SELECT count(*) FROM written) FROM today" };

static const struct pg_statement cut = { "fence_cut",
	"UPDATE progress SET next_offset = $4, frontier = $4 WHERE grp = $1 AND topic = $2 AND "
	"part = $3" };

static struct fence *find(struct fence *fences, size_t count, const char *topic, int64_t partition)
{
	for (size_t i = 0; i < count; i++)
		if (fences[i].partition == partition && strcmp(fences[i].topic, topic) == 0)
			return &fences[i];
	return NULL;
}

/* The names and numbers of the partitions as two arrays. */
static struct err keys_of(
	struct arena *arena, const struct fence *fences, size_t count, struct pg_arg *ret_args)
{
	struct pg_array *topics = pg_array_new(arena, PG_KIND_TEXT, count);
	struct pg_array *numbers = pg_array_new(arena, PG_KIND_INT, count);

	if (topics == NULL || numbers == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++) {
		TRY(pg_array_add(topics, pg_text(fences[i].topic)));
		TRY(pg_array_add(numbers, pg_int(fences[i].partition)));
	}
	ret_args[0] = pg_list(topics);
	ret_args[1] = pg_list(numbers);
	return err_ok();
}

static void set_number(struct fence *fence, const struct pg_rows *rows, size_t row)
{
	fence->number = pg_get_int(rows, row, 2);
	fence->doubt_ms = pg_is_null(rows, row, 3) ? 0 : pg_get_time(rows, row, 3);
}

static struct err raise_and_read(struct pg *pg, struct arena *arena, const struct pg_arg *args,
	struct fence *fences, size_t count)
{
	const struct pg_rows *rows;

	TRY(pg_begin(pg));
	TRY(pg_query(pg, arena, &timeline, NULL, 0, &rows));
	for (size_t i = 0; i < count; i++)
		fences[i].timeline = pg_get_int(rows, 0, 0);
	TRY(pg_query(pg, arena, &raise, args, 3, &rows));
	for (size_t r = 0; r < pg_count(rows); r++) {
		struct fence *fence =
			find(fences, count, pg_get_text(rows, r, 0), pg_get_int(rows, r, 1));
		if (fence != NULL)
			set_number(fence, rows, r);
	}
	TRY(pg_query(pg, arena, &progress, args, 3, &rows));
	for (size_t r = 0; r < pg_count(rows); r++) {
		struct fence *fence =
			find(fences, count, pg_get_text(rows, r, 0), pg_get_int(rows, r, 1));
		if (fence == NULL)
			continue;
		fence->has_progress = true;
		fence->next_offset = pg_get_int(rows, r, 2);
		fence->cluster = pg_get_text(rows, r, 3);
		fence->frontier = pg_get_int(rows, r, 4);
		fence->clean = pg_get_int(rows, r, 5) != 0;
	}
	return pg_commit(pg);
}

struct err fence_raise(
	struct pg *pg, struct arena *arena, const char *group, struct fence *fences, size_t count)
{
	struct pg_arg args[3] = { pg_text(group) };

	TRY(keys_of(arena, fences, count, args + 1));
	struct err e = raise_and_read(pg, arena, args, fences, count);
	if (e.kind != ERR_OK)
		pg_rollback(pg);
	return e;
}

struct err fence_hold(struct pg *pg, struct arena *arena, const char *group,
	const struct fence *fence, bool *ret_ours)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_text(group), pg_text(fence->topic),
		pg_int(fence->partition), pg_int(fence->number) };

	TRY(pg_query(pg, arena, &hold, args, 4, &rows));
	*ret_ours = pg_count(rows) == 1;
	return err_ok();
}

struct err fence_progress(struct pg *pg, struct arena *arena, const char *group,
	const struct fence *fences, size_t count)
{
	struct pg_arg args[8] = { pg_text(group) };
	const struct pg_rows *rows;
	struct pg_array *numbers = pg_array_new(arena, PG_KIND_INT, count);
	struct pg_array *offsets = pg_array_new(arena, PG_KIND_INT, count);
	struct pg_array *clusters = pg_array_new(arena, PG_KIND_TEXT, count);
	struct pg_array *cleans = pg_array_new(arena, PG_KIND_BOOL, count);

	if (numbers == NULL || offsets == NULL || clusters == NULL || cleans == NULL)
		return arena_overflow();
	TRY(keys_of(arena, fences, count, args + 1));
	for (size_t i = 0; i < count; i++) {
		TRY(pg_array_add(numbers, pg_int(fences[i].number)));
		TRY(pg_array_add(offsets, pg_int(fences[i].next_offset)));
		TRY(pg_array_add(clusters, pg_text(fences[i].cluster)));
		TRY(pg_array_add(cleans, pg_bool(fences[i].clean)));
	}
	args[3] = pg_list(numbers);
	args[4] = pg_list(offsets);
	args[5] = pg_list(clusters);
	args[6] = pg_list(cleans);
	args[7] = pg_int(fences[0].timeline);
	TRY(pg_query(pg, arena, &write_progress, args, 8, &rows));
	if (pg_get_int(rows, 0, 0) != fences[0].timeline)
		return err_fatal(ERR_CODE_TIMELINE_CHANGED, "the database has failed over");
	return pg_get_int(rows, 0, 1) == (int64_t)count
		       ? err_ok()
		       : err_retry(ERR_CODE_BAD_TRANSITION, "a partition has another owner");
}

struct err fence_timeline(struct pg *pg, struct arena *arena, int64_t *ret_timeline)
{
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &timeline, NULL, 0, &rows));
	*ret_timeline = pg_get_int(rows, 0, 0);
	return err_ok();
}

struct err fence_cut(struct pg *pg, const char *group, const struct fence *fence)
{
	const struct pg_arg args[] = { pg_text(group), pg_text(fence->topic),
		pg_int(fence->partition), pg_int(fence->next_offset) };

	TRY(pg_push(pg, &cut, args, 4));
	return pg_sync(pg);
}
