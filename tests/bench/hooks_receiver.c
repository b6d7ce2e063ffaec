/*
 * The receiver of `./dev bench webhooks`: many places on 127.0.0.1, each a port of its own, that
 * take POSTs over kept connections and answer 204. A path that begins with /hang is read and never
 * answered. One thread and epoll, so that it costs a few percent of what is measured. It prints its
 * ports, and at SIGTERM a line for each call: its path, when its event was sent (the body's
 * "timestamp", milliseconds) and how long after that it was here. It trusts whoever calls.
 *
 *   hooks_receiver PORTS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BODY_MAX = 16384,
	PATH_MAX_BYTES = 32,
	PORTS_MAX = 512,
	CONNS_MAX = 8192,
	CALLS_MAX = 4000000,
	BACKLOG = 256,
	EVENTS = 64
};

struct call {
	int64_t sent_ms;
	double took_ms;
	char path[PATH_MAX_BYTES];
};

enum kind { KIND_END, KIND_LISTENER, KIND_CONN };

struct conn {
	enum kind kind;
	int fd;
	size_t got;
	char text[BODY_MAX + 1];
};

struct receiver {
	int epoll;
	struct conn *conns[CONNS_MAX]; /* by descriptor */
	struct call *calls;
	size_t count, room;
};

static void die(const char *what)
{
	fprintf(stderr, "hooks_receiver: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* --- connections --- */

static struct conn *watch(struct receiver *receiver, int fd, enum kind kind)
{
	struct conn *conn = fd < CONNS_MAX ? calloc(1, sizeof *conn) : NULL;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };

	if (conn == NULL)
		die("too many connections");
	conn->kind = kind;
	conn->fd = fd;
	if (epoll_ctl(receiver->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
	receiver->conns[fd] = conn;
	return conn;
}

static void drop(struct receiver *receiver, struct conn *conn)
{
	receiver->conns[conn->fd] = NULL;
	close(conn->fd);
	free(conn);
}

static void take_conn(struct receiver *receiver, int listener)
{
	int one = 1;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return; /* it went before it was taken */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	watch(receiver, fd, KIND_CONN);
}

static int listen_somewhere(struct receiver *receiver)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) != 0 || listen(fd, BACKLOG) != 0 ||
		getsockname(fd, (struct sockaddr *)&at, &size) != 0)
		die("listen");
	watch(receiver, fd, KIND_LISTENER);
	return ntohs(at.sin_port);
}

/* --- one call --- */

/* "2026-11-21T12:00:00.840Z", as outreach writes it; 0 when there is none. */
static int64_t sent_at(const char *body)
{
	struct tm tm = { 0 };
	const char *at = strstr(body, "\"timestamp\":\"");
	const char *rest = at == NULL ? NULL : strptime(at + 13, "%Y-%m-%dT%H:%M:%S", &tm);

	if (rest == NULL || *rest != '.')
		return 0;
	return (int64_t)timegm(&tm) * 1000 + strtol(rest + 1, NULL, 10);
}

static void note(struct receiver *receiver, const char *path, const char *body)
{
	if (receiver->count == receiver->room) {
		receiver->room = receiver->room * 2 + 4096;
		receiver->calls =
			realloc(receiver->calls, receiver->room * sizeof *receiver->calls);
		if (receiver->calls == NULL || receiver->room > CALLS_MAX)
			die("too many calls");
	}
	struct call *call = &receiver->calls[receiver->count++];
	size_t length = strcspn(path, " ");
	call->sent_ms = sent_at(body);
	call->took_ms = now_ms() - (double)call->sent_ms;
	snprintf(call->path, sizeof call->path, "%.*s", (int)length, path);
}

/* Bytes of the whole request; 0 while it is not complete. */
static size_t request_size(struct conn *conn, char **ret_body)
{
	char *end = strstr(conn->text, "\r\n\r\n");

	if (end == NULL)
		return 0;
	*end = '\0';
	const char *length = strcasestr(conn->text, "\r\ncontent-length:");
	*end = '\r';
	size_t size = (size_t)(end + 4 - conn->text) +
		      (length == NULL ? 0 : strtoul(length + 17, NULL, 10));
	*ret_body = end + 4;
	return conn->got < size ? 0 : size;
}

/* False when the connection is over. One call at a time: nobody sends a second before the answer.
 */
static bool receive(struct receiver *receiver, struct conn *conn)
{
	static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
	char *body;
	ssize_t n = read(conn->fd, conn->text + conn->got, BODY_MAX - conn->got);

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	conn->got += (size_t)n;
	conn->text[conn->got] = '\0';
	if (request_size(conn, &body) == 0)
		return true;
	const char *path = strchr(conn->text, ' ');
	if (path == NULL)
		return false;
	note(receiver, path + 1, body);
	conn->got = 0;
	if (strncmp(path + 1, "/hang", 5) == 0)
		return true;
	return write(conn->fd, answer, sizeof answer - 1) == (ssize_t)sizeof answer - 1;
}

/* --- the run --- */

static int end_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* False when it was told to end. */
static bool serve(struct receiver *receiver, struct conn *conn)
{
	if (conn->kind == KIND_END)
		return false;
	if (conn->kind == KIND_LISTENER)
		take_conn(receiver, conn->fd);
	else if (!receive(receiver, conn))
		drop(receiver, conn);
	return true;
}

static void run(struct receiver *receiver)
{
	struct epoll_event events[EVENTS];
	bool goes_on = true;

	while (goes_on) {
		int n = epoll_wait(receiver->epoll, events, EVENTS, -1);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++)
			goes_on = serve(receiver, events[i].data.ptr) && goes_on;
	}
}

static void free_all(struct receiver *receiver)
{
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (receiver->conns[i] != NULL)
			drop(receiver, receiver->conns[i]);
	free(receiver->calls);
	close(receiver->epoll);
	free(receiver);
}

int main(int argc, char **argv)
{
	struct receiver *receiver = calloc(1, sizeof *receiver);
	long ports = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

	if (receiver == NULL || ports < 1 || ports > PORTS_MAX) {
		fprintf(stderr, "usage: hooks_receiver PORTS\n");
		return 2;
	}
	receiver->epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(receiver, end_signal(), KIND_END);
	for (long i = 0; i < ports; i++)
		printf("%d%c", listen_somewhere(receiver), i + 1 < ports ? ' ' : '\n');
	fflush(stdout);
	run(receiver);
	for (size_t i = 0; i < receiver->count; i++)
		printf("%s %lld %.1f\n", receiver->calls[i].path,
			(long long)receiver->calls[i].sent_ms, receiver->calls[i].took_ms);
	free_all(receiver);
	return 0;
}
