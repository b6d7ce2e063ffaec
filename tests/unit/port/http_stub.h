/*
 * A small HTTP server for the tests of the client: one thread per connection, whole requests in
 * memory, and a handler that decides what is answered, or that nothing is. It believes nobody: a
 * body shorter than its Content-Length is told to the handler as incomplete.
 */
#ifndef ESTEIRA_TESTS_UNIT_PORT_HTTP_STUB_H
#define ESTEIRA_TESTS_UNIT_PORT_HTTP_STUB_H

#include "base/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP_STUB_CONNECTIONS = 64, HTTP_STUB_HEAD = 16 * 1024 };

struct http_stub;

struct http_stub_request {
	struct str method;
	struct str target;
	struct str head; /* the field lines */
	struct str body;
	bool has_length;
	bool is_complete;
	int connection; /* its number */
	int fd;
};

/* Writes the answer to request->fd; false closes the connection. Called with the lock held, unless
 * it only writes it runs alone. */
typedef bool http_stub_handler(struct http_stub *stub, const struct http_stub_request *request);

struct http_stub {
	http_stub_handler *handler;
	http_stub_handler *early; /* or NULL: before the body is read; false = go on and read it */
	void *state;
	pthread_mutex_t lock;
	pthread_cond_t served;
	int listener;
	int port;
	pthread_t thread;
	pthread_t threads[HTTP_STUB_CONNECTIONS];
	int fds[HTTP_STUB_CONNECTIONS];
	int connections;
	int requests;
	int aborted; /* bodies that ended early */
};

struct http_stub_job {
	struct http_stub *stub;
	int number;
};

static inline void http_stub_write(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		at += sent;
		len -= (size_t)sent;
	}
}

static inline bool http_stub_answer(
	const struct http_stub_request *request, int status, const char *fields, struct str body)
{
	char head[1024];
	int len = snprintf(head, sizeof head, "HTTP/1.1 %d Stub\r\nContent-Length: %zu\r\n%s\r\n",
		status, body.len, fields);

	http_stub_write(request->fd, head, (size_t)len);
	if (!str_eq(request->method, STR("HEAD")))
		http_stub_write(request->fd, body.ptr, body.len);
	return true;
}

/* The value of a request's field; empty when there is none. */
static inline struct str http_stub_field(const struct http_stub_request *request, const char *name)
{
	struct str rest = request->head;

	while (rest.len > 0) {
		struct str line = str_cut(rest, '\n', &rest);
		struct str value;
		struct str field = str_cut(line, ':', &value);

		if (!str_ieq(field, str_of(name)))
			continue;
		if (value.len > 0 && value.ptr[value.len - 1] == '\r')
			value.len--;
		return str_trim(value);
	}
	return (struct str){ NULL, 0 };
}

static inline bool http_stub_read_head(int fd, char *head, size_t *ret_len)
{
	size_t len = 0;

	while (len < HTTP_STUB_HEAD - 1) {
		if (recv(fd, head + len, 1, 0) != 1)
			return false;
		len++;
		if (len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0)
			break;
	}
	*ret_len = len - 2;
	return true;
}

static inline char *http_stub_read_body(int fd, uint64_t want, size_t *ret_len)
{
	char *body = malloc(want + 1);
	size_t len = 0;

	while (len < want) {
		ssize_t got = recv(fd, body + len, want - len, 0);

		if (got <= 0)
			break;
		len += (size_t)got;
	}
	*ret_len = len;
	return body;
}

static inline bool http_stub_turn(struct http_stub *stub, int fd, int number)
{
	char head[HTTP_STUB_HEAD];
	struct http_stub_request request = { .fd = fd, .connection = number };
	struct str text = { head, 0 };
	uint64_t want = 0;

	if (!http_stub_read_head(fd, head, &text.len))
		return false;
	struct str line = str_cut(text, '\n', &request.head);
	request.method = str_cut(line, ' ', &line);
	request.target = str_cut(line, ' ', &line);
	request.has_length = str_to_u64(http_stub_field(&request, "content-length"), &want);
	if (stub->early != NULL && stub->early(stub, &request))
		return false;
	size_t len = 0;
	char *body = http_stub_read_body(fd, want, &len);
	request.body = (struct str){ body, len };
	request.is_complete = len == want;
	pthread_mutex_lock(&stub->lock);
	stub->requests++;
	stub->aborted += !request.is_complete;
	pthread_cond_broadcast(&stub->served);
	bool again = request.is_complete && stub->handler(stub, &request);
	pthread_mutex_unlock(&stub->lock);
	free(body);
	return again;
}

static inline void *http_stub_connection(void *arg)
{
	struct http_stub_job job = *(struct http_stub_job *)arg;

	free(arg);
	while (http_stub_turn(job.stub, job.stub->fds[job.number], job.number))
		;
	shutdown(job.stub->fds[job.number], SHUT_RDWR);
	return NULL;
}

static inline void *http_stub_accept(void *arg)
{
	struct http_stub *stub = arg;

	for (;;) {
		int fd = accept(stub->listener, NULL, NULL);

		if (fd < 0 || stub->connections == HTTP_STUB_CONNECTIONS)
			return NULL;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		struct http_stub_job *job = malloc(sizeof *job);
		*job = (struct http_stub_job){ stub, stub->connections };
		stub->fds[stub->connections] = fd;
		pthread_create(&stub->threads[stub->connections], NULL, http_stub_connection, job);
		stub->connections++;
	}
}

static inline void http_stub_start(struct http_stub *stub)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;

	pthread_mutex_init(&stub->lock, NULL);
	pthread_cond_init(&stub->served, NULL);
	stub->listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(stub->listener, (struct sockaddr *)&address, sizeof address);
	listen(stub->listener, 64);
	getsockname(stub->listener, (struct sockaddr *)&address, &len);
	stub->port = ntohs(address.sin_port);
	pthread_create(&stub->thread, NULL, http_stub_accept, stub);
}

/* Until that many requests have come, whole or not. */
static inline void http_stub_await(struct http_stub *stub, int requests)
{
	pthread_mutex_lock(&stub->lock);
	while (stub->requests < requests)
		pthread_cond_wait(&stub->served, &stub->lock);
	pthread_mutex_unlock(&stub->lock);
}

/* After it everything in *stub may be looked at. */
static inline void http_stub_stop(struct http_stub *stub)
{
	shutdown(stub->listener, SHUT_RDWR);
	pthread_join(stub->thread, NULL);
	for (int i = 0; i < stub->connections; i++) {
		shutdown(stub->fds[i], SHUT_RDWR);
		pthread_join(stub->threads[i], NULL);
		close(stub->fds[i]);
	}
	close(stub->listener);
	pthread_mutex_destroy(&stub->lock);
	pthread_cond_destroy(&stub->served);
}

#endif
