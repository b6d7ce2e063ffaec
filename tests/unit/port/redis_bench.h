/*
 * What the tests of the Redis client share: a real server on a free port, a loop on a thread of its
 * own, and blocking helpers. Inline, because a test uses only some of them.
 */
#ifndef ESTEIRA_TESTS_REDIS_BENCH_H
#define ESTEIRA_TESTS_REDIS_BENCH_H

#include "port/redis.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "port/loop.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define CMD(...)                                                                                   \
	(&(struct redis_command){ (const struct str[]){ __VA_ARGS__ },                             \
		sizeof((const struct str[]){ __VA_ARGS__ }) / sizeof(struct str), 5000 })

/* --- the server --- */

struct server {
	pid_t pid;
	int port;
	char dir[64];
};

static inline int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

/* Waits for the server's own word that it takes connections. */
static inline void wait_ready(int fd)
{
	struct buf said = BUF(64 * 1024);
	char chunk[512];
	ssize_t got;

	while ((got = read(fd, chunk, sizeof chunk)) > 0) {
		buf_add(&said, chunk, (size_t)got);
		if (strstr(said.ptr, "Ready to accept connections") != NULL) {
			buf_done(&said);
			return;
		}
	}
	ck_abort_msg("redis-server did not start: %s", said.ptr == NULL ? "" : said.ptr);
}

static inline void server_start(struct server *server, const char *password)
{
	char port[16];
	int out[2];

	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	snprintf(port, sizeof port, "%d", server->port);
	server->pid = fork();
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		execl("/usr/bin/redis-server", "redis-server", "--save", "", "--appendonly", "no",
			"--port", port, "--bind", "127.0.0.1", "--dir", server->dir,
			"--enable-debug-command", "yes", "--requirepass", password, NULL);
		_exit(127);
	}
	close(out[1]);
	wait_ready(out[0]); /* the read end stays open: a full pipe is not reached in a test */
}

static inline void server_stop(struct server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
}

static inline struct server server_new(const char *password)
{
	struct server server = { .dir = "/tmp/redis_test.XXXXXX" };

	server.port = free_port();
	ck_assert_ptr_nonnull(mkdtemp(server.dir));
	server_start(&server, password);
	return server;
}

static inline void server_free(struct server *server)
{
	server_stop(server);
	rmdir(server->dir);
}

/* --- the loop --- */

struct bench {
	struct loop *loop;
	pthread_t thread;
	struct arena *arena;
};

static inline void *run(void *arg)
{
	loop_run(arg);
	return NULL;
}

struct task {
	loop_fn *fn;
	void *arg;
	sem_t done;
};

static inline void run_task(void *arg)
{
	struct task *task = arg;

	task->fn(task->arg);
	sem_post(&task->done);
}

static inline void on_loop(struct bench *bench, loop_fn *fn, void *arg)
{
	struct task task = { .fn = fn, .arg = arg };

	sem_init(&task.done, 0, 0);
	ck_assert(loop_post(bench->loop, run_task, &task));
	sem_wait(&task.done);
	sem_destroy(&task.done);
}

static inline struct bench bench_new(void)
{
	struct bench bench = { .arena = arena_new(64 << 20) };

	ck_assert(loop_open(&bench.loop).kind == ERR_OK);
	ck_assert_int_eq(pthread_create(&bench.thread, NULL, run, bench.loop), 0);
	return bench;
}

static inline void bench_free(struct bench *bench)
{
	loop_stop(bench->loop);
	pthread_join(bench->thread, NULL);
	loop_close(bench->loop);
	arena_free(bench->arena);
}

struct opening {
	struct bench *bench;
	char url[128];
	const struct redis_limits *limits;
	struct redis *redis;
};

static inline void open_here(void *arg)
{
	struct opening *opening = arg;

	ck_assert(redis_open(opening->bench->loop, opening->url, opening->limits, &opening->redis)
			  .kind == ERR_OK);
}

static inline struct redis *client(struct bench *bench, int port, const struct redis_limits *limits)
{
	struct opening opening = { .bench = bench, .limits = limits };

	snprintf(opening.url, sizeof opening.url, "redis://127.0.0.1:%d/2", port);
	on_loop(bench, open_here, &opening);
	return opening.redis;
}

static inline void close_here(void *redis)
{
	redis_close(redis);
}

static inline const struct redis_reply *call(
	struct bench *bench, struct redis *redis, const struct redis_command *command)
{
	struct redis_reply *reply = NULL;
	struct err e = redis_call(redis, command, bench->arena, &reply);

	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	return reply;
}

static inline void expect_away(
	struct bench *bench, struct redis *redis, const struct redis_command *command)
{
	struct redis_reply *reply = NULL;
	struct err e = redis_call(redis, command, bench->arena, &reply);

	ck_assert_int_eq(e.kind, ERR_RETRY);
	ck_assert_int_eq(e.code, ERR_CODE_REDIS_AWAY);
	ck_assert(e.msg[0] != '\0' && reply == NULL);
}

static inline void expect_text(const struct redis_reply *reply, const char *text)
{
	ck_assert_int_eq(reply->kind, REDIS_TEXT);
	ck_assert(str_eq(reply->text, str_of(text)));
}

static inline void pause_ms(int ms)
{
	usleep((useconds_t)ms * 1000);
}

/* Asks again until the client has found the server; a retry loop as a service has one. */
static inline void until_up(struct bench *bench, struct redis *redis)
{
	int64_t end = clock_mono_ms() + 10000;
	struct redis_reply *reply = NULL;

	while (redis_call(redis, CMD(STR("PING")), bench->arena, &reply).kind != ERR_OK) {
		ck_assert_int_lt(clock_mono_ms(), end);
		pause_ms(5);
	}
}

/* Until CLIENTS of INFO says so. */
static inline void until_blocked(struct bench *bench, struct redis *redis, const char *count)
{
	int64_t end = clock_mono_ms() + 5000;
	const struct redis_reply *reply;

	do {
		ck_assert_int_lt(clock_mono_ms(), end);
		reply = call(bench, redis, CMD(STR("INFO"), STR("clients")));
	} while (strstr(reply->text.ptr, count) == NULL);
}

#endif
