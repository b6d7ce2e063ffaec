/*
 * The bench of the park programs: a group of its own for every case, so that none sees another's
 * rows; rows and batches written as short texts.
 */
#ifndef ESTEIRA_TESTS_PARK_BENCH_H
#define ESTEIRA_TESTS_PARK_BENCH_H

#include <string.h>

#include "frame/park.h"

#include "native.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TOPIC	     "esteira.test"

enum { ENTRIES_MAX = 512 };

struct bench {
	const char *group;
	struct park *park;
	struct pg *pg, *load;
	struct arena *arena;
	struct partition partition;
	struct record records[ENTRIES_MAX];
	struct event events[ENTRIES_MAX];
	struct park_entry entries[ENTRIES_MAX];
	char keys[ENTRIES_MAX][16];
	size_t count;
};

static inline struct bench *bench_open(const char *group)
{
	struct bench *bench = calloc(1, sizeof *bench);

	ck_assert_ptr_nonnull(bench);
	bench->group = group;
	bench->park = park_new(group);
	bench->pg = native_pg("ESTEIRA_TEST_PG_URL");
	bench->load = native_pg("ESTEIRA_TEST_PG_FRAME_URL");
	bench->arena = arena_new(256 << 20);
	bench->partition = (struct partition){ .topic = TOPIC, .number = 3, .fence = 7 };
	return bench;
}

static inline void bench_close(struct bench *bench)
{
	arena_free(bench->arena);
	pg_free(bench->pg);
	pg_free(bench->load);
	park_free(bench->park);
	free(bench);
}

static inline int64_t ask(struct bench *bench, const char *question)
{
	const char *sql = arena_printf(
		bench->arena, "SELECT %s FROM parked WHERE grp = '%s'", question, bench->group);

	return native_sql(sql);
}

/* A key's name of one letter; a capital is the same key of another tenant. */
static inline struct park_entry *put(struct bench *bench, const char *key, int64_t offset)
{
	size_t i = bench->count++;
	struct tenant tenant = { { { 1 } } };

	ck_assert_uint_lt(i, ENTRIES_MAX);
	bool other = key[0] >= 'A' && key[0] <= 'Z';
	tenant.id.bytes[1] = other;
	snprintf(bench->keys[i], sizeof bench->keys[i], "%s", key);
	bench->keys[i][0] = (char)(other ? key[0] - 'A' + 'a' : key[0]);
	bench->records[i] = (struct record){ .partition = &bench->partition,
		.offset = offset,
		.key = STR("key"),
		.value = STR("value"),
		.headers = STR("headers") };
	bench->events[i] =
		(struct event){ .id = id_v7(), .tenant = tenant, .ordering_key = bench->keys[i] };
	bench->entries[i] = (struct park_entry){
		.record = &bench->records[i], .event = &bench->events[i], .reason = PARK_BLOCKED
	};
	return &bench->entries[i];
}

static inline void add_all(struct bench *bench)
{
	NATIVE_OK(pg_begin(bench->pg));
	NATIVE_OK(park_add(bench->park, bench->pg, bench->arena, bench->entries, bench->count));
	NATIVE_OK(pg_commit(bench->pg));
	bench->count = 0;
}

/* "a5 b7!": rows blocked and due (nothing behind), retry due (!), retry not due (-), hold (#),
 * overflow (*). */
static inline void add_rows(struct bench *bench, const char *text)
{
	char key[2] = "";
	int offset = 0, len = 0;

	for (; *text != '\0'; text += len + (text[len] == ' ')) {
		ck_assert_int_eq(sscanf(text, "%1s%d%n", key, &offset, &len), 2);
		struct park_entry *entry = put(bench, key, offset);
		switch (text[len]) {
		case '!':
			entry->reason = PARK_RETRY;
			break;
		case '-':
			entry->reason = PARK_RETRY;
			entry->due_in_ms = 3600000;
			break;
		case '#':
			entry->reason = PARK_HOLD;
			entry->due_in_ms = -1;
			break;
		case '*':
			entry->reason = PARK_OVERFLOW;
			break;
		default:
			continue;
		}
		len++;
	}
	if (bench->count > 0)
		add_all(bench);
}

static inline struct err load_rows(struct bench *bench, const char *topic, int32_t number,
	struct park_row **ret_rows, size_t *ret_count)
{
	const struct partition of = { .topic = topic, .number = number };
	struct park_rows rows = { NULL, 0 };
	struct err e = park_load(bench->park, bench->load, bench->arena, &of, &rows);

	*ret_rows = rows.items;
	*ret_count = rows.count;
	return e;
}

/* What a load gives, as "a1 a2 B7". */
static inline size_t load(struct bench *bench, char *ret_text)
{
	struct park_row *rows;
	size_t count;
	char *to = ret_text;

	NATIVE_OK(load_rows(bench, TOPIC, 3, &rows, &count));
	*to = '\0';
	for (size_t i = 0; i < count; i++) {
		char key = rows[i].ordering_key[0];
		to += snprintf(to, 24, "%s%c%lld", i == 0 ? "" : " ",
			rows[i].tenant.id.bytes[1] ? key - 'a' + 'A' : key,
			(long long)rows[i].offset);
		ck_assert(str_eq(rows[i].value, STR("value")) || rows[i].value.len > 5);
	}
	return count;
}

/* Rows by generate_series: i numbers them from 1; offsets are above those of any before. */
static inline void fill(
	struct bench *bench, const char *key, const char *reason, const char *value, int rows)
{
	native_sql(arena_printf(bench->arena,
		"INSERT INTO parked (grp, topic, part, off, event_id, tenant_id, ordering_key, "
		"due_at, reason, headers, key, payload) SELECT '%s', '" TOPIC "', 3, i + (SELECT "
		"coalesce(max(off), 0) FROM parked), gen_random_uuid(), "
		"'01000000-0000-0000-0000-000000000000', %s, now(), '%s', 'headers', 'key', %s "
		"FROM generate_series(1, %d) AS i",
		bench->group, key, reason, value, rows));
}

/* "La5 Pb7 Xb8": from the log, a loaded row, a loaded row that is gone. */
static inline void put_batch(struct bench *bench, const char *text)
{
	char kind = 0, key[2] = "";
	int offset = 0, len = 0;

	for (; *text != '\0'; text += len + (text[len] == ' ')) {
		ck_assert_int_eq(sscanf(text, "%c%1s%d%n", &kind, key, &offset, &len), 3);
		struct park_entry *entry = put(bench, key, offset);
		struct record *record = &bench->records[entry - bench->entries];
		const char *id = arena_printf(bench->arena,
			"max(id) FILTER (WHERE off = %d AND ordering_key = '%s')", offset, key);
		record->past.parked_id = kind == 'P' ? ask(bench, id) : kind == 'X';
		ck_assert(kind != 'P' || record->past.parked_id > 0);
	}
}

#endif
