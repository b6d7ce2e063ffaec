/*
 * The client against a stub that answers the greeting and then says what it likes, and the promises
 * of redis_send that need the loop's thread.
 */
#include "redis_bench.h"

/* --- a server that misbehaves --- */

struct stub {
	int listener;
	int port;
	const char *greeting; /* sent at once to each connection */
	const char *answer;   /* sent after the first command that is not a greeting */
	size_t answer_len;
	bool hang; /* stays open and silent afterwards */
	pthread_t thread;
};

/* False when the client is gone before it sent the word. */
static bool wait_for(int fd, const char *word)
{
	struct buf seen = BUF(1 << 20);
	char chunk[4096];
	ssize_t got;
	bool found = false;

	while (!found && (got = read(fd, chunk, sizeof chunk)) > 0) {
		buf_add(&seen, chunk, (size_t)got);
		found = memmem(seen.ptr, seen.len, word, strlen(word)) != NULL;
	}
	buf_done(&seen);
	return found;
}

static void send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		bytes += sent;
		len -= (size_t)sent;
	}
}

static void *serve(void *arg)
{
	const struct stub *stub = arg;
	int fd;

	while ((fd = accept(stub->listener, NULL, NULL)) >= 0) {
		send_all(fd, stub->greeting, strlen(stub->greeting));
		if (wait_for(fd, "PING"))
			send_all(fd, stub->answer, stub->answer_len);
		if (stub->hang)
			wait_for(fd, "never sent");
		close(fd);
	}
	return NULL;
}

static void stub_start(struct stub *stub)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;

	stub->listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(stub->listener, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(stub->listener, 8), 0);
	ck_assert_int_eq(getsockname(stub->listener, (struct sockaddr *)&address, &len), 0);
	stub->port = ntohs(address.sin_port);
	pthread_create(&stub->thread, NULL, serve, stub);
}

static void stub_stop(struct stub *stub)
{
	shutdown(stub->listener, SHUT_RDWR);
	pthread_join(stub->thread, NULL);
	close(stub->listener);
}

#define GREETED "+OK\r\n+OK\r\n:7\r\n"
#define DEEP	"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"

static const struct {
	const char *greeting, *answer;
	bool hang;
} hostile[] = {
	{ GREETED, "", false },
	{ GREETED, "garbage\r\n", true },
	{ GREETED, "HTTP/1.1 400 Bad Request\r\n\r\n", true },
	{ GREETED, DEEP DEEP DEEP, true },
	{ GREETED, "*2147483647\r\n", true },
	{ GREETED, "*4000000000\r\n", true },
	{ GREETED, "$99999999999999999999\r\n", true },
	{ GREETED, "$1000000\r\nshort", false },
	{ GREETED, "$1000000\r\nshort", true },
	{ GREETED, "", true },
	{ GREETED, "*3\r\n:1\r\n", false },
	{ GREETED, "%1\r\n+k\r\n+v\r\n", true },
	{ "", "", true },
	{ "garbage\r\n", "", true },
	{ "+OK\r\n-ERR\r\n", "", true },
	{ "-ERR max number of clients reached\r\n", "", false },
	{ "$9999999\r\n", "", true },
	{ DEEP, "", true },
};

START_TEST(hostile_server)
{
	struct stub stub = { .greeting = hostile[_i].greeting,
		.answer = hostile[_i].answer,
		.answer_len = strlen(hostile[_i].answer),
		.hang = hostile[_i].hang };
	const struct redis_limits limits = { .connect_timeout_ms = 200 };
	struct bench bench = bench_new();
	struct redis_command ping = *CMD(STR("PING"));

	ping.timeout_ms = 150;
	stub_start(&stub);
	struct redis *redis = client(&bench, stub.port, &limits);
	for (int i = 0; i < 3; i++)
		expect_away(&bench, redis, &ping);
	on_loop(&bench, close_here, redis);
	bench_free(&bench);
	stub_stop(&stub);
}
END_TEST

/* A reply too many would be taken for the next command's: the connection must not live on. */
START_TEST(unasked_replies)
{
	static const char two[] = "+PONG\r\n+PONG\r\n";
	struct stub stub = {
		.greeting = GREETED, .answer = two, .answer_len = sizeof two - 1, .hang = true
	};
	struct bench bench = bench_new();
	int64_t end = clock_mono_ms() + 5000;

	stub_start(&stub);
	struct redis *redis = client(&bench, stub.port, NULL);
	expect_text(call(&bench, redis, CMD(STR("PING"))), "PONG");
	while (redis_is_up(redis))
		ck_assert_int_lt(clock_mono_ms(), end);
	on_loop(&bench, close_here, redis);
	bench_free(&bench);
	stub_stop(&stub);
}
END_TEST

/* 64 MiB that never end, as fast as the socket takes them. */
START_TEST(endless_reply)
{
	enum { SIZE = 64 << 20 };
	char *flood = malloc(SIZE);
	struct stub stub = { .greeting = GREETED, .answer = flood, .answer_len = SIZE };
	const struct redis_limits limits = { .reply_max_bytes = 1 << 20 };
	struct bench bench = bench_new();

	memset(flood, 'x', SIZE);
	memcpy(flood, "$100000000\r\n", 12);
	stub_start(&stub);
	struct redis *redis = client(&bench, stub.port, &limits);
	expect_away(&bench, redis, CMD(STR("PING")));
	on_loop(&bench, close_here, redis);
	bench_free(&bench);
	stub_stop(&stub);
	free(flood);
}
END_TEST

/* --- redis_send --- */

enum { BURST = 500 };

struct burst {
	struct bench *bench;
	struct redis *redis;
	int sent;
	int answered;
	int away;
	bool sending;
	bool in_order;
	bool close_inside;
	sem_t done;
};

static void on_answer(void *arg, struct err result, const struct redis_reply *reply)
{
	struct burst *burst = arg;

	ck_assert(!burst->sending);
	ck_assert((result.kind == ERR_OK) == (reply != NULL));
	if (reply == NULL) {
		ck_assert_int_eq(result.code, ERR_CODE_REDIS_AWAY);
		burst->away++;
	} else {
		burst->in_order = burst->in_order && reply->number == burst->answered + 1;
		burst->answered++;
	}
	if (burst->close_inside && burst->answered == 1 && reply != NULL) {
		redis_close(burst->redis);
		/* still readable after it */
		ck_assert_int_eq(reply->number, 1);
	}
	if (burst->answered + burst->away == burst->sent)
		sem_post(&burst->done);
}

static void send_burst(void *arg)
{
	struct burst *burst = arg;

	burst->sending = true;
	burst->sent = BURST;
	for (int i = 0; i < BURST; i++)
		redis_send(burst->redis, CMD(STR("INCR"), STR("n")), on_answer, burst);
	burst->sending = false;
}

static void send_burst_and_close(void *arg)
{
	struct burst *burst = arg;

	send_burst(arg);
	redis_close(burst->redis);
	ck_assert_int_eq(burst->answered + burst->away, BURST);
}

static void nothing(void *arg)
{
	(void)arg;
}

static struct burst run_burst(
	struct bench *bench, struct redis *redis, loop_fn *fn, bool close_inside)
{
	struct burst burst = {
		.bench = bench, .redis = redis, .in_order = true, .close_inside = close_inside
	};

	sem_init(&burst.done, 0, 0);
	on_loop(bench, fn, &burst);
	sem_wait(&burst.done);
	on_loop(bench, nothing, NULL); /* the callback that posted has returned */
	sem_destroy(&burst.done);
	ck_assert_int_eq(burst.answered + burst.away, BURST);
	ck_assert(burst.in_order);
	return burst;
}

START_TEST(answers_each_command_once)
{
	const struct redis_limits few = { .inflight_max = 100 };
	struct server server = server_new("");
	struct bench bench = bench_new();

	struct redis *redis = client(&bench, server.port, NULL);
	ck_assert_int_eq(run_burst(&bench, redis, send_burst, false).answered, BURST);
	call(&bench, redis, CMD(STR("DEL"), STR("n")));
	struct burst burst = run_burst(&bench, redis, send_burst_and_close, false);
	ck_assert_int_eq(burst.away, BURST);

	redis = client(&bench, server.port, NULL);
	call(&bench, redis, CMD(STR("DEL"), STR("n")));
	burst = run_burst(&bench, redis, send_burst, true);
	ck_assert_int_eq(burst.answered, 1);

	redis = client(&bench, server.port, &few);
	call(&bench, redis, CMD(STR("DEL"), STR("n")));
	burst = run_burst(&bench, redis, send_burst, false);
	ck_assert_int_eq(burst.answered, 100);
	server_stop(&server);
	ck_assert_int_eq(run_burst(&bench, redis, send_burst, false).away, BURST);
	ck_assert_int_eq(run_burst(&bench, redis, send_burst_and_close, false).away, BURST);
	bench_free(&bench);
	rmdir(server.dir);
}
END_TEST

/* Threads in redis_call are released by redis_close, whatever they wait for. */
static void *call_forever(void *arg)
{
	struct arena *arena = arena_new(1 << 16);
	struct redis_reply *reply;
	struct redis_command command = *CMD(STR("BLPOP"), STR("none"), STR("0"));

	command.timeout_ms = 60000;
	struct err e = redis_call(arg, &command, arena, &reply);
	ck_assert(err_is(e, ERR_CODE_REDIS_AWAY));
	arena_free(arena);
	return NULL;
}

START_TEST(close_releases_callers)
{
	struct server server = server_new("");
	struct bench bench = bench_new();
	struct redis *other = client(&bench, server.port, NULL);
	struct redis *blocked[4];
	pthread_t threads[COUNT(blocked)];

	for (size_t i = 0; i < COUNT(blocked); i++) {
		blocked[i] = client(&bench, server.port, NULL);
		pthread_create(&threads[i], NULL, call_forever, blocked[i]);
	}
	until_blocked(&bench, other, "blocked_clients:4");
	for (size_t i = 0; i < COUNT(blocked); i++)
		on_loop(&bench, close_here, blocked[i]);
	for (size_t i = 0; i < COUNT(blocked); i++)
		pthread_join(threads[i], NULL);
	on_loop(&bench, close_here, other);
	bench_free(&bench);
	server_free(&server);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redis against odds");
	TCase *tcase = tcase_create("hostile");

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, hostile_server, 0, COUNT(hostile));
	tcase_add_test(tcase, unasked_replies);
	tcase_add_test(tcase, endless_reply);
	tcase_add_test(tcase, answers_each_command_once);
	tcase_add_test(tcase, close_releases_callers);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
