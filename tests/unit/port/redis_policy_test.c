/* Against a real server whose settings are changed while it runs. */
#include "redis_bench.h"

#include <ftw.h>

#include "port/redis_policy.h"

struct verdict {
	struct bench *bench;
	struct redis *redis;
	struct err result;
	sem_t done;
};

static void on_done(void *arg, struct err result)
{
	struct verdict *verdict = arg;

	verdict->result = result;
	sem_post(&verdict->done);
}

static void check_here(void *arg)
{
	struct verdict *verdict = arg;
	struct loop *loop = verdict->bench->loop;

	ck_assert(redis_policy_check(verdict->redis, loop, on_done, verdict).kind == ERR_OK);
}

static void begin(struct verdict *verdict, struct bench *bench, struct redis *redis)
{
	*verdict = (struct verdict){ .bench = bench, .redis = redis };
	sem_init(&verdict->done, 0, 0);
	on_loop(bench, check_here, verdict);
}

static struct err wait_for(struct verdict *verdict)
{
	sem_wait(&verdict->done);
	sem_destroy(&verdict->done);
	return verdict->result;
}

static struct err check(struct bench *bench, struct redis *redis)
{
	struct verdict verdict;

	begin(&verdict, bench, redis);
	return wait_for(&verdict);
}

static const struct {
	const char *name, *value;
	bool safe;
} settings[] = {
	{ "save", "3600 1", false },
	{ "save", "", true },
	{ "appendonly", "yes", false },
	{ "appendonly", "no", true },
	{ "maxmemory-policy", "allkeys-lru", false },
	{ "maxmemory-policy", "volatile-ttl", false },
	{ "maxmemory-policy", "volatile-lru", false },
	{ "maxmemory-policy", "noeviction", true },
};

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

START_TEST(names_the_unsafe_setting)
{
	struct server server = server_new("");
	struct bench bench = bench_new();
	struct redis *redis = client(&bench, server.port, NULL);

	until_up(&bench, redis);
	ck_assert(check(&bench, redis).kind == ERR_OK);
	for (size_t i = 0; i < COUNT(settings); i++) {
		expect_text(call(&bench, redis,
				    CMD(STR("CONFIG"), STR("SET"), str_of(settings[i].name),
					    str_of(settings[i].value))),
			"OK");
		struct err e = check(&bench, redis);
		ck_assert_int_eq(e.kind, settings[i].safe ? ERR_OK : ERR_FATAL);
		if (settings[i].safe)
			continue;
		ck_assert_int_eq(e.code, ERR_CODE_UNSAFE_STORE);
		ck_assert_ptr_nonnull(strstr(e.msg, settings[i].name));
	}
	on_loop(&bench, close_here, redis);
	bench_free(&bench);
	server_stop(&server);
	ck_assert_int_eq(nftw(server.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
END_TEST

/* As managed servers do. */
START_TEST(takes_a_silent_server_as_it_is)
{
	struct server server = server_new("");
	struct bench bench = bench_new();
	struct redis *redis = client(&bench, server.port, NULL);

	until_up(&bench, redis);
	call(&bench, redis, CMD(STR("CONFIG"), STR("SET"), STR("save"), STR("3600 1")));
	expect_text(call(&bench, redis,
			    CMD(STR("ACL"), STR("SETUSER"), STR("default"), STR("-config"))),
		"OK");
	ck_assert(check(&bench, redis).kind == ERR_OK);
	on_loop(&bench, close_here, redis);
	bench_free(&bench);
	server_free(&server);
}
END_TEST

START_TEST(waits_for_a_server_that_is_away)
{
	struct server server = server_new("");
	struct bench bench = bench_new();
	struct verdict verdict;

	server_stop(&server);
	struct redis *redis = client(&bench, server.port, NULL);
	expect_away(&bench, redis, CMD(STR("PING")));
	begin(&verdict, &bench, redis);
	expect_away(&bench, redis, CMD(STR("PING")));
	ck_assert_int_eq(sem_trywait(&verdict.done), -1);
	server_start(&server, "");
	ck_assert(wait_for(&verdict).kind == ERR_OK);
	on_loop(&bench, close_here, redis);
	bench_free(&bench);
	server_free(&server);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis_policy");
	TCase *tests = tcase_create("redis_policy");

	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, names_the_unsafe_setting);
	tcase_add_test(tests, takes_a_silent_server_as_it_is);
	tcase_add_test(tests, waits_for_a_server_that_is_away);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
