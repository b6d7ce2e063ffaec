/* What intake sends is read whole, and what is sent carries no capability. */
#include "events.h"

#include <check.h>
#include <string.h>

static const char received[] =
	"{\"job_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"get_path\":\"/b/k?g\","
	"\"head_path\":\"/b/k?h\",\"delete_path\":\"/b/k?d\",\"object_bytes\":4096,"
	"\"document_hash\":\"ab\",\"received_at\":\"2026-11-21T08:00:00.000Z\","
	"\"expires_at\":\"2026-11-21T08:10:00.000Z\",\"later\":1}";

START_TEST(reads_a_job)
{
	struct arena *arena = arena_new(1 << 16);
	struct events_received event;

	ck_assert(codec_read(&events_document_received, str_of(received), arena, &event).kind ==
		  ERR_OK);
	ck_assert_str_eq(event.get_path, "/b/k?g");
	ck_assert_str_eq(event.head_path, "/b/k?h");
	ck_assert_str_eq(event.delete_path, "/b/k?d");
	ck_assert_int_eq(event.object_bytes, 4096);
	ck_assert_int_eq(event.expires_at - event.received_at, 600000);
	arena_free(arena);
}
END_TEST

START_TEST(a_job_goes_to_no_other_topic)
{
	struct arena *arena = arena_new(1 << 16);
	struct events_received event;
	struct buf out = BUF(4096);

	ck_assert(codec_read(&events_document_received, str_of(received), arena, &event).kind ==
		  ERR_OK);
	ck_assert(codec_write(&events_document_received, &event, CODEC_TO_TOPIC, &out).kind ==
		  ERR_FATAL);
	buf_clear(&out);
	ck_assert(
		codec_write(&events_document_received, &event, CODEC_TO_JOBS, &out).kind == ERR_OK);
	buf_done(&out);
	arena_free(arena);
}
END_TEST

START_TEST(lists_every_type_once)
{
	const struct codec_type *const *all = events_all();
	size_t count = 0;

	for (; all[count] != NULL; count++)
		for (size_t i = 0; i < count; i++)
			ck_assert_str_ne(all[i]->name, all[count]->name);
	ck_assert_uint_eq(count, 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("events");
	TCase *tests = tcase_create("events");

	tcase_add_test(tests, reads_a_job);
	tcase_add_test(tests, a_job_goes_to_no_other_topic);
	tcase_add_test(tests, lists_every_type_once);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
