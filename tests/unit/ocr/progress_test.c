/* Against a real server, started here on a free port. */
#include "progress.h"

#include "../port/redis_bench.h"
#include "document.h"
#include "model/rediskey.h"

static const struct {
	struct document_page page;
	const char *data;
} pages[] = {
	{ { 1, DOCUMENT_SOURCE_OCR, 91.25, 812, { "secret", 6 } },
		"{\"page\":1,\"pages\":2,\"source\":\"ocr\",\"confidence\":91.25,\"ms\":812}" },
	{ { 2, DOCUMENT_SOURCE_TEXT, 100, 0, { "secret", 6 } },
		"{\"page\":2,\"pages\":2,\"source\":\"text\",\"confidence\":100,\"ms\":0}" },
};

static void expect_entry(const struct redis_reply *entry, const char *event, const char *data)
{
	const struct redis_reply *fields = &entry->items[1];
	const char *const expected[] = { "event", event, "data", data };

	ck_assert_uint_eq(fields->count, COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++)
		ck_assert(str_eq(fields->items[i].text, str_of(expected[i])));
}

START_TEST(tells_numbers_and_expires)
{
	struct server server = server_new("");
	struct bench bench = bench_new();
	struct redis *redis = client(&bench, server.port, NULL);
	struct progress progress = { redis, bench.arena, { id_v7() }, id_v7() };
	char key[REDISKEY_BYTES];

	until_up(&bench, redis);
	rediskey_progress(progress.tenant, progress.job_id, key);
	ck_assert(progress_started(&progress).kind == ERR_OK);
	for (size_t i = 0; i < COUNT(pages); i++)
		ck_assert(progress_page(&progress, &pages[i].page, 2).kind == ERR_OK);
	const struct redis_reply *reply =
		call(&bench, redis, CMD(STR("XRANGE"), str_of(key), STR("-"), STR("+")));
	ck_assert_uint_eq(reply->count, 3);
	expect_entry(&reply->items[0], "started", "{}");
	expect_entry(&reply->items[1], "page", pages[0].data);
	expect_entry(&reply->items[2], "page", pages[1].data);
	reply = call(&bench, redis, CMD(STR("TTL"), str_of(key)));
	ck_assert_int_gt(reply->number, REDISKEY_RESULT_TTL_S - 60);
	on_loop(&bench, close_here, redis);
	bench_free(&bench);
	server_free(&server);
}
END_TEST

START_TEST(is_refused_without_harm)
{
	struct server server = server_new("");
	struct bench bench = bench_new();
	struct redis *redis = client(&bench, server.port, NULL);
	struct progress progress = { redis, bench.arena, { id_v7() }, id_v7() };
	char key[REDISKEY_BYTES];

	until_up(&bench, redis);
	rediskey_progress(progress.tenant, progress.job_id, key);
	call(&bench, redis, CMD(STR("SET"), str_of(key), STR("no stream")));
	ck_assert(err_is(progress_started(&progress), ERR_CODE_REDIS_AWAY));
	server_stop(&server);
	struct err e = progress_page(&progress, &pages[0].page, 2);
	ck_assert(e.kind == ERR_RETRY && err_is(e, ERR_CODE_REDIS_AWAY));
	on_loop(&bench, close_here, redis);
	bench_free(&bench);
	rmdir(server.dir);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("progress");
	TCase *tests = tcase_create("progress");

	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, tells_numbers_and_expires);
	tcase_add_test(tests, is_refused_without_harm);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
