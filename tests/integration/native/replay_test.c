/*
 * frame/replay, frame/outbox's reconciling and frame/side against real servers, as commands that
 * tests/integration/test_replay.py calls. The database is ESTEIRA_TEST_PG_URL's.
 *
 *   open rewind|skip GROUP TOPIC PARTITION FROM TO hold|free   prints the row: id state from to
 * next load GROUP TOPIC PARTITION                                 prints each row: id kind state
 *   count ID NUMBER                                            adds NUMBER to each of the counts
 *   finish ID
 *   advance ID NEXT
 *   reconcile EPOCH HASHES_HEX|unknown                         emits three events; prints same
 * different side BROKERS GROUP TOPIC PARTITION TURNS                   reads what is open; prints
 * each offset
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "port/kafka.h"
#include "port/pg.h"
#include "frame/operation.h"
#include "frame/replay.h"
#include "frame/side.h"

enum { ARENA_BYTES = 8 << 20, PLANS_MAX = 16 };

static const struct topic_space space = { "esteira.", 12, 12 };
static const struct outbox_conf conf = { &space, "native" };

struct run {
	struct pg *pg;
	struct arena *arena;
	char **args;
	int count;
};

static int64_t number(const struct run *run, int at)
{
	return strtoll(run->args[at], NULL, 10);
}

static struct err run_open(struct run *run)
{
	struct replay replay;
	const struct replay_move move = {
		.kind = strcmp(run->args[0], "skip") == 0 ? REPLAY_SKIP : REPLAY_REWIND,
		.group = run->args[1],
		.topic = run->args[2],
		.partition = (int32_t)number(run, 3),
		.from = number(run, 4),
		.to = number(run, 5),
		.hold = strcmp(run->args[6], "hold") == 0,
		.cluster = "cluster",
	};

	TRY(replay_open(run->pg, run->arena, &move, &conf, &replay));
	printf("%" PRId64 " %s %" PRId64 " %" PRId64 " %" PRId64 "\n", replay.id,
		replay_state_name(replay.state), replay.from, replay.to, replay.next);
	return err_ok();
}

static struct err load(struct run *run, int at, struct replay_list *ret_list)
{
	const char *topic = run->args[at + 1];
	int32_t partition = (int32_t)number(run, at + 2);

	return replay_load(run->pg, run->arena, run->args[at],
		&(struct places){ &topic, &partition, 1 }, ret_list);
}

static struct err run_load(struct run *run)
{
	struct replay_list list;

	TRY(load(run, 0, &list));
	for (size_t i = 0; i < list.count; i++)
		printf("%" PRId64 " %s %s\n", list.items[i].id,
			replay_kind_name(list.items[i].kind),
			replay_state_name(list.items[i].state));
	return err_ok();
}

static struct err run_count(struct run *run)
{
	int64_t n = number(run, 1);
	const struct replay_counts counts = { n, n, n, n, n, n };

	TRY(pg_begin(run->pg));
	TRY(replay_count(run->pg, number(run, 0), &counts));
	return pg_commit(run->pg);
}

static struct err run_finish(struct run *run)
{
	bool done;

	return replay_finish(run->pg, run->arena, number(run, 0), &conf, &done);
}

static struct err run_advance(struct run *run)
{
	return replay_advance(run->pg, number(run, 0), number(run, 1));
}

/* --- reconcile --- */

static struct str read_hex(const char *text, struct arena *arena)
{
	size_t len = strlen(text) / 2;
	char *bytes = arena_alloc(arena, len + 1);

	for (size_t i = 0; bytes != NULL && i < len; i++) {
		char pair[3] = { text[2 * i], text[2 * i + 1], '\0' };
		bytes[i] = (char)strtol(pair, NULL, 16);
	}
	return (struct str){ bytes, bytes == NULL ? 0 : len };
}

static struct err run_reconcile(struct run *run)
{
	struct outbox *outbox = outbox_new(run->arena, &conf);
	struct outbox_reconciled found;
	struct str hashes, old = { NULL, 0 };
	int64_t epoch = number(run, 0);

	if (strcmp(run->args[1], "unknown") != 0)
		old = read_hex(run->args[1], run->arena);
	for (int64_t i = 1; i <= 3; i++) {
		char text[8];
		snprintf(text, sizeof text, "%d", (int)i);
		const struct str part = str_of(text);
		const struct operation operation = { .id = outbox_id(&part, 1),
			.actor = "native",
			.action = "thing.done",
			.object = text,
			.reason = "a test",
			.occurred_at = 0,
			.count = i };
		TRY(operation_emit(outbox, &operation));
	}
	TRY(outbox_hashes(outbox, 0, run->arena, &hashes));
	for (size_t i = 0; i < hashes.len; i++)
		printf("%02x", (unsigned char)hashes.ptr[i]);
	TRY(outbox_reconcile(outbox, 0, old, epoch, &found));
	printf(" %" PRId64 " %" PRId64 "\n", found.same, found.different);
	TRY(pg_begin(run->pg));
	TRY(outbox_flush(outbox, run->pg));
	return pg_commit(run->pg);
}

/* --- side --- */

static void on_record(void *arg, struct partition *source, const struct replay *replay,
	const struct kafka_record *record)
{
	printf("%" PRId64 " %" PRId64 " %.*s\n", replay->id, record->offset, (int)record->value.len,
		record->value.ptr);
	schedule_pass(arg, source, record->offset);
}

static size_t take_items(
	struct schedule *schedule, const struct replay_list *list, struct side_item *items)
{
	size_t count = list->count < PLANS_MAX ? list->count : PLANS_MAX;

	for (size_t i = 0; i < count; i++) {
		items[i] = (struct side_item){ list->items[i],
			schedule_assign(schedule, SOURCE_SIDE, list->items[i].topic,
				list->items[i].partition, 1) };
		items[i].source->next = list->items[i].next;
	}
	return count;
}

/* Ends when everything is read, or after so many turns of 10 ms. */
static struct err turns(struct side *side, struct arena *arena, int64_t most)
{
	const struct timespec nap = { 0, 10000000 };

	for (int64_t i = 0; i < most && side_active(side) > 0; i++) {
		TRY(side_poll(side, arena));
		nanosleep(&nap, NULL);
	}
	return side_poll(side, arena);
}

static struct err run_side(struct run *run)
{
	const struct kafka_conf kafka = { .brokers = run->args[0], .client = "native" };
	struct schedule *schedule = schedule_new();
	struct arena *scratch SCOPED(arena_drop) = arena_new(ARENA_BYTES);
	const struct side_conf side_conf = { &kafka, schedule, run->pg, &conf, on_record,
		schedule };
	struct side *side = side_new(&side_conf);
	struct side_item items[PLANS_MAX];
	struct replay_list list;

	TRY(load(run, 1, &list));
	side_set(side, items, take_items(schedule, &list, items));
	struct err e = turns(side, scratch, number(run, 4));
	side_set(side, NULL, 0);
	side_free(side);
	schedule_revoke(schedule);
	schedule_free(schedule);
	return e;
}

static const struct {
	const char *name;
	int args;
	struct err (*run)(struct run *run);
} commands[] = {
	{ "open", 7, run_open },
	{ "load", 3, run_load },
	{ "count", 2, run_count },
	{ "finish", 1, run_finish },
	{ "advance", 2, run_advance },
	{ "reconcile", 2, run_reconcile },
	{ "side", 5, run_side },
};

int main(int argc, char **argv)
{
	const struct pg_conf pg_conf = { getenv("ESTEIRA_TEST_PG_URL"), "native", 0 };
	struct arena *arena SCOPED(arena_drop) = arena_new(ARENA_BYTES);
	struct run run = { pg_new(&pg_conf), arena, argv + 2, argc - 2 };
	struct err e = err_reject(ERR_CODE_BAD_PARAMETER, "no such command");

	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].name, argv[1]) == 0 && commands[i].args == run.count)
			e = commands[i].run(&run);
	if (e.kind != ERR_OK)
		fprintf(stderr, "%s %s\n", err_code_name(e.code), e.msg);
	pg_free(run.pg);
	return e.kind == ERR_OK ? 0 : 1;
}
