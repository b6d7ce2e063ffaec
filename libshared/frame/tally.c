#include "frame/tally.h"

#include <string.h>

#include "base/clock.h"
#include "frame/effect.h"
#include "frame/metrics.h"
#include "port/pg.h"

enum { TURN_MS = 10000 };

static const struct metrics_spec effects_spec = { METRICS_GAUGE, "esteira_effects",
	"Effects that are not over, by state; known to the leading process.", { "state" }, NULL,
	0 };
static const struct metrics_spec open_spec = { METRICS_GAUGE, "esteira_dead_letters_open",
	"Dead letters that wait for a decision; known to the leading process.", { "class" }, NULL,
	0 };
static const struct metrics_spec oldest_spec = { METRICS_GAUGE,
	"esteira_dead_letter_oldest_seconds",
	"How long the oldest open dead letter has waited; known to the leading process.", { NULL },
	NULL, 0 };
static const struct metrics_spec outbox_spec = { METRICS_GAUGE, "esteira_outbox_events",
	"Events that are not published yet; known to the leading process.", { NULL }, NULL, 0 };

/* 10,000 = TALLY_MAX. By the index of open letters alone. */
static const struct pg_statement letters = { "tally_letters",
	"SELECT error_class, count(*), "
	"extract(epoch FROM greatest(clock_timestamp() - min(updated_at), '0'))::float8 "
	"FROM (SELECT error_class, updated_at FROM dead_letter WHERE state = 'open' LIMIT 10000) "
	"AS l GROUP BY error_class" };
static const struct pg_statement events = { "tally_events",
	"SELECT count(*) FROM (SELECT FROM outbox LIMIT 10000) AS o" };

void tally_register(struct tally *tally, struct metrics *metrics)
{
	tally->effects = metrics_register(metrics, &effects_spec);
	tally->open = metrics_register(metrics, &open_spec);
	tally->oldest = metrics_register(metrics, &oldest_spec);
	tally->outbox = metrics_register(metrics, &outbox_spec);
	tally->counted_ms = -TURN_MS;
}

static struct err count_effects(struct tally *tally, struct pg *pg, struct arena *arena)
{
	static const enum effect_state open[] = { EFFECT_INTENT, EFFECT_SENDING, EFFECT_UNKNOWN };
	int64_t counts[EFFECT_UNKNOWN + 1] = { 0 };
	int64_t sum = 0;

	if (pg != NULL)
		TRY(effect_count(pg, arena, counts));
	for (size_t i = 0; i < sizeof open / sizeof *open; i++)
		sum += counts[open[i]];
	tally->no_effects = pg != NULL && !tally->ledgered && sum == 0;
	for (size_t i = 0; i < sizeof open / sizeof *open && !tally->no_effects; i++) {
		const char *state = effect_state_name(open[i]);
		metrics_set(tally->effects, &state, (double)counts[open[i]]);
	}
	return err_ok();
}

/* Classes in which there is none any more say 0. */
static void show_letters(struct tally *tally, const struct pg_rows *rows)
{
	double oldest = 0;

	for (int c = ERR_CLASS_CLIENT; c <= ERR_CLASS_BUG; c++) {
		const char *name = err_class_name((enum err_class)c);
		double count = 0;
		for (size_t i = 0; rows != NULL && i < pg_count(rows); i++) {
			double age = pg_get_real(rows, i, 2);
			if (strcmp(pg_get_text(rows, i, 0), name) == 0)
				count = (double)pg_get_int(rows, i, 1);
			oldest = age > oldest ? age : oldest;
		}
		metrics_set(tally->open, &name, count);
	}
	metrics_set(tally->oldest, NULL, oldest);
}

static struct err count_rows(struct tally *tally, struct pg *pg, struct arena *arena)
{
	const struct pg_rows *rows = NULL, *waiting = NULL;

	if (pg != NULL) {
		TRY(pg_query(pg, arena, &letters, NULL, 0, &rows));
		TRY(pg_query(pg, arena, &events, NULL, 0, &waiting));
	}
	show_letters(tally, rows);
	metrics_set(tally->outbox, NULL, waiting == NULL ? 0 : (double)pg_get_int(waiting, 0, 0));
	return err_ok();
}

struct err tally_turn(struct tally *tally, struct pg *pg, struct arena *arena)
{
	int64_t now = clock_mono_ms();

	if (now - tally->counted_ms < TURN_MS)
		return err_ok();
	tally->counted_ms = now;
	arena_reset(arena);
	TRY(count_rows(tally, pg, arena));
	return tally->no_effects ? err_ok() : count_effects(tally, pg, arena);
}
