#include "frame/outbox.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "port/digest.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define JOB	     "018f4d3a-0000-7000-8000-00000000000a"

struct message {
	int64_t number;
	const char *path;
};

static const struct codec_field fields[] = {
	CODEC_FIELD(struct message, number, CODEC_INT, CODEC_PLAIN, true, 0),
	CODEC_FIELD(struct message, path, CODEC_TEXT, CODEC_CAPABILITY, false, 100),
	CODEC_END,
};
static const struct codec_type type = { "test.message.sent.v1", sizeof(struct message), fields };
static const struct topic_space space = { "esteira.", 12, 60 };
static const struct outbox_conf conf = { &space, "test" };

/* Made with Python's uuid.uuid5: whoever changes how ids are derived sends everything twice. */
START_TEST(ids_are_frozen)
{
	static const struct {
		const char *parts[3];
		const char *id;
	} rows[] = {
		{ { "a" }, "0c01d3c3-f838-56b7-bc61-9493874ca1c8" },
		{ { "a", "b" }, "1be47bc5-7e3a-5147-b9fc-df663eee180d" },
		{ { "ab" }, "e773a9f3-b7c4-54cc-9824-49a9b610930d" },
		{ { "" }, "7d77e33f-7bf9-5eb3-ad04-805e836aa8d4" },
		{ { "", "" }, "b8009720-7a3c-5636-93bc-b9a06f4efc32" },
		{ { "a\xc3\xa7\xc3\xa3o", "x" }, "e906b89b-64a3-5227-92be-247847dbc37c" },
		{ { JOB, "intake.document.received.v1" }, "46a62342-07ef-56dd-8897-fd34f1e559f7" },
	};
	char text[ID_TEXT_BYTES];

	id_format(digest_event_namespace(), text);
	ck_assert_str_eq(text, "a2d46588-5da5-52c8-b14b-5ab6c0520663");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str parts[3];
		size_t count = 0;
		for (; count < 3 && rows[i].parts[count] != NULL; count++)
			parts[count] = str_of(rows[i].parts[count]);
		id_format(outbox_id(parts, count), text);
		ck_assert_str_eq(text, rows[i].id);
	}
}
END_TEST

static struct outbox_event event_of(enum topic topic, const struct message *message)
{
	const struct str parts[] = { STR(JOB), STR("test.message.sent.v1") };
	struct outbox_event event = { .topic = topic,
		.id = outbox_id(parts, 2),
		.type = &type,
		.payload = message,
		.ordering_key = JOB,
		.sink = topic == TOPIC_OCR_JOBS ? CODEC_TO_JOBS : CODEC_TO_TOPIC };

	ck_assert(id_parse(STR("018f4d3a-7b1c-7000-8000-0123456789ab"), &event.tenant.id));
	return event;
}

START_TEST(hashes_what_it_collected)
{
	struct arena *arena = arena_new(1 << 20);
	struct outbox *outbox = outbox_new(arena, &conf);
	const struct message one = { 1, NULL }, two = { 2, "/path?signed" };
	const struct outbox_event first = event_of(TOPIC_OCR_EVENTS, &one),
				  second = event_of(TOPIC_OCR_JOBS, &two);
	uint8_t hashes[2][DIGEST_BYTES];
	struct str found;

	digest_sha256(STR("{\"number\":1}"), hashes[0]);
	digest_sha256(STR("{\"number\":2,\"path\":\"/path?signed\"}"), hashes[1]);
	ck_assert_uint_eq(outbox_count(outbox), 0);
	ck_assert_int_eq(outbox_hashes(outbox, 0, arena, &found).kind, ERR_OK);
	ck_assert_uint_eq(found.len, 0);
	ck_assert_int_eq(outbox_emit(outbox, &first).kind, ERR_OK);
	ck_assert_int_eq(outbox_emit(outbox, &second).kind, ERR_OK);
	ck_assert_uint_eq(outbox_count(outbox), 2);
	ck_assert_int_eq(outbox_hashes(outbox, 0, arena, &found).kind, ERR_OK);
	ck_assert_uint_eq(found.len, 16);
	ck_assert_mem_eq(found.ptr, hashes[0], 8);
	ck_assert_mem_eq(found.ptr + 8, hashes[1], 8);
	ck_assert_int_eq(outbox_hashes(outbox, 1, arena, &found).kind, ERR_OK);
	ck_assert_uint_eq(found.len, 8);
	ck_assert_mem_eq(found.ptr, hashes[1], 8);
	arena_free(arena);
}
END_TEST

/* The same input event gives the same output, whenever and wherever it is handled: neither the hash
 * nor the id depends on time, trace or slug. */
START_TEST(a_repetition_is_the_same)
{
	struct arena *arena = arena_new(1 << 20);
	const struct message message = { 7, NULL };
	const struct outbox_event event = event_of(TOPIC_AUDIT_TRAIL, &message),
				  again = event_of(TOPIC_AUDIT_TRAIL, &message);
	struct outbox *a = outbox_new(arena, &conf), *b = outbox_new(arena, &conf);
	struct str hash_a, hash_b;

	ck_assert(id_eq(event.id, again.id));
	outbox_set_origin(b, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "demo-a");
	ck_assert_int_eq(outbox_emit(a, &event).kind, ERR_OK);
	ck_assert_int_eq(outbox_emit(b, &again).kind, ERR_OK);
	ck_assert_int_eq(outbox_hashes(a, 0, arena, &hash_a).kind, ERR_OK);
	ck_assert_int_eq(outbox_hashes(b, 0, arena, &hash_b).kind, ERR_OK);
	ck_assert(hash_a.len == 8 && str_eq(hash_a, hash_b));
	arena_free(arena);
}
END_TEST

/* A signed path leaves on ocr.jobs and nowhere else. */
START_TEST(a_capability_stays_on_its_topic)
{
	struct arena *arena = arena_new(1 << 20);
	struct outbox *outbox = outbox_new(arena, &conf);
	const struct message message = { 1, "/path?signed" };
	static const enum topic others[] = { TOPIC_INTAKE_EVENTS, TOPIC_OCR_EVENTS,
		TOPIC_AUDIT_TRAIL };

	for (size_t i = 0; i < COUNT(others); i++) {
		const struct outbox_event event = event_of(others[i], &message);
		struct err e = outbox_emit(outbox, &event);
		ck_assert(e.kind == ERR_FATAL && e.code == ERR_CODE_INTERNAL);
	}
	ck_assert_uint_eq(outbox_count(outbox), 0);
	arena_free(arena);
}
END_TEST

START_TEST(copies_a_record)
{
	struct arena *arena = arena_new(1 << 20);
	struct outbox *outbox = outbox_new(arena, &conf);
	const struct outbox_copy copy = { .topic = "esteira.ocr.jobs.esteira.ocr.dlq",
		.partition = 3,
		.key = STR("k"),
		.payload = STR("p\0q") };
	uint8_t hash[DIGEST_BYTES];
	struct str found;

	digest_sha256(STR("p\0q"), hash);
	ck_assert_int_eq(outbox_copy(outbox, &copy).kind, ERR_OK);
	ck_assert_uint_eq(outbox_count(outbox), 1);
	ck_assert_int_eq(outbox_hashes(outbox, 0, arena, &found).kind, ERR_OK);
	ck_assert_mem_eq(found.ptr, hash, 8);
	arena_free(arena);
}
END_TEST

/* --- replays --- */

static struct outbox *collect(struct arena *arena, const int64_t *numbers, size_t count)
{
	struct outbox *outbox = outbox_new(arena, &conf);

	for (size_t i = 0; i < count; i++) {
		const struct message message = { numbers[i], NULL };
		const struct outbox_event event = event_of(TOPIC_OCR_EVENTS, &message);
		ck_assert_int_eq(outbox_emit(outbox, &event).kind, ERR_OK);
	}
	return outbox;
}

static struct str hashes_of(const struct outbox *outbox, size_t from, struct arena *arena)
{
	struct str hashes;

	ck_assert_int_eq(outbox_hashes(outbox, from, arena, &hashes).kind, ERR_OK);
	return hashes;
}

/* What was emitted then and now, by place; 0 ends a list. What the new ids and headers are is seen
 * in the database: tests/integration/test_replay.py. */
START_TEST(a_replay_sends_what_differs)
{
	static const struct {
		int64_t then[4], now[4], left[4];
		int64_t same;
	} rows[] = {
		{ { 1, 2, 3 }, { 1, 2, 3 }, { 0 }, 3 },
		{ { 1, 2, 3 }, { 1, 9, 3 }, { 9 }, 2 },
		{ { 1, 2, 3 }, { 9, 2, 3 }, { 9 }, 2 },
		{ { 1, 2, 3 }, { 1, 2, 9 }, { 9 }, 2 },
		{ { 1, 2, 3 }, { 2, 1, 3 }, { 2, 1 }, 1 },
		{ { 1 }, { 1, 2 }, { 2 }, 1 },
		{ { 1, 2 }, { 1 }, { 0 }, 1 },
		{ { 0 }, { 1, 2 }, { 1, 2 }, 0 },
		{ { 1, 2 }, { 0 }, { 0 }, 0 },
		{ { 0 }, { 0 }, { 0 }, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena = arena_new(1 << 20);
		struct outbox_reconciled found = { -1, -1 };
		size_t then = 0, now = 0, left = 0;
		while (rows[i].then[then] != 0)
			then++;
		while (rows[i].now[now] != 0)
			now++;
		while (rows[i].left[left] != 0)
			left++;
		struct str old = hashes_of(collect(arena, rows[i].then, then), 0, arena);
		struct outbox *outbox = collect(arena, rows[i].now, now);
		ck_assert_int_eq(outbox_reconcile(outbox, 0, old, 7, &found).kind, ERR_OK);
		ck_assert_int_eq(found.same, rows[i].same);
		ck_assert_uint_eq((size_t)found.different, left);
		ck_assert_uint_eq(outbox_count(outbox), left);
		struct str rest = hashes_of(collect(arena, rows[i].left, left), 0, arena);
		ck_assert(str_eq(hashes_of(outbox, 0, arena), rest));
		arena_free(arena);
	}
}
END_TEST

/* Of a batch only one record's events are looked at, what follows can still be collected, and a
 * dead letter is no output. */
START_TEST(a_replay_leaves_the_rest_alone)
{
	static const int64_t numbers[] = { 1, 2, 3 };
	const struct outbox_copy letter = { .topic = "a.dlq", .payload = STR("{\"number\":2}") };
	const struct message message = { 4, NULL };
	const struct outbox_event event = event_of(TOPIC_OCR_EVENTS, &message);
	struct arena *arena = arena_new(1 << 20);
	struct outbox *outbox = collect(arena, numbers, 3);
	struct str old = { hashes_of(outbox, 0, arena).ptr + 8, 16 };
	struct outbox_reconciled found;

	ck_assert_int_eq(outbox_reconcile(outbox, 1, old, 7, &found).kind, ERR_OK);
	ck_assert(found.same == 2 && found.different == 0);
	ck_assert_uint_eq(outbox_count(outbox), 1);
	ck_assert_int_eq(outbox_copy(outbox, &letter).kind, ERR_OK);
	ck_assert_int_eq(outbox_reconcile(outbox, 1, old, 7, &found).kind, ERR_OK);
	ck_assert(found.same == 0 && found.different == 0);
	ck_assert_int_eq(outbox_emit(outbox, &event).kind, ERR_OK);
	ck_assert_uint_eq(outbox_count(outbox), 3);
	ck_assert_uint_eq(hashes_of(outbox, 0, arena).len, 24);
	arena_free(arena);
}
END_TEST

/* Older than the inbox: nothing is known, all is sent. */
START_TEST(a_replay_without_memory_sends_everything)
{
	static const int64_t numbers[] = { 1, 2, 3 };
	struct arena *arena = arena_new(1 << 20);
	struct outbox *outbox = collect(arena, numbers, 3);
	struct outbox_reconciled found;

	ck_assert_int_eq(
		outbox_reconcile(outbox, 0, (struct str){ NULL, 0 }, 7, &found).kind, ERR_OK);
	ck_assert(found.same == 0 && found.different == 3);
	ck_assert_uint_eq(outbox_count(outbox), 3);
	arena_free(arena);
}
END_TEST

START_TEST(has_a_ceiling)
{
	struct arena *small = arena_new(300), *large = arena_new(64 << 20);
	const struct message message = { 1, NULL };
	const struct outbox_event event = event_of(TOPIC_AUDIT_TRAIL, &message);
	struct outbox *outbox = outbox_new(small, &conf);

	ck_assert(err_is(outbox_emit(outbox, &event), ERR_CODE_RECORD_TOO_LARGE));
	outbox = outbox_new(large, &conf);
	while (outbox_count(outbox) < 2000)
		ck_assert_int_eq(outbox_emit(outbox, &event).kind, ERR_OK);
	ck_assert(err_is(outbox_emit(outbox, &event), ERR_CODE_RECORD_TOO_LARGE));
	ck_assert_uint_eq(outbox_count(outbox), 2000);
	arena_free(small);
	small = arena_new(8);
	ck_assert_ptr_null(outbox_new(small, &conf));
	arena_free(small);
	arena_free(large);
}
END_TEST

/* No connection is needed to write nothing. */
START_TEST(an_empty_one_writes_nothing)
{
	struct arena *arena = arena_new(1 << 16);

	ck_assert_int_eq(outbox_flush(outbox_new(arena, &conf), NULL).kind, ERR_OK);
	arena_free(arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("outbox");
	TCase *tcase = tcase_create("outbox");

	tcase_add_test(tcase, ids_are_frozen);
	tcase_add_test(tcase, hashes_what_it_collected);
	tcase_add_test(tcase, a_repetition_is_the_same);
	tcase_add_test(tcase, a_capability_stays_on_its_topic);
	tcase_add_test(tcase, copies_a_record);
	tcase_add_test(tcase, a_replay_sends_what_differs);
	tcase_add_test(tcase, a_replay_leaves_the_rest_alone);
	tcase_add_test(tcase, a_replay_without_memory_sends_everything);
	tcase_add_test(tcase, has_a_ceiling);
	tcase_add_test(tcase, an_empty_one_writes_nothing);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
