#include "api/tail.h"

#include <check.h>

#include "../port/redis_bench.h"
#include "api_suite.h"

enum { SEEN_MAX = 512, PATIENCE_MS = 5000 };

static const struct {
	const char *text;
	bool good;
	uint64_t ms, seq;
} ids[] = {
	{ "0-0", true, 0, 0 },
	{ "1795262400123-7", true, 1795262400123, 7 },
	{ "18446744073709551615-18446744073709551615", true, UINT64_MAX, UINT64_MAX },
	{ "", false, 0, 0 },
	{ "5", false, 0, 0 },
	{ "5-", false, 0, 0 },
	{ "-5", false, 0, 0 },
	{ "5-x", false, 0, 0 },
	{ "$", false, 0, 0 },
	{ "+5-1", false, 0, 0 },
	{ "5-1-1", false, 0, 0 },
	{ "18446744073709551616-0", false, 0, 0 },
};

START_TEST(test_id)
{
	struct tail_id id = { 9, 9 };
	char text[TAIL_ID_BYTES];

	ck_assert_int_eq(tail_id_parse(str_of(ids[_i].text), &id), ids[_i].good);
	if (!ids[_i].good)
		return;
	ck_assert(id.ms == ids[_i].ms && id.seq == ids[_i].seq);
	tail_id_format(id, text);
	ck_assert_str_eq(text, ids[_i].text);
}
END_TEST

START_TEST(test_entries)
{
	static const struct {
		const char *id, *event, *data;
		bool good;
	} rows[] = {
		{ "1-1", "page", "{\"page\":1}", true },
		{ "1-1", "end", "", true },
		{ "1", "page", "{}", false },
		{ "1-1", "", "{}", false },
		{ "1-1", "Page", "{}", false },
		{ "1-1", "page\n", "{}", false },
		{ "1-1", "page", "{}\n\nevent: completed", false },
		{ "1-1", "page", "{}\r", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct redis_reply words[] = {
			{ .kind = REDIS_TEXT, .text = STR("event") },
			{ .kind = REDIS_TEXT, .text = str_of(rows[i].event) },
			{ .kind = REDIS_TEXT, .text = STR("data") },
			{ .kind = REDIS_TEXT, .text = str_of(rows[i].data) },
		};
		struct redis_reply pair[] = {
			{ .kind = REDIS_TEXT, .text = str_of(rows[i].id) },
			{ .kind = REDIS_ARRAY, .items = words, .count = 4 },
		};
		const struct redis_reply reply = { .kind = REDIS_ARRAY, .items = pair, .count = 2 };
		struct tail_entry entry;

		ck_assert_msg(tail_entry_read(&reply, &entry) == rows[i].good, "row %zu", i);
	}
}
END_TEST

/* --- with a server --- */

struct seen {
	struct tail_watch watch; /* first */
	struct tail *tail;
	int numbers[SEEN_MAX];
	_Atomic int count;
	int leave_after; /* 0 = never */
};

struct plant {
	struct server server;
	struct bench bench;
	struct redis *redis, *blocking;
	struct tail *tail;
};

static void on_entry(struct tail_watch *watch, const struct tail_entry *entry)
{
	struct seen *seen = (struct seen *)watch;
	uint64_t number = 0;

	(void)!str_to_u64(entry->data, &number);
	seen->numbers[seen->count] = (int)number;
	if (seen->leave_after > 0 && seen->count + 1 == seen->leave_after)
		tail_remove(seen->tail, watch);
	seen->count++;
}

static void open_tail(void *arg)
{
	struct plant *plant = arg;

	ck_assert(tail_open(plant->bench.loop, plant->redis, plant->blocking, &plant->tail).kind ==
		  ERR_OK);
}

static void close_tail(void *arg)
{
	tail_close(((struct plant *)arg)->tail);
}

static void add_watch(void *arg)
{
	struct seen *seen = arg;

	tail_add(seen->tail, &seen->watch);
}

static void remove_watch(void *arg)
{
	struct seen *seen = arg;

	tail_remove(seen->tail, &seen->watch);
}

static struct plant plant_new(void)
{
	struct plant plant = { .server = server_new("") };

	plant.bench = bench_new();
	plant.redis = client(&plant.bench, plant.server.port, NULL);
	plant.blocking = client(&plant.bench, plant.server.port, NULL);
	return plant;
}

static void plant_free(struct plant *plant)
{
	on_loop(&plant->bench, close_tail, plant);
	on_loop(&plant->bench, close_here, plant->blocking);
	on_loop(&plant->bench, close_here, plant->redis);
	bench_free(&plant->bench);
	server_free(&plant->server);
}

static void add(struct plant *plant, const char *key, int number)
{
	char text[16];

	snprintf(text, sizeof text, "%d", number);
	call(&plant->bench, plant->redis,
		CMD(STR("XADD"), str_of(key), STR("*"), STR("event"), STR("page"), STR("data"),
			str_of(text)));
}

static void watch(struct plant *plant, struct seen *seen, const char *key)
{
	seen->tail = plant->tail;
	seen->watch.entry = on_entry;
	snprintf(seen->watch.key, sizeof seen->watch.key, "%s", key);
	on_loop(&plant->bench, add_watch, seen);
}

/* Until so many came; how long it took. */
static int64_t expect(const struct seen *seen, int count)
{
	int64_t from_ms = clock_mono_ms();

	while (seen->count < count && clock_mono_ms() - from_ms < PATIENCE_MS)
		sched_yield();
	ck_assert_int_eq(seen->count, count);
	for (int i = 1; i < count; i++)
		ck_assert_int_eq(seen->numbers[i], seen->numbers[i - 1] + 1);
	return clock_mono_ms() - from_ms;
}

START_TEST(test_backlog_and_live)
{
	struct plant plant = plant_new();
	struct seen first = { 0 }, second = { 0 }, other = { 0 };

	on_loop(&plant.bench, open_tail, &plant);
	add(&plant, "a", 1);
	add(&plant, "a", 2);
	watch(&plant, &first, "a");
	expect(&first, 2);
	add(&plant, "a", 3);
	expect(&first, 3);
	/* the read is blocked now: it must be broken off for the next two */
	add(&plant, "b", 10);
	watch(&plant, &other, "b");
	ck_assert_int_lt(expect(&other, 1), 500);
	watch(&plant, &second, "a");
	ck_assert_int_lt(expect(&second, 3), 500);
	for (int i = 4; i <= 300; i++)
		add(&plant, "a", i);
	expect(&first, 300);
	expect(&second, 300);
	expect(&other, 1);
	on_loop(&plant.bench, remove_watch, &first);
	add(&plant, "a", 301);
	expect(&second, 301);
	expect(&first, 300);
	on_loop(&plant.bench, remove_watch, &second);
	on_loop(&plant.bench, remove_watch, &other);
	plant_free(&plant);
}
END_TEST

START_TEST(test_resumes_and_leaves)
{
	struct plant plant = plant_new();
	struct seen all = { 0 }, rest = { 0 }, two = { .leave_after = 2 };

	on_loop(&plant.bench, open_tail, &plant);
	for (int i = 1; i <= 5; i++)
		add(&plant, "a", i);
	watch(&plant, &all, "a");
	expect(&all, 5);
	const struct redis_reply *third = call(&plant.bench, plant.redis,
		CMD(STR("XRANGE"), STR("a"), STR("-"), STR("+"), STR("COUNT"), STR("3")));
	ck_assert(tail_id_parse(third->items[2].items[0].text, &rest.watch.last));
	watch(&plant, &rest, "a");
	expect(&rest, 2);
	ck_assert_int_eq(rest.numbers[0], 4);
	watch(&plant, &two, "a");
	expect(&two, 2);
	add(&plant, "a", 6);
	expect(&all, 6);
	expect(&two, 2);
	on_loop(&plant.bench, remove_watch, &all);
	on_loop(&plant.bench, remove_watch, &rest);
	plant_free(&plant);
}
END_TEST

START_TEST(test_server_away)
{
	struct plant plant = plant_new();
	struct seen seen = { 0 };

	server_stop(&plant.server);
	on_loop(&plant.bench, open_tail, &plant);
	watch(&plant, &seen, "a");
	server_start(&plant.server, "");
	while (!redis_is_up(plant.redis))
		sched_yield();
	add(&plant, "a", 1);
	expect(&seen, 1);
	on_loop(&plant.bench, remove_watch, &seen);
	plant_free(&plant);
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_id, COUNT(ids) },
		{ test_entries, 0 },
		{ test_backlog_and_live, 0 },
		{ test_resumes_and_leaves, 0 },
		{ test_server_away, 0 },
		{ NULL, 0 },
	};

	return api_suite_main("api/tail", cases);
}
