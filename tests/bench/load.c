/*
 * A load generator for the benches: takes ready-made request heads from stdin (each up to its empty
 * line), sends each with the same body over so many keep-alive connections, and prints what came of
 * it as one JSON object. One thread and epoll, so that it costs a few percent of what it measures.
 * It trusts the servers it talks to; they are ours.
 *
 *   load PORT CONNECTIONS BODY-FILE < HEADS
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_BYTES = 65536, CONNECTIONS_MAX = 1024, EVENTS = 64 };

struct text {
	char *ptr;
	size_t len;
};

struct load {
	int epoll;
	uint16_t port;
	struct text body;
	struct text *heads;
	size_t count, next, done, good;
	double *took_ms;
};

struct conn {
	int fd;
	size_t head; /* index of the request in hand */
	size_t sent; /* of head and body together */
	size_t got;
	double since_ms;
	char answer[ANSWER_BYTES];
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* --- input --- */

static struct text read_all(FILE *in)
{
	struct text text = { NULL, 0 };
	size_t room = 0, part;

	do {
		if (room - text.len < 65536) {
			room = room * 2 + 131072;
			text.ptr = realloc(text.ptr, room);
			if (text.ptr == NULL)
				die("memory");
		}
		part = fread(text.ptr + text.len, 1, room - text.len - 1, in);
		text.len += part;
	} while (part > 0);
	text.ptr[text.len] = '\0';
	return text;
}

static void split_heads(struct load *load, struct text all)
{
	size_t room = 0;

	for (char *at = all.ptr, *end; (end = strstr(at, "\r\n\r\n")) != NULL; at = end + 4) {
		if (load->count == room) {
			room = room * 2 + 256;
			load->heads = realloc(load->heads, room * sizeof *load->heads);
			if (load->heads == NULL)
				die("memory");
		}
		load->heads[load->count++] = (struct text){ at, (size_t)(end + 4 - at) };
	}
	load->took_ms = calloc(load->count + 1, sizeof *load->took_ms);
	if (load->took_ms == NULL)
		die("memory");
}

static struct text map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		die(path);
	void *ptr = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (ptr == MAP_FAILED)
		die(path);
	close(fd);
	return (struct text){ ptr, (size_t)st.st_size };
}

/* --- one connection --- */

static void watch(const struct load *load, struct conn *conn, int op, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = conn };

	if (epoll_ctl(load->epoll, op, conn->fd, &event) != 0)
		die("epoll_ctl");
}

static void dial(const struct load *load, struct conn *conn)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(load->port) };
	int one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&to, sizeof to) != 0)
		die("connect");
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(conn->fd, F_SETFL, O_NONBLOCK);
	watch(load, conn, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void begin(struct load *load, struct conn *conn)
{
	if (load->next == load->count) {
		close(conn->fd);
		return;
	}
	conn->head = load->next++;
	conn->sent = conn->got = 0;
	conn->since_ms = now_ms();
	watch(load, conn, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void send_more(struct load *load, struct conn *conn)
{
	const struct text head = load->heads[conn->head];
	size_t total = head.len + load->body.len;

	while (conn->sent < total) {
		struct iovec parts[2];
		int count = 0;
		size_t of_body = conn->sent < head.len ? 0 : conn->sent - head.len;
		if (conn->sent < head.len)
			parts[count++] =
				(struct iovec){ head.ptr + conn->sent, head.len - conn->sent };
		parts[count++] =
			(struct iovec){ load->body.ptr + of_body, load->body.len - of_body };
		ssize_t n = writev(conn->fd, parts, count);
		if (n < 0)
			return; /* full, or refused: the answer says which */
		conn->sent += (size_t)n;
	}
	watch(load, conn, EPOLL_CTL_MOD, EPOLLIN);
}

/* Bytes of the whole answer; 0 while it is not complete. */
static size_t answer_size(const struct conn *conn)
{
	char *end = strstr(conn->answer, "\r\n\r\n");
	char *length;

	if (end == NULL)
		return 0;
	size_t head = (size_t)(end + 4 - conn->answer);
	*end = '\0';
	length = strcasestr(conn->answer, "\r\ncontent-length:");
	bool chunked = strcasestr(conn->answer, "\r\ntransfer-encoding: chunked") != NULL;
	*end = '\r';
	if (chunked) {
		char *last = strstr(end, "\r\n0\r\n\r\n");
		return last == NULL ? 0 : (size_t)(last + 7 - conn->answer);
	}
	size_t body = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
	return conn->got < head + body ? 0 : head + body;
}

static void finish(struct load *load, struct conn *conn, bool again)
{
	bool good = conn->got > 12 && conn->answer[9] == '2';

	load->took_ms[load->done++] = now_ms() - conn->since_ms;
	load->good += good;
	if (!good)
		fprintf(stderr, "load: %.*s\n", (int)conn->got, conn->answer);
	if (again && strcasestr(conn->answer, "\r\nconnection: close") == NULL) {
		begin(load, conn);
		return;
	}
	close(conn->fd);
	if (load->next < load->count) {
		dial(load, conn);
		begin(load, conn);
	}
}

static void receive(struct load *load, struct conn *conn)
{
	ssize_t n = read(conn->fd, conn->answer + conn->got, ANSWER_BYTES - 1 - conn->got);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		conn->got += (size_t)n;
	conn->answer[conn->got] = '\0';
	if (n <= 0)
		finish(load, conn, false);
	else if (answer_size(conn) > 0)
		finish(load, conn, conn->sent == load->heads[conn->head].len + load->body.len);
}

/* --- the run --- */

static void run(struct load *load, struct conn *conns, size_t count)
{
	struct epoll_event events[EVENTS];

	for (size_t i = 0; i < count && load->next < load->count; i++) {
		dial(load, &conns[i]);
		begin(load, &conns[i]);
	}
	while (load->done < load->count) {
		int n = epoll_wait(load->epoll, events, EVENTS, 60000);
		if (n <= 0)
			die("nothing for 60 s");
		for (int i = 0; i < n; i++) {
			if (events[i].events & EPOLLOUT)
				send_more(load, events[i].data.ptr);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				receive(load, events[i].data.ptr);
		}
	}
}

static int compare(const void *left, const void *right)
{
	const double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
	struct load load = { .epoll = epoll_create1(EPOLL_CLOEXEC) };

	if (argc != 4) {
		fprintf(stderr, "usage: load PORT CONNECTIONS BODY-FILE < HEADS\n");
		return 2;
	}
	load.port = (uint16_t)strtoul(argv[1], NULL, 10);
	size_t count = strtoul(argv[2], NULL, 10);
	load.body = map_file(argv[3]);
	split_heads(&load, read_all(stdin));
	struct conn *conns = calloc(CONNECTIONS_MAX, sizeof *conns);
	if (conns == NULL || count == 0 || count > CONNECTIONS_MAX || load.count == 0)
		die("nothing to do");
	double from_ms = now_ms();
	run(&load, conns, count);
	double seconds = (now_ms() - from_ms) / 1e3;
	qsort(load.took_ms, load.done, sizeof *load.took_ms, compare);
	printf("{\"requests\": %zu, \"good\": %zu, \"seconds\": %.3f, \"p50_ms\": %.2f, "
	       "\"p99_ms\": %.2f, \"max_ms\": %.2f}\n",
		load.done, load.good, seconds, load.took_ms[load.done / 2],
		load.took_ms[load.done * 99 / 100], load.took_ms[load.done - 1]);
	return load.good == load.count ? 0 : 1;
}
