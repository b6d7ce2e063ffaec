/* Against a real server, started here on a free port. */
#include "job/progress.h"

#include "../port/redis_bench.h"
#include "model/rediskey.h"
#include "api_suite.h"

/* Found in review: XADD and EXPIRE went apart, so a crash between them left a stream for ever. */
START_TEST(test_ends_and_expires_in_one_step)
{
	static const char *const words[] = { "event", "end", "data", "" };
	struct server server = server_new("");
	struct bench bench = bench_new();
	struct redis *redis = client(&bench, server.port, NULL);
	const struct tenant tenant = { id_v7() };
	const struct id job_id = id_v7();
	char key[REDISKEY_BYTES];

	until_up(&bench, redis);
	rediskey_progress(tenant, job_id, key);
	ck_assert(progress_end(redis, tenant, job_id, bench.arena).kind == ERR_OK);
	const struct redis_reply *reply =
		call(&bench, redis, CMD(STR("XRANGE"), str_of(key), STR("-"), STR("+")));
	ck_assert_uint_eq(reply->count, 1);
	const struct redis_reply *fields = &reply->items[0].items[1];
	ck_assert_uint_eq(fields->count, COUNT(words));
	for (size_t i = 0; i < COUNT(words); i++)
		ck_assert(str_eq(fields->items[i].text, str_of(words[i])));
	reply = call(&bench, redis, CMD(STR("TTL"), str_of(key)));
	ck_assert_int_gt(reply->number, REDISKEY_RESULT_TTL_S - 60);
	reply = call(&bench, redis, CMD(STR("INFO"), STR("commandstats")));
	ck_assert_ptr_nonnull(strstr(reply->text.ptr, "cmdstat_eval:calls=1,"));
	on_loop(&bench, close_here, redis);
	bench_free(&bench);
	server_free(&server);
}
END_TEST

START_TEST(test_is_refused_without_harm)
{
	struct server server = server_new("");
	struct bench bench = bench_new();
	struct redis *redis = client(&bench, server.port, NULL);
	const struct tenant tenant = { id_v7() };
	const struct id job_id = id_v7();
	char key[REDISKEY_BYTES];

	until_up(&bench, redis);
	rediskey_progress(tenant, job_id, key);
	call(&bench, redis, CMD(STR("SET"), str_of(key), STR("no stream")));
	struct err e = progress_end(redis, tenant, job_id, bench.arena);
	ck_assert(e.kind == ERR_RETRY && err_is(e, ERR_CODE_REDIS_AWAY));
	on_loop(&bench, close_here, redis);
	bench_free(&bench);
	server_free(&server);
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_ends_and_expires_in_one_step, 0 },
		{ test_is_refused_without_harm, 0 },
		{ NULL, 0 },
	};

	return api_suite_main("progress", cases);
}
