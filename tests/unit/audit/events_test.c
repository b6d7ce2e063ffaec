#include "events.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char job[] = "0190a0b0-0000-7000-8000-000000000001";

#define HEAD "{\"job_id\":\"0190a0b0-0000-7000-8000-000000000001\","
#define HASH "\"document_hash\":\"ab\","
#define TIME "\"occurred_at\":\"2026-11-21T08:34:00.123Z\""
#define FULL                                                                                       \
	HEAD "\"action\":\"PURGED\"," HASH "\"result_hash\":\"cd\",\"ip_hash\":\"ef\"," TIME       \
	     ",\"metadata\":{\"what\":\"result\",\"error_code\":\"expired\",\"pages_total\":3,"    \
	     "\"pages_text\":1,\"pages_ocr\":2,\"confidence_avg\":91.25,\"processing_ms\":812,"    \
	     "\"size_bytes\":1000,\"delivered_to\":\"12\",\"deletion_confirmed\":1}}"

static struct err read_entry(struct arena *arena, const char *json, struct events_entry *ret_entry)
{
	return codec_read(&events_entry_recorded, str_of(json), arena, ret_entry);
}

START_TEST(an_entry_comes_back_as_it_was)
{
	struct arena *arena = arena_new(1 << 16);
	struct buf out = BUF(4096);
	struct events_entry entry;
	char text[ID_TEXT_BYTES];

	ck_assert_int_eq(read_entry(arena, FULL, &entry).kind, ERR_OK);
	id_format(entry.job_id, text);
	ck_assert_str_eq(text, job);
	ck_assert_str_eq(entry.action, "PURGED");
	ck_assert_int_eq(entry.metadata.pages_ocr, 2);
	ck_assert(entry.metadata.confidence_avg == 91.25);
	ck_assert_int_eq(
		codec_write(&events_entry_recorded, &entry, CODEC_TO_TOPIC, &out).kind, ERR_OK);
	ck_assert_str_eq(out.ptr, FULL);
	buf_done(&out);
	arena_free(arena);
}
END_TEST

START_TEST(what_is_unknown_stays_absent)
{
	struct arena *arena = arena_new(1 << 16);
	struct buf out = BUF(4096);
	struct events_entry entry;

	ck_assert_int_eq(
		read_entry(arena,
			HEAD "\"action\":\"RECEIVED\"," HASH TIME ",\"metadata\":{\"newer\":true}}",
			&entry)
			.kind,
		ERR_OK);
	ck_assert_ptr_null(entry.result_hash);
	ck_assert_ptr_null(entry.ip_hash);
	ck_assert_int_eq(entry.metadata.pages_total, CODEC_NO_INT);
	ck_assert(isnan(entry.metadata.confidence_avg));
	ck_assert_int_eq(
		codec_write(&events_entry_metadata, &entry.metadata, CODEC_TO_TOPIC, &out).kind,
		ERR_OK);
	ck_assert_str_eq(out.ptr, "{}");
	buf_done(&out);
	arena_free(arena);
}
END_TEST

static const char *const broken[] = {
	"{}",
	"[]",
	HEAD HASH TIME ",\"metadata\":{}}",			/* no action */
	HEAD "\"action\":\"FAILED\"," TIME ",\"metadata\":{}}", /* no document_hash */
	HEAD "\"action\":\"FAILED\"," HASH "\"metadata\":{}}",	/* no time */
	HEAD "\"action\":\"FAILED\"," HASH TIME "}",		/* no metadata */
	HEAD "\"action\":\"FAILED\"," HASH TIME ",\"metadata\":[]}",
	HEAD "\"action\":\"FAILED\"," HASH TIME ",\"metadata\":{\"what\":1}}",
	HEAD "\"action\":\"FAILED\"," HASH TIME ",\"metadata\":{\"pages_total\":1.5}}",
	HEAD "\"action\":\"FAILED\"," HASH TIME ",\"metadata\":{\"what\":\"a\\u0000\"}}",
	HEAD "\"action\":\"FAILED\",\"action\":\"FAILED\"," HASH TIME ",\"metadata\":{}}",
	"{\"job_id\":\"1\",\"action\":\"FAILED\"," HASH TIME ",\"metadata\":{}}",
};

START_TEST(a_broken_entry_is_refused)
{
	struct arena *arena = arena_new(1 << 16);
	struct events_entry entry;
	struct err e = read_entry(arena, broken[_i], &entry);

	ck_assert_int_eq(e.kind, ERR_REJECT);
	ck_assert_int_eq(e.code, ERR_CODE_BAD_RECORD);
	arena_free(arena);
}
END_TEST

START_TEST(an_operation_comes_back_as_it_was)
{
	static const char json[] =
		"{\"actor\":\"intake\",\"action\":\"orphan.deleted\","
		"\"object\":\"k\",\"reason\":\"no row\"," TIME ",\"metadata\":{\"count\":3}}";
	struct arena *arena = arena_new(1 << 16);
	struct buf out = BUF(4096);
	struct events_operation operation;

	ck_assert_int_eq(
		codec_read(&events_operation_recorded, str_of(json), arena, &operation).kind,
		ERR_OK);
	ck_assert_int_eq(operation.metadata.count, 3);
	ck_assert_int_eq(
		codec_write(&events_operation_recorded, &operation, CODEC_TO_TOPIC, &out).kind,
		ERR_OK);
	ck_assert_str_eq(out.ptr, json);
	buf_done(&out);
	arena_free(arena);
}
END_TEST

START_TEST(only_the_words_of_the_trail_are_actions)
{
	static const char *const good[] = { "RECEIVED", "PROCESSING", "COMPLETED", "FAILED",
		"DELIVERED", "PURGED" };
	static const char *const bad[] = { "", "received", "RECEIVED ", "RECEIVE", "OPENED" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert(events_is_action(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert(!events_is_action(bad[i]));
}
END_TEST

START_TEST(all_types_are_named_once)
{
	const struct codec_type *const *all = events_all();

	ck_assert_str_eq(all[0]->name, "audit.entry.recorded.v1");
	ck_assert_str_eq(all[1]->name, "audit.operation.recorded.v1");
	ck_assert_ptr_null(all[2]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit/events");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, an_entry_comes_back_as_it_was);
	tcase_add_test(tests, what_is_unknown_stays_absent);
	tcase_add_loop_test(tests, a_broken_entry_is_refused, 0, sizeof broken / sizeof *broken);
	tcase_add_test(tests, an_operation_comes_back_as_it_was);
	tcase_add_test(tests, only_the_words_of_the_trail_are_actions);
	tcase_add_test(tests, all_types_are_named_once);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
